"""``python -m benchmarks.released``: train the model that comes with the package, and baselines.

PRISM, a Transformer and Mamba-2 of one size (4.6M parameters) read the same tokens of the kernel's
and Python's documentation in the same order. The rate of each is searched on short runs until both
neighbours are worse on held-out text; then each makes one long run. Scored are held-out documents
that no choice has seen, by source, with the state carried through a document and in pieces of 512
tokens, and so is a trigram counted on the tokens of the long run. PRISM's weights are written as
one file, matrices in bf16, and what is in that file is scored as well; ``--publish`` puts it into
the package as ``prism-small``.

Everything lies in ``--work``: an interrupted command goes on where it stopped. It reads
``text/usr/share/doc/`` there, as ``make model`` unpacks it from two packages of Debian.
"""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import prism
from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.real_text.documents import HeldOutText, documents, score, trigram
from benchmarks.real_text.runs import row_of, samples, scores, train
from prism import whole_file
from prism.compare.protocol import Recipe
from prism.compare.search import neighbours
from prism.data import Tokenizer, open_tokenizer, parse_mix
from prism.engine.store.export import export
from prism.loading import FOLDER
from prism.tokenizer import main as tokenizer_main

PROGRAM = "benchmarks.released"
NAME = "prism-small"
LARGEST = 12_000_000  # bytes of the file
MODELS = ("prism", "transformer-strong", "ssm-mlp-strong")
SOURCES = {"linux": "linux-doc-6.1/Documentation", "python": "python3.11"}
PROMPTS = (
    "The kernel",
    "This module provides",
    "If the file does not exist,",
    "To build the driver, you need",
    "Returns a list of",
    ".. function:: open(",
)
DRAWN = {"temperature": 0.7, "top_p": 0.9}
START, WARM_UP = 0.016, 0.1
FULL: dict[str, Any] = {
    "vocabulary": 4096,
    "steps": 2600,
    "sweep": 120,  # steps of a search run
    "documents": 131_072,  # tokens of the documents that are scored
    "sample": 100,
    "flags": {
        "--preset": "tiny",
        "--set": "d_model=256 num_layers=5",
        "--seq-len": "512",
        "--global-batch-size": "4",
        "--eval-tokens": "65536",
    },
    "long": {"--eval-every": "500", "--save-every": "250", "--log-every": "20"},
}
QUICK = FULL | {
    "vocabulary": 300,
    "steps": 4,
    "sweep": 2,
    "documents": 512,
    "sample": 8,
    "flags": FULL["flags"]
    | {"--set": "d_model=32 num_layers=2 num_rates=4", "--seq-len": "64"}
    | {"--global-batch-size": "2", "--eval-tokens": "128"},
    "long": {"--eval-every": "2", "--save-every": "2", "--log-every": "1"},
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--work", type=Path, default=Path("runs/model"), metavar="DIR")
    p.add_argument("--models", default=",".join(MODELS), metavar="A,B", help="default %(default)s")
    p.add_argument("--steps", type=int, help=f"of the long runs; default {FULL['steps']}")
    p.add_argument("--publish", action="store_true", help=f"put the file into the package: {NAME}")
    args, given = parse(p, argv, counts=("steps",), check=_check)
    plan = QUICK if args.quick else FULL
    plan = plan | {"steps": args.steps or plan["steps"], "models": args.models.split(",")}
    content = {"meta": provenance(PROGRAM, given, args.quick)} | measure(args.work, plan)
    write_json(args.out, content)
    if args.publish:
        FOLDER.mkdir(exist_ok=True)
        shutil.copyfile(args.work / f"{NAME}.safetensors", FOLDER / f"{NAME}.safetensors")
    for row in content["runs"]:
        print(f"{row['model']}: {row['held_out'][-1]['bits_per_byte']:.3f} bits per byte held out")
    return 0


def _check(args: Namespace) -> None:
    """Nothing if the text is there and the models are known."""
    unknown = [name for name in args.models.split(",") if name not in MODELS]
    if unknown:
        raise ValueError(f"--models {unknown[0]!r}: must be some of {','.join(MODELS)}")
    for folder in SOURCES.values():
        where = args.work / "text/usr/share/doc" / folder
        if not where.is_dir():
            raise ValueError(f"{where}: no documentation there; must be made by: make model")
    if args.publish and "prism" not in args.models.split(","):
        raise ValueError(f"--publish --models {args.models}: must have prism among them")


def measure(work: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The searches, the long runs, the scores, the file; see the module."""
    data, tokens = _mix(work), work / "tokenizer.json"
    if not tokens.exists():
        size = str(plan["vocabulary"])
        if tokenizer_main(["train", data, "--vocab-size", size, "--out", str(tokens)]) != 0:
            raise ValueError(f"{work}: no tokenizer could be trained on its text")
    tokenizer, mix = open_tokenizer(str(tokens)), parse_mix(data)
    flags = {**plan["flags"], "--data": data, "--tokenizer": str(tokens)}
    texts = documents(mix, tokenizer, int(flags["--eval-tokens"]), plan["documents"])
    length, rows = int(flags["--seq-len"]), int(flags["--global-batch-size"])
    content: dict[str, Any] = {"settings": _shown(plan), "sweep": [], "runs": []}
    content["documents"] = [
        {"source": t.source, "tokens": len(t.tokens), "bytes": t.bytes} for t in texts
    ]
    for model in plan["models"]:
        measured = search(work, model, plan["sweep"], flags)
        content["sweep"] += [
            {"model": model, "lr": lr, "loss": loss} for lr, loss in sorted(measured.items())
        ]
        best = Recipe(min(measured, key=lambda lr: measured[lr]), WARM_UP)
        where = work / f"run-{model}"
        records = train(where, model, best, plan["steps"], 0, flags | plan["long"])
        row = row_of(model, best, 0, where, records)
        row |= {"samples": samples(where, tokenizer, PROMPTS, plan["sample"], **DRAWN)}
        content["runs"].append(row | {"documents": scores(where, texts, length, rows)})
    content["trigram"] = trigram(
        mix, tokenizer, texts, steps=plan["steps"], rows=rows, length=length
    )
    if "prism" in plan["models"]:
        content["file"] = _file(work, tokenizer, texts, length, rows)
    return content


def search(work: Path, model: str, steps: int, flags: Mapping[str, str]) -> dict[float, float]:
    """Held-out loss by rate: both neighbours of the best one are worse."""
    measured: dict[float, float] = {}
    wanted = [START]
    while wanted:
        for lr in wanted:
            where = work / f"sweep-{model}-{lr:g}"
            last = {"--eval-every": "0", "--save-every": str(steps)}
            records = train(where, model, Recipe(lr, WARM_UP), steps, 0, flags | last)
            measured[lr] = [r for r in records if "held_out_loss" in r][-1]["held_out_loss"]
        best = Recipe(min(measured, key=lambda lr: measured[lr]), WARM_UP)
        wanted = [r.lr for r in neighbours(best, "lr") if r.lr not in measured]
    return measured


def _mix(work: Path) -> str:
    """The mix of both kinds of documentation in equal shares, as ``--data`` takes it."""
    sources = [
        {"kind": "folder", "path": f"text/usr/share/doc/{folder}", "name": name}
        for name, folder in SOURCES.items()
    ]
    file = work / "mix.json"
    whole_file.write(file, json.dumps({"held_out": 0.02, "sources": sources}, indent=2) + "\n")
    return f"mix:{file}"


def _shown(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vocabulary": plan["vocabulary"],
        **plan["flags"],
        "--steps": plan["steps"],
        "--warmup": WARM_UP,
        "sweep steps": plan["sweep"],
        "drawn": DRAWN,
    }


def _file(
    work: Path, tokenizer: Tokenizer, texts: Sequence[HeldOutText], length: int, rows: int
) -> dict[str, Any]:
    """PRISM's run as one file: its size, and the scores of what is read back from it."""
    file = work / f"{NAME}.safetensors"
    export(work / "run-prism", file, half=True)
    size = file.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{file}: {size:,} bytes: must be at most {LARGEST:,}")
    model = prism.load(file)
    return {"bytes": size, "carried": score(model, texts, length, rows, carry=True)}


if __name__ == "__main__":
    sys.exit(main())
