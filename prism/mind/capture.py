"""Capture: the state that a recurrent model has after reading a document, as a file to start from.

    capture    tokens of a document, read once in pieces -> state, whose size does not grow
    continue   generation whose first step reads the prompt from that state

A state is a value (:class:`prism.model.state.State`), so reading in pieces equals reading at once
(invariant I3) and a file of it stands for the document in every later run of the same weights. What
a model makes of it is what it learned: a state is no ledger, and proves nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prism import whole_file
from prism.command import quoted
from prism.model.generation.decode import Step, model_step
from prism.model.generation.sampling import Sampling
from prism.model.generation.text import GREEDY, Spelling, stream_text
from prism.model.state import State
from prism.record import weights_hash

Said = tuple[int, dict[str, Any], list[str]]  # exit code, the JSON object, the lines
Loader = Callable[[str, str | None], tuple[Any, Any]]  # a model and its tokenizer
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


def arguments(deeds: Any) -> None:
    """Add the deeds of ``prism.kb`` on a state to its command line."""
    read = deeds.add_parser("capture", help="save the state of a model that has read a document")
    read.add_argument("file", type=Path, metavar="DOCUMENT", help="text in UTF-8")
    read.add_argument("--out", type=Path, required=True, metavar="STATE")
    more = deeds.add_parser("continue", help="generate from a captured state")
    more.add_argument("state", type=Path, metavar="STATE")
    more.add_argument("--prompt", required=True, metavar="TEXT", help="read after the document")
    more.add_argument("--max-new-tokens", type=int, default=32, metavar="N")
    for deed in (read, more):
        deed.add_argument("--checkpoint", required=True, metavar="RUN", help="a saved model or run")
        deed.add_argument("--tokenizer", metavar="FILE", help="bytes or a tokenizer.json")


def _capture(args: argparse.Namespace, loader: Loader) -> Said:
    text = args.file.read_text("utf-8")
    model, tokenizer = loader(args.checkpoint, args.tokenizer)
    captured = capture(model, tokenizer, text)
    save(captured, args.out, model, str(args.file))
    said = {"tokens": captured.tokens, "bytes": captured.state.nbytes, "state": str(args.out)}
    line = f"{quoted(str(args.out))}: {captured.tokens:,} tokens as {captured.state.nbytes:,} bytes"
    return 0, said, [line]


def _continue(args: argparse.Namespace, loader: Loader) -> Said:
    model, tokenizer = loader(args.checkpoint, args.tokenizer)
    state = load(args.state, model)
    pieces = continued(model, tokenizer, state, args.prompt, args.max_new_tokens, GREEDY)
    text = "".join(pieces)
    return 0, {"prompt": args.prompt, "text": text}, [args.prompt + text]


STATES: dict[str, Callable[[argparse.Namespace, Loader], Said]] = {
    "capture": _capture,
    "continue": _continue,
}
