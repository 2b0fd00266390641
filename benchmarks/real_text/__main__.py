"""``python -m benchmarks.real_text``: PRISM and its baselines on real English, in the same trainer.

Every model and arm gets its own recipe first, at a third of the steps of the long runs: rate and
warm-up are searched until every neighbour is worse on held-out text, and dropout too with
``--dropout``, for a text that the long run reads more than once (the rule of
:mod:`prism.compare.search`, the same for all). Then long runs at that recipe, one for each seed:
equal parameters, equal tokens, the same rows in the same order. Every held-out document is then
scored with the state carried and not, and so is a trigram counted on the tokens of the first seed's
run (:mod:`benchmarks.real_text.documents`).

Each run is a call of ``python -m prism.run_scale`` into a folder of ``--work``; an interrupted
benchmark started again with the same ``--work`` goes on where it stopped. The text is any mix of
the trainer, one kind of text a file: benchmarks/README.md has a technical one and prose.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.real_text.documents import documents, trigram
from benchmarks.real_text.plot import text_figure
from benchmarks.real_text.runs import row_of, samples, scores, sources, train
from prism.baselines import MODELS as ALL_MODELS
from prism.compare.flags import FULL_MODELS
from prism.compare.protocol import SEARCH_SHARE, Recipe
from prism.compare.search import next_recipes
from prism.data import open_tokenizer, parse_mix
from prism.tokenizer import main as tokenizer_main

PROGRAM = "benchmarks.real_text"
SEEDS = 3
PROMPTS = ("The function returns", "If the kernel")
FULL: dict[str, Any] = {
    "vocabulary": 4096,
    "steps": 900,
    "documents": 262_144,  # tokens of the documents that are scored one by one
    "flags": {
        "--preset": "tiny",
        "--set": "d_model=192",
        "--seq-len": "512",
        "--global-batch-size": "8",
        "--eval-tokens": "131072",
        "--eval-every": "180",
        "--save-every": "100",
    },
}
QUICK = {
    "vocabulary": 300,
    "steps": 4,
    "documents": 512,
    "flags": FULL["flags"]
    | {"--set": "d_model=32 num_layers=2 num_rates=4", "--seq-len": "64"}
    | {
        "--global-batch-size": "2",
        "--eval-tokens": "128",
        "--eval-every": "2",
        "--save-every": "2",
    },
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    p = parser(PROGRAM, __doc__)
    p.add_argument("--data", default="pydoc", metavar="MIX", help="text to train on")
    p.add_argument("--work", type=Path, default=Path("runs/real_text"), help="folder of the runs")
    p.add_argument("--steps", type=int, help="of the long runs; default 900, quick 4")
    p.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"default {SEEDS}")
    default = ",".join(FULL_MODELS)
    p.add_argument("--models", default=default, metavar="A,B", help=f"default {default}")
    p.add_argument("--dropout", action="store_true", help="search it too: the text is read again")
    args, given = parse(p, argv, counts=("steps", "seeds"), check=_check)
    plan: dict[str, Any] = QUICK if args.quick else FULL
    plan = plan | {"steps": args.steps or plan["steps"], "dropout": args.dropout}
    plan |= {"models": tuple(dict.fromkeys(args.models.split(","))), "seeds": args.seeds}
    content = {"meta": provenance(PROGRAM, _without_folders(given), args.quick)}
    content["text"] = sources(args.data)
    content |= measure(args.data, args.work, plan)
    write_json(args.out, content, text_figure)
    for row in content["runs"]:
        bits = row["held_out"][-1]["bits_per_byte"]
        print(f"{row['model']}, seed {row['seed']}: {bits:.3f} bits per byte")
    return 0


def _check(args: Any) -> None:
    """Nothing if the mix can be read and the models exist."""
    sources(args.data)
    for name in args.models.split(","):
        if name not in ALL_MODELS:
            raise ValueError(f"--models {name!r}: must be one of {', '.join(ALL_MODELS)}")


def measure(data: str, work: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The searches, the long runs, the scores of documents; see the module."""
    tokens = work / "tokenizer.json"
    if not tokens.exists():
        work.mkdir(parents=True, exist_ok=True)
        size = str(plan["vocabulary"])
        if tokenizer_main(["train", data, "--vocab-size", size, "--out", str(tokens)]) != 0:
            raise ValueError(f"--data {data}: no tokenizer could be trained on it")
    tokenizer, mix = open_tokenizer(str(tokens)), parse_mix(data)
    flags = {**plan["flags"], "--data": data, "--tokenizer": str(tokens), "--log-every": "10"}
    texts = documents(mix, tokenizer, int(flags["--eval-tokens"]), plan["documents"])
    length, rows = int(flags["--seq-len"]), int(flags["--global-batch-size"])
    sweep, runs = [], []
    recipes = {}
    for model in plan["models"]:
        losses = _search(work, model, plan, flags)
        recipes[model] = min(losses, key=lambda recipe: losses[recipe])
        sweep += [
            {"model": model, **recipe._asdict(), "held_out_loss": loss}
            for recipe, loss in sorted(losses.items())
        ]
    for seed in range(plan["seeds"]):
        for model in plan["models"]:
            where = work / f"run-{model}-seed{seed}"
            records = train(where, model, recipes[model], plan["steps"], seed, flags)
            row = row_of(model, recipes[model], seed, where, records)
            row |= {"samples": samples(where, tokenizer, PROMPTS)}
            runs.append(row | {"documents": scores(where, texts, length, rows)})
    counted = trigram(mix, tokenizer, texts, steps=plan["steps"], rows=rows, length=length)
    shown = {"vocabulary": plan["vocabulary"], **plan["flags"]}
    shown |= {"--steps": plan["steps"], "sweep steps": _search_steps(plan)}
    shown |= {"dropout searched": plan["dropout"]}
    return {
        "settings": shown,
        "sweep": sweep,
        "runs": runs,
        "documents": [
            {"source": Path(t.source).name, "tokens": len(t.tokens), "bytes": t.bytes}
            for t in texts
        ],
        "trigram": counted,
    }


def _search_steps(plan: Mapping[str, Any]) -> int:
    return math.ceil(int(plan["steps"]) / SEARCH_SHARE)


def _search(
    work: Path, model: str, plan: Mapping[str, Any], flags: Mapping[str, str]
) -> dict[Recipe, float]:
    """Held-out loss by recipe: no neighbour of the best one is better."""
    measured: dict[Recipe, list[dict[str, Any]]] = {}
    while wanted := next_recipes(measured, bool(plan["dropout"])):
        for recipe in wanted:
            name = f"sweep-{model}-{recipe.lr:g}-{recipe.warm_up:g}-{recipe.dropout:g}"
            records = train(work / name, model, recipe, _search_steps(plan), 0, flags)
            last = [r for r in records if "held_out_loss" in r][-1]
            bits = {"bits_per_byte": last["held_out_bits_per_byte"], "loss": last["held_out_loss"]}
            measured[recipe] = [{"error": None, "metric": "bits_per_byte", "val": bits}]
    return {recipe: run["val"]["loss"] for recipe, (run,) in measured.items()}


def _without_folders(argv: Sequence[str]) -> list[str]:
    """The command line with ``MIX`` and ``DIR`` for what is a matter of the machine."""
    hidden = {"--data": "MIX", "--work": "DIR", "--out": "FILE"}
    shown = list(argv)
    for i in range(1, len(shown)):
        shown[i] = hidden.get(argv[i - 1], shown[i])
    return shown


if __name__ == "__main__":
    sys.exit(main())
