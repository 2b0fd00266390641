"""``python -m prism.probe dead``: a table of the tokens of a model that were never trained."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from prism.command import plain, say, say_json
from prism.data import open_tokenizer
from prism.data.bpe.characters import used_ids
from prism.data.bpe.train import as_data
from prism.data.mix import parse_mix
from prism.engine.store.export import load_trained, tokenizer_of
from prism.probe.detector import separation, suspicion
from prism.probe.readings.census import kinds

SMOLLM2 = "smollm2"
MATRICES = ("head", "embedding")


def add_dead(commands: Any) -> None:
    """Add the subcommand."""
    p = commands.add_parser("dead", help="tokens of a model that were never trained, with evidence")
    p.add_argument("model", metavar="MODEL", help="run, checkpoint, export, folder, or smollm2")
    p.add_argument("--tokenizer", metavar="FILE", help="default the one of the run")
    p.add_argument("--matrix", choices=MATRICES, default="head", help="default head")
    p.add_argument("--text", metavar="MIX", help="training text: says how well the dead are found")
    p.add_argument("--top", type=int, default=20, help="rows of the table; default 20")
    p.add_argument("--json", action="store_true", help="as JSON")
    p.set_defaults(run=_dead)


def _dead(args: argparse.Namespace) -> None:
    if args.top < 1:
        raise ValueError(f"--top {args.top}: must be >= 1")
    model, tokenizer = opened(args.model, args.tokenizer)
    part = getattr(model, args.matrix, model.embedding)  # SmolLM2's head is its embedding
    weights = part.weight
    kind = kinds(tokenizer)
    if len(kind) > len(weights):
        raise ValueError(f"--tokenizer: has {len(kind):,} ids; the model knows {len(weights):,}")
    kind += ["padding"] * (len(weights) - len(kind))  # rows above the tokenizer's ids
    reference = np.array([k != "plain" for k in kind])
    found = suspicion(weights, reference)
    pieces = [_shown(tokenizer, i) for i in range(len(weights))]
    report: dict[str, Any] = {"model": args.model, "ids": len(weights), "kinds": _counted(kind)}
    if args.text is not None:
        used = np.zeros(len(weights), bool)
        used[sorted(used_ids(tokenizer, parse_mix(as_data(args.text))))] = True
        report["truth"] = truth(found, used)
    report["table"] = found.table(pieces, kind, args.top)
    if args.json:
        say_json(report)
        return
    say(f"{args.model}: {report['ids']:,} ids, " + ", ".join(
        f"{n:,} {k}" for k, n in report["kinds"].items()))  # fmt: skip
    for name, value in report.get("truth", {}).items():
        say(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value:.4f}")
    say(f"{'id':>7} {'spread':>9} {'shared':>7} {'indicator':>10} {'place':>7} {'kind':>12}  piece")
    for row in report["table"]:
        say(f"{row['id']:>7} {row['spread']:>9.3f} {row['shared']:>7} {row['indicator']:>10.4f} "
            f"{row['indicator_place']:>7} {row['kind']:>12}  {row['piece']}")  # fmt: skip


def opened(name: str, tokenizer: str | None) -> tuple[Any, Any]:
    """The model of a name and its tokenizer.

    Raises:
        ValueError: there is none, or a package is missing.
    """
    if name == SMOLLM2:
        from prism.pretrained.smollm2 import load_smollm2

        try:
            model, core = load_smollm2()
        except ImportError as error:
            raise ValueError(str(error)) from error
        return model, Whole(core)
    try:
        model = load_trained(name)
    except FileNotFoundError as error:
        raise ValueError(f"{name}: no model there ({error})") from error
    if tokenizer is None:
        tokenizer = tokenizer_of(Path(name))[0]
    if tokenizer is None:
        raise ValueError(f"{name}: does not say its tokenizer; give --tokenizer")
    return model, open_tokenizer(tokenizer)


class Whole:
    """SmolLM2's tokenizer with what a census asks for."""

    def __init__(self, inner: Any) -> None:
        self.encode, self.piece = inner.encode, inner.piece
        self.vocab_size: int = inner.core.get_vocab_size()
        special = inner.core.get_added_tokens_decoder()
        names = [inner.core.id_to_token(i) for i in range(self.vocab_size)]
        marks = [i in special or (n.startswith("<|") and n.endswith("|>"))
                 for i, n in enumerate(names)]  # fmt: skip
        self.byte_lengths = np.array([0 if m else 1 for m in marks])
        self.end = inner.end


def truth(found: Any, used: np.ndarray) -> dict[str, Any]:
    """Figures of how well the scores tell ids that a text lacks, among those that could occur."""
    judged = ~found.reference
    dead = ~used[judged]
    report: dict[str, Any] = {"dead that could occur": int(dead.sum())}
    if 0 < dead.sum() < len(dead):
        report["found by score (ROC area)"] = separation(found.score[judged], dead)
        report["by the indicator (ROC area)"] = separation(found.indicator[judged], dead)
    return report


def _shown(tokenizer: Any, i: int) -> str:
    raw = tokenizer.piece(i) if i < tokenizer.vocab_size else b""
    try:
        return plain(repr(raw.decode()))
    except UnicodeDecodeError:
        return repr(raw)


def _counted(kind: list[str]) -> dict[str, int]:
    return {k: kind.count(k) for k in dict.fromkeys(kind)}
