"""Continuations of a batch of rows so far, and all that continues them exactly.

The state has read everything but the newest token, so nothing is read twice: going on reads that
token first. Prompts of several lengths stand in one tensor with padding on their left, which a
model reads as segment -1; so the newest token of every row is in the last column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from prism.model.generation.sampling import Sampling, row_seeds

# [T] or [B, T] token ids, or rows of any lengths
Prompt = Tensor | Sequence[int] | Sequence[Sequence[int]] | Sequence[Tensor]
Reason = Literal["stop", "length"]


@dataclass(frozen=True)
class Generation:
    """Rows of text that a model has continued.

    Attributes:
        text: ``[B, P + n]`` int64, prompts of at most P tokens and n new ones; padding on the left
            is 0, a row that has stopped repeats its last token.
        prompt_lengths: real tokens of each prompt.
        lengths: ``[B]`` int64 new tokens of each row, the one that stopped it included.
        finished: ``[B]`` bool, the row has stopped.
        state: of the model, after everything but ``unread``; None before the first token.
        unread: ``[B, t]`` tokens that the state has not seen: the prompt, then the newest token.
        seeds: ``[B]`` int64 seeds of the draws, on the CPU.
    """

    text: Tensor
    prompt_lengths: tuple[int, ...]
    lengths: Tensor
    finished: Tensor
    state: Any
    unread: Tensor
    seeds: Tensor

    @classmethod
    def start(
        cls,
        prompt: Prompt,
        lengths: Tensor | Sequence[int] | None = None,
        state: Any = None,
        device: torch.device | str | None = None,
    ) -> Generation:
        """Nothing drawn yet.

        Args:
            prompt: ``[T]`` or ``[B, T]`` ids, one row of ids, or rows of any lengths.
            lengths: ``[B]`` real tokens of each row of a tensor that is padded on its right.
            state: that the prompt continues; None = the start.
            device: of the model; None = the CPU, or a tensor's own.

        Raises:
            ValueError: a prompt without a token, or of something else than ids; bad lengths.
        """
        rows = _rows(prompt, lengths)
        device = device or rows[0].device
        longest = max(len(row) for row in rows)
        text = torch.zeros(len(rows), longest, dtype=torch.int64, device=device)
        for i, row in enumerate(rows):
            text[i, longest - len(row) :] = row
        none = torch.zeros(len(rows), dtype=torch.int64, device=device)
        seeds = row_seeds(0, len(rows))
        real = tuple(len(row) for row in rows)
        return cls(text, real, none, none.bool(), state, text, seeds)

    @property
    def drawn(self) -> int:
        """Steps taken, n."""
        return self.text.shape[1] - max(self.prompt_lengths)

    @property
    def tokens(self) -> Tensor:
        """New tokens ``[B, n]``, -1 behind the end of a row."""
        new = self.text[:, max(self.prompt_lengths) :]
        place = torch.arange(new.shape[1], device=new.device)
        return new.masked_fill(place >= self.lengths[:, None], -1)

    @property
    def newest(self) -> Tensor:
        """Token of the last step ``[B]``, -1 for a row that had stopped before."""
        return self.text[:, -1].masked_fill(self.lengths < self.drawn, -1)

    @property
    def rows(self) -> list[list[int]]:
        """New tokens of each row."""
        counts = self.lengths.tolist()
        return [row[:n] for row, n in zip(self.tokens.tolist(), counts, strict=True)]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Reason each row ended for: a stop token or sequence, or the number of tokens asked."""
        return tuple("stop" if done else "length" for done in self.finished.tolist())

    @property
    def ragged(self) -> bool:
        """True for prompts of several lengths."""
        return min(self.prompt_lengths) < max(self.prompt_lengths)

    def segment_ids(self, some_finished: bool) -> Tensor | None:
        """``[B, t]`` segment ids of ``unread``, -1 = padding: what stands left of a prompt, and
        all of a row that has stopped. None where nothing is padding."""
        in_prompt = self.ragged and self.drawn == 0
        if not in_prompt and not some_finished:
            return None
        ids = carried_segment(self.state, self.unread)[:, None].expand_as(self.unread)
        if in_prompt:
            count = self.unread.shape[1]
            start = count - torch.tensor(self.prompt_lengths, device=ids.device)
            ids = ids.masked_fill(torch.arange(count, device=ids.device) < start[:, None], -1)
        return ids.masked_fill(self.finished[:, None], -1)

    def processed(self, sampling: Sampling, logits: Tensor) -> Tensor:
        """Logits ``[B, V]`` as ``sampling`` processes them: rows of one length together, without
        their padding, so that a row is treated as it would be alone."""
        if not self.ragged:
            return sampling.processed(self.text, logits)
        logits = logits.clone()
        lengths = torch.tensor(self.prompt_lengths)
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero()[:, 0].to(logits.device)
            text = self.text[rows, self.text.shape[1] - self.drawn - length :]
            logits[rows] = sampling.processed(text, logits[rows])
        return logits

    def with_token(self, token: Tensor, state: Any, some_finished: bool) -> Generation:
        """One step further: ``token [B]`` is drawn, ``state`` has read ``unread``. A row that has
        stopped repeats its last token."""
        token, more = token[:, None], 1
        if some_finished:
            token = torch.where(self.finished[:, None], self.text[:, -1:], token)
            more = ~self.finished
        text, lengths = torch.cat([self.text, token], dim=1), self.lengths + more
        return replace(self, text=text, lengths=lengths, state=state, unread=token)

    def stopped(self, ends: Tensor, sequences: Sequence[Tensor]) -> Generation:
        """The same, with rows finished whose new tokens end in one of the ids ``ends`` or in one of
        the ``sequences`` of ids."""
        finished = self.finished | torch.isin(self.text[:, -1], ends)
        for run in sequences:
            if self.drawn >= len(run):
                finished = finished | (self.text[:, -len(run) :] == run).all(dim=1)
        return replace(self, finished=finished)


