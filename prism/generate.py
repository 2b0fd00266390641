"""``python -m prism.generate``: continue a text, and mark what a tape put into it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from rich.text import Text
from torch import Tensor

from prism.command import STOPPED, Parser, command, given, output, plain, say, say_json
from prism.command import write as put
from prism.data.tokens import Tokenizer
from prism.holo import HoloTape
from prism.inject import AttachedLM, Injection, attach
from prism.inject.probes import calibration_text
from prism.loading import load_with_tokenizer
from prism.model.generation.decode import Step, model_step
from prism.model.generation.sampling import RANGES, SEEDS, Sampling
from prism.model.generation.sampling import check as check_range
from prism.model.generation.text import stream_text
from prism.model.protocol import LanguageModel
from prism.pretrained.smollm2 import load_smollm2
from prism.whole_file import reason

SHOWN = 10  # skipped facts that are printed one by one
MARK = "bold green"
DRAWS = ("top_k", "top_p", "min_p")  # without effect on the likeliest token
Pieces = Iterator[tuple[str, Injection | None]]
EXAMPLES = """\
examples:
  python -m prism.generate --checkpoint runs/model --prompt "The bus" --temperature 0.8 \\
      --top-p 0.95 --repetition-penalty 1.1 --stop "." --num-samples 3
  python -m prism.generate --checkpoint smollm2 --tape facts.safetensors --explain \\
      --prompt "The capital of Freedonia is"
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog="python -m prism.generate",
        description=__doc__,
        epilog=EXAMPLES,
    )
    where = "a saved model, a run, one of its checkpoints or an export"
    p.add_argument("--checkpoint", type=given, required=True, metavar="PATH|smollm2", help=where)
    p.add_argument(
        "--tokenizer", type=given, metavar="FILE", help="bytes or a tokenizer.json; default its own"
    )
    p.add_argument("--prompt", required=True, help="the text to continue")
    p.add_argument("--tape", type=Path, help="facts, as prism.ingest makes them")
    p.add_argument("--max-new-tokens", type=int, default=32, metavar="N")
    p.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end before it; repeatable"
    )
    p.add_argument("--temperature", type=float, default=0.0, help="0: always the likeliest token")
    p.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest tokens only")
    p.add_argument(
        "--top-p", type=float, metavar="P", help="from the likeliest whose probabilities sum to P"
    )
    p.add_argument(
        "--min-p", type=float, metavar="P", help="from those P times as probable as the likeliest"
    )
    p.add_argument(
        "--repetition-penalty",
        type=float,
        default=1.0,
        metavar="X",
        help="above 1: what was said becomes less likely",
    )
    p.add_argument("--seed", type=int, default=0, help="of the draw, where temperature is above 0")
    p.add_argument(
        "--num-samples", type=int, default=1, metavar="N", help="continuations; the i-th: seed + i"
    )
    p.add_argument("--explain", action="store_true", help="say which fact put which token there")
    p.add_argument(
        "--json", action="store_true", help="one JSON object instead of text as it comes"
    )
    p.add_argument(
        "--cache",
        type=Path,
        default=Path("runs/calibration"),
        metavar="DIR",
        help="keeps the calibration of a model, a minute's work; default %(default)s",
    )
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    skipped: list[dict[str, str]] = []
    try:
        check(args)
        tape = None if args.tape is None else HoloTape.load(args.tape)
        if args.checkpoint == "smollm2":
            model, tokenizer = load_smollm2()
        else:
            model, tokenizer = load_with_tokenizer(args.checkpoint, args.tokenizer)
        if tape is None:
            speak = partial(bare_pieces, reading_once(model_step(model)), tokenizer)
        else:
            lm = taught(model, tokenizer, tape, args)
            speak = lm.stream
            if args.json:
                skipped = [{"key": str(fact.key), "why": fact.why} for fact in lm.skipped]
        injections, samples = [], []
        for seed in range(args.seed, args.seed + args.num_samples):
            pieces = speak(seed=seed, **rules(args))
            if args.json:
                samples.append({"seed": seed} | sample(pieces, tokenizer))
                continue
            if args.num_samples > 1:
                between = "\n" if seed > args.seed else ""
                number = seed - args.seed + 1
                say(f"{between}sample {number} of {args.num_samples}, seed {seed}:")
            injections += write(args.prompt, pieces)
    except KeyboardInterrupt:
        say("")
        return STOPPED
    except BrokenPipeError:
        raise  # of the output, which is no fault of the arguments
    except (ValueError, OverflowError, OSError, ImportError) as error:
        p.error(reason(error))
    if args.json:
        say_json({"prompt": args.prompt, "samples": samples, "skipped": skipped})
    for injection in injections if args.explain else []:
        say(injection.describe(tokenizer))
    return 0


