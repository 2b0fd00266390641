"""Time of a training step and of a decoding step, models taking turns.

A step is forward, cross-entropy (also that of the symbolic machines' own answers, where a model
gives them) plus auxiliary loss, backward; no optimizer. In every round each model does one step, so
that whatever else the machine is doing falls on all of them alike; what is compared later is the
median over rounds. Decoding takes turns over context lengths too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.page.timing import in_turns
from prism.model.protocol import LanguageModel
from prism.recipe import own_loss

PIECE = 1024  # tokens per call while a long context is read


@dataclass(frozen=True)
class Shape:
    """A batch of ``batch`` sequences of ``length`` tokens, timed ``rounds`` times."""

    batch: int
    length: int
    rounds: int


def random_tokens(vocab_size: int, batch: int, length: int) -> Tensor:
    """``[batch, length]`` ids, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(vocab_size, (batch, length), generator=generator)


def training_step(model: LanguageModel, tokens: Tensor) -> None:
    """Forward and backward on ``tokens [B, T]``; gradients are added to what is there."""
    output = model(tokens)
    target = tokens.roll(-1, dims=1)

    def loss(logits: Tensor) -> Tensor:
        return functional.cross_entropy(logits.flatten(0, 1).float(), target.flatten())

    total = loss(output.logits) + output.aux_loss
    if output.own is not None:  # else no addition, which would be a kernel
        total = total + own_loss(output, loss)
    total.backward()


def step_times(
    models: Mapping[str, LanguageModel], shapes: Sequence[Shape], vocab_size: int
) -> list[dict[str, Any]]:
    """One row per shape and model: ``model, batch, length, median, seconds`` (of each round)."""
    rows = []
    for shape in shapes:
        tokens = random_tokens(vocab_size, shape.batch, shape.length)
        rivals = {name: partial(training_step, m.train(), tokens) for name, m in models.items()}
        seconds = in_turns(
            rivals, shape.rounds, prepare=lambda name: models[name].zero_grad(set_to_none=True)
        )
        rows += [
            {"model": name, "batch": shape.batch, "length": shape.length}
            | {"median": median(times), "seconds": times}
            for name, times in seconds.items()
        ]
    return rows


@torch.inference_mode()
def decode_times(
    model: LanguageModel, contexts: Sequence[int], rounds: int, vocab_size: int
) -> list[dict[str, Any]]:
    """One row per context: ``context, median, seconds`` of single-token steps after it.

    Args:
        contexts: tokens read before, ascending; read once, in pieces that carry the state.
        rounds: timed steps per context; each goes on from the step before.
    """
    model.eval()
    tokens = random_tokens(vocab_size, 1, contexts[-1])
    states: dict[int, Any] = {}
    state, done = None, 0
    for context in contexts:
        while done < context:
            end = min(done + PIECE, context)
            state = model(tokens[:, done:end], state=state).state
            done = end
        states[context] = state

    def step(context: int) -> None:
        states[context] = model(tokens[:, :1], state=states[context]).state

    seconds = in_turns({context: partial(step, context) for context in contexts}, rounds)
    return [
        {"context": context, "median": median(times), "seconds": times}
        for context, times in seconds.items()
    ]