def carried_segment(state: Any, tokens: Tensor) -> Tensor:
    """``[B]`` segment id of the document that ``state`` is in; 0 where it says none."""
    segment = getattr(state, "segment", None)
    return tokens.new_zeros(len(tokens)) if segment is None else segment.clamp_min(0)


def _listed(prompt: Any) -> list[Tensor]:
    """Rows of a prompt that is no tensor.

    Raises:
        ValueError: it is neither one row of ids nor several.
    """
    if isinstance(prompt, np.ndarray):
        prompt = [prompt] if prompt.ndim == 1 else list(prompt)
    if isinstance(prompt, str) or not isinstance(prompt, Sequence):
        raise ValueError(f"prompt = {prompt!r}: must be ids, a tensor of ids, or rows of ids")
    if len(prompt) and all(isinstance(x, Integral) for x in prompt):
        prompt = [prompt]
    try:
        return [torch.as_tensor(row) for row in prompt]
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"prompt = {prompt!r}: must be rows of ids ({error})") from None


def _rows(prompt: Prompt, lengths: Tensor | Sequence[int] | None) -> list[Tensor]:
    """One tensor of ids per row."""
    if isinstance(prompt, Tensor):
        if prompt.dim() not in (1, 2) or prompt.shape[-1] < 1:
            raise ValueError(
                f"prompt of shape {tuple(prompt.shape)}: must be [T] or [B, T], T >= 1"
            )
        rows = list(prompt) if prompt.dim() == 2 else [prompt]
    else:
        rows = _listed(prompt)
    if not rows:
        raise ValueError("prompt: must hold at least one row")
    if lengths is not None:
        counts = [int(n) for n in lengths]
        if len(counts) != len(rows):
            raise ValueError(f"lengths = {counts}: must be one for each of {len(rows)} rows")
        for row, n in zip(rows, counts, strict=True):
            if not 1 <= n <= len(row):
                raise ValueError(f"lengths = {counts}: must be >= 1 and at most {len(row)}")
        rows = [row[:n] for row, n in zip(rows, counts, strict=True)]
    for i, row in enumerate(rows):
        if row.dim() != 1 or not len(row):
            raise ValueError(f"prompt, row {i}: must be a row of at least one token id")
        if row.dtype.is_floating_point or row.dtype == torch.bool:
            raise ValueError(f"prompt, row {i}: is {row.dtype}; must be integers")
    return rows
