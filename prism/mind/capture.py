"""Capture: the state that a recurrent model has after reading a document, as a file to start from.

    capture    tokens of a document, read once in pieces -> state, whose size does not grow
    continue   generation whose first step reads the prompt from that state

A state is a value (:class:`prism.model.state.State`), so reading in pieces equals reading at once
(invariant I3) and a file of it stands for the document in every later run of the same weights. What
a model makes of it is what it learned: a state is no ledger, and proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prism import whole_file
from prism.model.generation.decode import Step, model_step
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import Spelling, stream_text
from prism.model.state import State
from prism.record import weights_hash

PIECE = 512  # tokens of one call


@dataclass(frozen=True)
class Captured:
    """A document as a state; ``tokens``: how many were read."""

    state: Any
    tokens: int


@torch.no_grad()
def capture(model: nn.Module, tokenizer: Spelling, text: str) -> Captured:
    """Read a document.

    Args:
        model: a recurrent model, ``model(tokens [1, T], state=...)`` with ``.state``.
        tokenizer: its tokenizer.
        text: the document.

    Raises:
        ValueError: a text without a token, or a model whose state is no :class:`State`.
    """
    tokens = tokenizer.encode(text)
    if not tokens:
        raise ValueError("the document holds no token")
    state = None
    for first in range(0, len(tokens), PIECE):
        state = model(torch.tensor([tokens[first : first + PIECE]]), state=state).state
    if not isinstance(state, State):
        raise ValueError(f"a {type(model).__name__} carries no state that can be saved")
    return Captured(state, len(tokens))


def save(captured: Captured, path: Path, model: nn.Module, document: str) -> None:
    """Write the state, and beside it (``.json``) which weights and document it is of."""
    captured.state.save(path)
    note = {"document": document, "tokens": captured.tokens, "weights": _weights(model)}
    whole_file.write(note_of(path), json.dumps(note))


def load(path: Path, model: nn.Module) -> Any:
    """The state that :func:`save` wrote.

    Raises:
        FileNotFoundError: it or its note is not there.
        ValueError: no such file, or one of other weights than the model's.
    """
    state = State.load(path)
    try:
        note = json.loads(note_of(path).read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{note_of(path)}: is no note of a captured state") from error
    if note.get("weights") != _weights(model):
        raise ValueError(f"{path}: was captured with other weights than this model's")
    return state


def note_of(path: Path) -> Path:
    """The file that says what a captured state is of."""
    return path.with_name(f"{path.name}.json")


def continued(
    model: nn.Module,
    tokenizer: Spelling,
    state: Any,
    prompt: str,
    max_new_tokens: int,
    sampling: Sampling,
    seed: int = 0,
) -> Iterator[str]:
    """Text that follows a prompt, read after what the state has read."""
    step = _starting(model_step(model), state)
    for text, _, _ in stream_text(step, tokenizer, prompt, max_new_tokens, sampling, seed):
        yield text


def _starting(step: Step, start: Any) -> Step:
    """``step``, whose first call continues from ``start``."""

    def stepping(tokens: Tensor, state: Any, *rest: Any) -> tuple[Tensor, Any, Any]:
        return step(tokens, start if state is None else state, *rest)

    return stepping


def _weights(model: nn.Module) -> str:
    return weights_hash(dict(model.state_dict()))
