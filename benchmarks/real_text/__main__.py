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

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import prism
from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.real_text.documents import HeldOutText, documents, score, trigram
from benchmarks.real_text.plot import text_figure
from prism import whole_file
from prism.baselines import MODELS as ALL_MODELS
from prism.compare.flags import FULL_MODELS
from prism.compare.protocol import SEARCH_SHARE, Recipe
from prism.compare.search import next_recipes
from prism.data import Tokenizer, open_tokenizer, parse_mix
from prism.engine.logs.log import read
from prism.engine.store import folder
from prism.tokenizer import main as tokenizer_main

PROGRAM = "benchmarks.real_text"
SEEDS = 3
PROMPTS = ("The function returns", "If the kernel")
SAMPLE = 60  # tokens
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
    content["text"] = _sources(args.data)
    content |= measure(args.data, args.work, plan)
    write_json(args.out, content, text_figure)
    for row in content["runs"]:
        bits = row["held_out"][-1]["bits_per_byte"]
        print(f"{row['model']}, seed {row['seed']}: {bits:.3f} bits per byte")
    return 0


def _check(args: Any) -> None:
    """Nothing if the mix can be read and the models exist."""
    _sources(args.data)
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
            records = _train(where, model, recipes[model], plan["steps"], seed, flags)
            row = _row(model, recipes[model], seed, where, records, tokenizer)
            runs.append(row | {"documents": _scores(where, texts, length, rows)})
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


def _scores(
    where: Path, texts: Sequence[HeldOutText], length: int, rows: int
) -> dict[str, list[float]]:
    """Nats of every document, ``carried`` and ``alone``; kept beside the run."""
    path = where / "documents.json"
    sizes = [len(text.tokens) for text in texts]
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        if kept["tokens"] == sizes:
            return {name: kept[name] for name in ("carried", "alone")}
    model = prism.load(where)
    found = {
        name: score(model, texts, length, rows, carry)
        for name, carry in (("carried", True), ("alone", False))
    }
    whole_file.write(path, json.dumps(found | {"tokens": sizes}, allow_nan=False) + "\n")
    return found


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
            records = _train(work / name, model, recipe, _search_steps(plan), 0, flags)
            last = [r for r in records if "held_out_loss" in r][-1]
            bits = {"bits_per_byte": last["held_out_bits_per_byte"], "loss": last["held_out_loss"]}
            measured[recipe] = [{"error": None, "metric": "bits_per_byte", "val": bits}]
    return {recipe: run["val"]["loss"] for recipe, (run,) in measured.items()}


def _train(
    where: Path, model: str, recipe: Recipe, steps: int, seed: int, flags: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The records of a run, made or finished where that is still to do."""
    done = folder.complete(where)
    if not (done and done[-1].name == f"step-{steps:08d}"):
        command = [sys.executable, "-m", "prism.run_scale"]
        if done:
            command += ["--resume", str(where)]
        else:
            command += ["--model", model, "--lr", f"{recipe.lr:g}", "--steps", str(steps)]
            command += ["--warmup", f"{recipe.warm_up:g}", "--seed", str(seed)]
            command += ["--out-dir", str(where)]
            for flag, value in flags.items():
                command += [flag, *value.split(" ")] if flag == "--set" else [flag, value]
                if flag == "--set" and recipe.dropout:
                    command.append(f"dropout={recipe.dropout:g}")
        subprocess.run(command, check=True)
    return read(where)


def _row(
    model: str,
    recipe: Recipe,
    seed: int,
    where: Path,
    records: Sequence[dict[str, Any]],
    tokenizer: Tokenizer,
) -> dict[str, Any]:
    """A long run as it is kept: its curves, its cost, its samples."""
    trained, samples = prism.load(where), []
    for prompt in PROMPTS:
        start = torch.tensor(tokenizer.encode(prompt))
        tokens = trained.generate(start, SAMPLE, temperature=0.7, seed=0).tolist()
        text = tokenizer.decode(tokens).removeprefix(prompt)
        samples.append({"prompt": prompt, "text": text})
    logged = [r for r in records if "loss" in r]
    held = [r for r in records if "held_out_loss" in r]
    return {
        "model": model,
        **recipe._asdict(),
        "seed": seed,
        "parameters": trained.num_parameters(),
        "tokens": held[-1]["tokens"],
        "seconds": sum(r["seconds_per_step"] for r in logged) * logged[-1]["step"] / len(logged),
        "training": [{"step": r["step"], "bits_per_byte": r["bits_per_byte"]} for r in logged],
        "held_out": [
            {
                "step": r["step"],
                "tokens": r["tokens"],
                "loss": r["held_out_loss"],
                "bits_per_byte": r["held_out_bits_per_byte"],
            }
            for r in held
        ],
        "samples": samples,
    }


def _sources(data: str) -> list[dict[str, Any]]:
    """The sources by the name of their last folder, with their share, for the record.

    Raises:
        ValueError: the mix cannot be read.
    """
    mix = parse_mix(data)
    total = sum(w.weight for w in mix.sources)
    names = [w.source.name.partition(":")[2] or w.source.name for w in mix.sources]
    shares = [w.weight / total for w in mix.sources]
    return [{"name": Path(n).name, "share": s} for n, s in zip(names, shares, strict=True)]


def _without_folders(argv: Sequence[str]) -> list[str]:
    """The command line with ``MIX`` and ``DIR`` for what is a matter of the machine."""
    hidden = {"--data": "MIX", "--work": "DIR", "--out": "FILE"}
    shown = list(argv)
    for i in range(1, len(shown)):
        shown[i] = hidden.get(argv[i - 1], shown[i])
    return shown


if __name__ == "__main__":
    sys.exit(main())
