"""Ask a model in words: greedy, one call per token, the prefix read once and never again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from prism.model.generate import model_step, stream
from prism.model.holo_read import FactReader
from prism.model.prism import Prism
from tasks.retrieval import STOP

LONGEST = 6  # tokens of an answer, its full stop included


@dataclass(frozen=True)
class Reply:
    """Tokens up to the full stop, which is left out; how many of them, the stop included, came
    from the tape; whether the full stop came at all."""

    tokens: tuple[int, ...]
    from_tape: int
    stopped: bool


def ask(model: Prism, prompts: Sequence[Sequence[int]], tape: FactReader | None) -> list[Reply]:
    """The replies to ``prompts``, lists of token ids. Prompts of one length are read as a batch."""
    model.eval()
    replies: dict[int, Reply] = {}
    for length in {len(prompt) for prompt in prompts}:
        where = [i for i, prompt in enumerate(prompts) if len(prompt) == length]
        rows = torch.tensor([list(prompts[i]) for i in where])
        replies |= zip(where, _ask(model, rows, tape), strict=True)
    return [replies[i] for i in range(len(prompts))]


def _ask(model: Prism, rows: torch.Tensor, tape: FactReader | None) -> list[Reply]:
    step = model_step(model, facts=tape)
    drawn = [
        (tokens, output.holo.fired[:, -1])
        for tokens, output in stream(step, rows, LONGEST, temperature=0)
    ]
    tokens, fired = (torch.stack(column, 1) for column in zip(*drawn, strict=True))
    found = []
    for said, told in zip(tokens.tolist(), fired, strict=True):
        end = said.index(STOP) if STOP in said else LONGEST
        found.append(Reply(tuple(said[:end]), int(told[: end + 1].sum()), end < LONGEST))
    return found
