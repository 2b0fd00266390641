"""State of a model in the place where ``transformers`` keeps keys and values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class PrismCache:
    """Carried state of a batch, with the methods that ``generate`` calls on a cache.

    Attributes:
        state: what the model returned; None at the start.
        length: tokens read, padding included.
    """

    is_compileable = False
    is_linear = (False,)  # so that ``generate`` cuts a text to what is new

    def __init__(self, state: Any = None, length: int = 0) -> None:
        self.state = state
        self.length = length

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens read, padding included."""
        return self.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Let row i go on from what row ``beam_idx[i]`` was."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows ``indices``, in this order."""
        if self.state is not None:
            self.state = self.state.select(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Have every row ``repeats`` times in a row."""
        if self.state is not None:
            self.state = self.state.expand(repeats)

    def reset(self) -> None:
        """Forget everything."""
        self.state, self.length = None, 0


def segments_of(
    attention_mask: Tensor | None, position_ids: Tensor | None, length: int
) -> Tensor | None:
    """Segment ids ``[B, T]`` of the newest ``length`` tokens.

    Args:
        attention_mask: ``[B, S]``, S >= T, of all tokens so far; 0 = padding.
        position_ids: ``[B, T]`` that begin again at 0 in every document of a packed row, as
            ``DataCollatorWithFlattening`` makes them. Only read without a mask.

    Returns:
        -1 for padding; None where nothing is padding and no document begins inside a row.

    Raises:
        ValueError: a mask that is not ``[B, S]`` with S >= T.
    """
    if attention_mask is not None:
        if attention_mask.dim() != 2 or attention_mask.shape[1] < length:
            shape = list(attention_mask.shape)
            raise ValueError(f"attention_mask of shape {shape}: must be [B, S], S >= {length}")
        real = attention_mask[:, -length:] != 0
        return None if bool(real.all()) else real.long() - 1
    if position_ids is None or not bool((position_ids[:, 1:] == 0).any()):
        return None
    return (position_ids == 0).long().cumsum(dim=1)


def is_meta(module: torch.nn.Module) -> bool:
    """True if the parameters have no values yet."""
    return any(p.is_meta for p in module.parameters())
