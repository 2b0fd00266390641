"""``python -m prism.generate``: continue a text, and mark what a tape put into it."""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.text import Text
from torch import Tensor, nn

from prism.command import STOPPED, Parser, output, reason
from prism.data.tokens import Tokenizer
from prism.holo import HoloTape
from prism.inject import attach
from prism.inject.knowledge import SLOT
from prism.inject.listener import Firing
from prism.inject.telling import LeftOut, register_for, tell
from prism.model.checkpoint import load
from prism.pretrained.smollm2 import load_smollm2
from prism.studies.facts.texts import calibration_text

SHOWN = 10  # facts left out that are printed one by one
MARK = "bold green"
BYTES = 256
EXAMPLES = """\
examples:
  python -m prism.generate --checkpoint runs/model --prompt "The bus" --temperature 0.8
  python -m prism.generate --checkpoint smollm2 --tape facts.safetensors --explain \\
      --prompt "The capital of Freedonia is"
"""

Step = tuple[Tensor, Any, list[Firing | None]]


class Reader(Protocol):
    """Reads ``tokens [T]`` of one sequence: logits ``[T, V]``, the state after, and the fact, if
    any, that spoke after each token."""

    def step(self, tokens: Tensor, state: Any = None) -> Step: ...


@dataclass(frozen=True)
class Bare:
    """A model without a tape, as a :class:`Reader`."""

    model: nn.Module

    @torch.no_grad()
    def step(self, tokens: Tensor, state: Any = None) -> Step:
        out = self.model(tokens[None], state=state)
        return out.logits[0], out.state, [None] * len(tokens)


