"""Runs of ``python -m prism.run_scale`` that a benchmark asks for: made or gone on with where they
stopped, read back, scored and kept as rows of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import prism
from benchmarks.real_text.documents import HeldOutText, score
from prism import whole_file
from prism.compare.protocol import Recipe
from prism.data import Tokenizer, parse_mix
from prism.engine.logs.log import read
from prism.engine.store import folder

SAMPLE = 60  # tokens


def train(
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


def samples(
    where: Path, tokenizer: Tokenizer, prompts: Sequence[str], length: int = SAMPLE, **rules: Any
) -> list[dict[str, Any]]:
    """What the model of a run writes after each prompt: ``length`` tokens, drawn by ``rules``."""
    trained, found = prism.load(where), []
    for prompt in prompts:
        start = torch.tensor(tokenizer.encode(prompt))
        tokens = trained.generate(start, length, **({"temperature": 0.7, "seed": 0} | rules))
        text = tokenizer.decode(tokens.tolist()).removeprefix(prompt)
        found.append({"prompt": prompt, "text": text})
    return found


def row_of(
    model: str, recipe: Recipe, seed: int, where: Path, records: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A long run as it is kept: its curves and its cost."""
    logged = [r for r in records if "loss" in r]
    held = [r for r in records if "held_out_loss" in r]
    return {
        "model": model,
        **recipe._asdict(),
        "seed": seed,
        "parameters": prism.load(where).num_parameters(),
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
    }


def sources(data: str) -> list[dict[str, Any]]:
    """The sources by the name of their last folder, with their share, for the record.

    Raises:
        ValueError: the mix cannot be read.
    """
    mix = parse_mix(data)
    total = sum(w.weight for w in mix.sources)
    names = [w.source.name.partition(":")[2] or w.source.name for w in mix.sources]
    shares = [w.weight / total for w in mix.sources]
    return [{"name": Path(n).name, "share": s} for n, s in zip(names, shares, strict=True)]


def scores(
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
