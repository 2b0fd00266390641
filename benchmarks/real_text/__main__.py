"""``python -m benchmarks.real_text``: PRISM and its baselines on real English, in the same trainer.

Every model gets its own learning rate first (short runs over the whole schedule, doubling or
halving the rate until the held-out loss rises again), then one long run at that rate: equal
parameters, equal tokens, the same rows in the same order, held-out bits per byte along the way, a
sample at the end. Each run is a call of ``python -m prism.run_scale``; an interrupted benchmark
started again with the same ``--work`` goes on where it stopped. The text is any mix of the trainer
(``prism/data/mix.py`` says how to get 36 MB of English from packages).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import prism
from benchmarks.page.command import parse, parser, provenance, write_json
from benchmarks.real_text.plot import text_figure
from prism.data import Tokenizer, open_tokenizer, parse_mix
from prism.engine.logs.log import read
from prism.engine.store import folder
from prism.tokenizer import main as tokenizer_main

PROGRAM = "benchmarks.real_text"
MODELS = ("prism", "transformer", "ssm", "gdn")
RATES = (2e-3, 4e-3)  # the search begins with these
EXTREMES = (2.5e-4, 3.2e-2)  # and goes no further than these
PROMPTS = ("The function returns", "If the kernel")
SAMPLE = 60  # tokens
WARM_UP = 0.02  # of the steps of the long runs
FULL: dict[str, Any] = {
    "vocabulary": 4096,
    "steps": 900,
    "sweep_steps": 100,
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
    "sweep_steps": 2,
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
    args, given = parse(p, argv, counts=("steps",), check=lambda args: _sources(args.data))
    plan: dict[str, Any] = QUICK if args.quick else FULL
    plan = plan | {"steps": args.steps or plan["steps"]}
    content = {"meta": provenance(PROGRAM, _without_folders(given), args.quick)}
    content["text"] = _sources(args.data)
    content |= measure(args.data, args.work, plan)
    write_json(args.out, content, text_figure)
    for row in content["runs"]:
        print(f"{row['model']}: {row['held_out'][-1]['bits_per_byte']:.3f} bits per byte")
    return 0


def measure(data: str, work: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The sweep, then the long runs; see the module."""
    tokens = work / "tokenizer.json"
    if not tokens.exists():
        work.mkdir(parents=True, exist_ok=True)
        size = str(plan["vocabulary"])
        if tokenizer_main(["train", data, "--vocab-size", size, "--out", str(tokens)]) != 0:
            raise ValueError(f"--data {data}: no tokenizer could be trained on it")
    flags = {**plan["flags"], "--data": data, "--tokenizer": str(tokens), "--log-every": "10"}
    flags |= {"--warmup": f"{WARM_UP:g}"}
    sweep, rates, runs = [], {}, []
    for model in MODELS:
        losses = _search(work, model, plan, flags)
        rates[model] = min(losses, key=lambda rate: losses[rate])
        sweep += [{"model": model, "lr": r, "held_out_loss": x} for r, x in sorted(losses.items())]
    for model in MODELS:
        where = work / f"run-{model}"
        records = _train(where, model, rates[model], plan["steps"], flags)
        runs.append(_row(model, rates[model], where, records, open_tokenizer(str(tokens))))
    shown = {"vocabulary": plan["vocabulary"], **plan["flags"]}
    shown |= {"--steps": plan["steps"], "sweep steps": plan["sweep_steps"]}
    return {"settings": shown, "sweep": sweep, "runs": runs}


def _search(
    work: Path, model: str, plan: Mapping[str, Any], flags: Mapping[str, str]
) -> dict[float, float]:
    """Held-out loss by rate: the best one has a worse one on either side, or is extreme."""
    steps = int(plan["sweep_steps"])
    # as many steps of warm-up as the long run has: a share of the short one would be too few
    warm = flags | {"--warmup": f"{min(1.0, WARM_UP * plan['steps'] / steps):g}"}
    losses: dict[float, float] = {}

    def measure_at(rate: float) -> None:
        records = _train(work / f"sweep-{model}-{rate:g}", model, rate, steps, warm)
        losses[rate] = records[-1]["held_out_loss"]

    for rate in RATES:
        measure_at(rate)
    while True:
        best = min(losses, key=lambda rate: losses[rate])
        further = 2 * best if best == max(losses) else best / 2 if best == min(losses) else None
        if further is None or not EXTREMES[0] <= further <= EXTREMES[1]:
            return losses
        measure_at(further)


def _train(
    where: Path, model: str, rate: float, steps: int, flags: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The records of a run, made or finished where that is still to do."""
    done = folder.complete(where)
    if not (done and done[-1].name == f"step-{steps:08d}"):
        command = [sys.executable, "-m", "prism.run_scale"]
        if done:
            command += ["--resume", str(where)]
        else:
            command += ["--model", model, "--lr", f"{rate:g}", "--steps", str(steps)]
            command += ["--out-dir", str(where)]
            for flag, value in flags.items():
                command += [flag, *value.split(" ")] if flag == "--set" else [flag, value]
        subprocess.run(command, check=True)
    return read(where)


def _row(
    model: str, rate: float, where: Path, records: Sequence[dict[str, Any]], tokenizer: Tokenizer
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
        "lr": rate,
        "seed": 0,
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