def check(args: argparse.Namespace) -> None:
    """Raises:
    ValueError: a number out of range, an empty prompt, or a flag that would change nothing."""
    if not args.prompt:
        raise ValueError("--prompt '': must not be empty")
    for name in RANGES:
        check_range(name, getattr(args, name), f"{flag(name)} ")
    if args.temperature == 0:
        for name in DRAWS:
            if getattr(args, name) is not None:
                raise ValueError(f"{flag(name)}: needs a --temperature above 0")
        if args.num_samples > 1:
            raise ValueError("--num-samples: needs a --temperature above 0, or all are the same")
    if args.num_samples < 1:
        raise ValueError(f"--num-samples {args.num_samples}: must be >= 1")
    if not 0 <= args.seed <= SEEDS - args.num_samples:
        raise ValueError(f"--seed {args.seed}: must be >= 0 and below 2**63")
    if "" in args.stop:
        raise ValueError("--stop '': must not be empty")
    if args.explain and args.json:
        raise ValueError("--explain: --json says it already")
    if args.explain and args.tape is None:
        raise ValueError("--explain: needs a --tape")
    if args.cache.exists() and not args.cache.is_dir():
        raise ValueError(f"--cache {args.cache}: is not a folder")
    if args.checkpoint == "smollm2" and args.tokenizer is not None:
        raise ValueError("--tokenizer: smollm2 has its own")


def taught(
    model: LanguageModel,
    tokenizer: Tokenizer,
    tape: HoloTape,
    args: argparse.Namespace,
) -> AttachedLM:
    """The model with the facts of ``tape``; those it cannot be given are listed on stderr.

    Raises:
        ValueError: it can be given none.
    """
    lm = attach(model, tokenizer, tape)
    skipped = lm.skipped
    for fact in skipped[:SHOWN]:
        say(f"skipped: {fact.key!r}: {fact.why}", "stderr")
    if len(skipped) > SHOWN:
        say(f"skipped: {len(skipped) - SHOWN:,} more", "stderr")
    if len(skipped) == len(tape):
        raise ValueError(f"--tape {args.tape}: holds no fact that can be given to a model")
    known = args.cache if args.cache.is_dir() else f"{args.cache}, made now: a minute or two"
    say(f"calibration of the model: {known}", "stderr")
    lm.calibrate(calibration_text(), cache=args.cache)
    return lm


def flag(name: str) -> str:
    """Spelling of an argument on the command line."""
    return "--" + name.replace("_", "-")


def rules(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of the two ways to speak, but for the seed."""
    return {"prompt": args.prompt, "stop": args.stop} | {x: getattr(args, x) for x in RANGES}


def reading_once(step: Step) -> Step:
    """``step``, which reads the prompt, a call without a state, for all samples at once."""
    prompt = cache(lambda tokens: step(torch.tensor([tokens]), None))

    def reading(tokens: Tensor, state: Any) -> tuple[Tensor, Any, Any]:
        return prompt(tuple(tokens[0].tolist())) if state is None else step(tokens, state)

    return reading


def bare_pieces(
    step: Step,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int,
    seed: int,
    stop: Sequence[str],
    **sampling: Any,
) -> Pieces:
    """The continuation without a tape."""
    how = (max_new_tokens, Sampling(**sampling), seed, stop)
    for text, _, _ in stream_text(step, tokenizer, prompt, *how):
        yield text, None


def write(prompt: str, pieces: Pieces) -> list[Injection]:
    """Print the prompt and its continuation as it comes; the injections in it."""
    console, injections, marked = output(), [], False
    opens, closes = ("", "") if console.is_terminal else ("[", "]")
    put(prompt, console.file)
    for text, injection in pieces:
        starts = injection is not None and (not marked or injection.place == 0)
        put(closes if marked and (starts or injection is None) else "", console.file)
        put(opens if starts else "", console.file)
        marked = injection is not None
        if injection is not None:
            injections.append(injection)
        if injection is not None and console.is_terminal:
            console.print(Text(plain(text, keep="\n\t"), MARK), end="", soft_wrap=True)
        else:
            put(text, console.file)
    put(closes + "\n" if marked else "\n", console.file)
    return injections


def sample(pieces: Pieces, tokenizer: Tokenizer) -> dict[str, Any]:
    """A continuation as JSON values: its text, and the facts in it, token by token."""
    said, facts = "", []
    for text, injection in pieces:
        said += text
        if injection is not None:
            token = tokenizer.piece(injection.token).decode("utf-8", "replace")
            facts.append(vars(injection) | {"text": token})
    return {"text": said, "facts": facts}


if __name__ == "__main__":
    sys.exit(main())