class Bytes:
    """The tokenizer of models that read bytes; a 257th id, if there is one, ends the text."""

    def __init__(self, vocab_size: int) -> None:
        self.end = BYTES if vocab_size > BYTES else None

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8"))

    def decode(self, tokens: list[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        return bytes([token])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.generate",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--checkpoint", required=True, metavar="DIR|smollm2", help="a saved model")
    p.add_argument("--prompt", required=True, help="the text to continue")
    p.add_argument("--tape", type=Path, help="facts, as prism.ingest makes them")
    p.add_argument("--max-new-tokens", type=int, default=32, metavar="N")
    p.add_argument("--temperature", type=float, default=0.0, help="0: always the likeliest token")
    p.add_argument("--seed", type=int, default=0, help="of the draw, where temperature is above 0")
    p.add_argument("--explain", action="store_true", help="say which fact put which token there")
    p.add_argument(
        "--cache",
        type=Path,
        default=Path("runs/calibration"),
        metavar="DIR",
        help="keeps what was found out about a model, a minute's work; default %(default)s",
    )
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    errors = output("stderr")
    try:
        _check(args)
        tape = None if args.tape is None else HoloTape.load(args.tape)
        model, tokenizer = _open(args.checkpoint)
        reader = Bare(model) if tape is None else _taught(model, tokenizer, tape, args, errors)
        fired = _write(args, reader, tokenizer)
    except KeyboardInterrupt:
        print("", flush=True)
        return STOPPED
    except (ValueError, OverflowError, OSError, ImportError) as error:
        p.error(reason(error))
    for firing in fired if args.explain else []:
        print(_explained(firing, tokenizer))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raises:
    ValueError: a number out of range, an empty prompt, or a flag that would change nothing."""
    if not args.prompt:
        raise ValueError("--prompt '': must not be empty")
    if args.max_new_tokens < 0:
        raise ValueError(f"--max-new-tokens {args.max_new_tokens}: must be >= 0")
    if not 0 <= args.temperature < float("inf"):
        raise ValueError(f"--temperature {args.temperature:g}: must be a number >= 0")
    if not 0 <= args.seed < 2**63:
        raise ValueError(f"--seed {args.seed}: must be >= 0 and below 2**63")
    if args.explain and args.tape is None:
        raise ValueError("--explain: needs a --tape")
    if args.cache.exists() and not args.cache.is_dir():
        raise ValueError(f"--cache {args.cache}: is not a folder")


def _open(checkpoint: str) -> tuple[nn.Module, Tokenizer]:
    """The model in evaluation mode and its tokenizer.

    Raises:
        ValueError: not a saved model, or one whose tokens are no bytes.
        OSError: there is none.
        ImportError: SmolLM2 is not installed; says how.
    """
    if checkpoint == "smollm2":
        return load_smollm2()
    model = load(checkpoint)
    size = model.config.vocab_size
    if size not in (BYTES, BYTES + 1):
        allowed = f"{BYTES} (bytes) or {BYTES + 1} (and an end)"
        raise ValueError(f"--checkpoint {checkpoint}: vocab_size {size}: must be {allowed}")
    return model.eval(), Bytes(size)


def _taught(
    model: nn.Module,
    tokenizer: Tokenizer,
    tape: HoloTape,
    args: argparse.Namespace,
    errors: Console,
) -> Reader:
    """The model with the facts of ``tape``; what cannot be told is said on stderr.

    Raises:
        ValueError: no fact can be told.
    """
    lm = attach(model, tokenizer, register_for(tape.count, model.config.vocab_size))
    told, left = tell(tape, lm)
    _show_left(left, errors)
    if not told:
        raise ValueError(f"--tape {args.tape}: holds no fact that can be told to a model")
    known = args.cache if args.cache.is_dir() else f"{args.cache}, made now: a minute or two"
    errors.print(f"calibration of the model: {known}", markup=False, soft_wrap=True)
    lm.calibrate(calibration_text(), cache=args.cache)
    return lm


def _show_left(left: list[LeftOut], errors: Console) -> None:
    for fact in left[:SHOWN]:
        errors.print(f"not told: {fact.key!r}: {fact.why}", markup=False, soft_wrap=True)
    if len(left) > SHOWN:
        errors.print(f"not told: {len(left) - SHOWN:,} more", markup=False)


def stream(
    reader: Reader,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> Iterator[tuple[str, Firing | None]]:
    """Each new token's text, and the fact that put it there.

    The prompt is read once. A character that takes several tokens comes with its last one. Stops
    at the tokenizer's end of text, if it has one.
    """
    draw = torch.Generator().manual_seed(seed)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    tokens, state, end = tokenizer.encode(prompt), None, getattr(tokenizer, "end", None)
    for _ in range(max_new_tokens):
        logits, state, said = reader.step(torch.tensor(tokens), state)
        token = _choose(logits[-1].float(), temperature, draw)
        if token == end:
            break
        spoken = said[-1] is not None and said[-1].token == token
        yield decoder.decode(tokenizer.piece(token)), said[-1] if spoken else None
        tokens = [token]
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest, None


def _choose(logits: Tensor, temperature: float, draw: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    return int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=draw))


def _write(args: argparse.Namespace, reader: Reader, tokenizer: Tokenizer) -> list[Firing]:
    """Print the prompt and its continuation as it comes; the facts that spoke."""
    console, fired, marked = output(), [], False
    opens, closes = ("", "") if console.is_terminal else ("[", "]")
    how = (args.max_new_tokens, args.temperature, args.seed)
    console.file.write(args.prompt)
    for text, firing in stream(reader, tokenizer, args.prompt, *how):
        starts = firing is not None and (not marked or firing.place == 0)
        console.file.write(closes if marked and (starts or firing is None) else "")
        console.file.write(opens if starts else "")
        marked = firing is not None
        if firing is None:
            console.file.write(text)
        else:
            fired.append(firing)
            console.print(Text(text, MARK), end="", soft_wrap=True)
        console.file.flush()
    console.file.write(closes + "\n" if marked else "\n")
    return fired


def _explained(firing: Firing, tokenizer: Tokenizer) -> str:
    """One token of a fact, in a line."""
    piece = tokenizer.piece(firing.token).decode("utf-8", "replace")
    asked = f"{firing.relation} of {firing.subject}"
    if SLOT in firing.relation:
        asked = firing.relation.replace(SLOT, firing.subject)
    heard = f", read from {firing.name!r}" if firing.how == "typo" else ""
    source = "" if firing.source is None else f", source {firing.source}"
    return f"{piece!r}: {asked}{heard}, z {firing.z:.1f}{source}"


if __name__ == "__main__":
    sys.exit(main())
