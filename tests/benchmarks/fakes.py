"""Files of measurements as the benchmarks write them, made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.compare.fakes import job, run

META = {"profile": "full", "commit": "0123456789ab", "command": "python -m ...", "code": "abc"}
META |= {"torch": "2.13", "threads": 2, "cpus": 2, "cpu": "a processor"}
BASELINES = ("transformer", "ssm", "gdn")


def task_runs(
    task: str,
    ours: float,
    theirs: float,
    seeds: int = 5,
    steps: int = 400,
    train_length: int = 64,
    lengths: tuple[int, ...] = (64, 512),
    spread: float = 0.001,
) -> list[dict[str, Any]]:
    """PRISM at ``ours`` and the baselines at ``theirs``, at every length, seeds a bit apart."""
    runs = []
    for model in ("prism", *BASELINES):
        for seed in range(seeds):
            score = (ours if model == "prism" else theirs) + spread * (seed - seeds // 2)
            by_length = {str(length): score for length in lengths}
            found = run(job(task=task, model=model, seed=seed, steps=steps), val=score, test=score)
            found["test"]["by_length"] = by_length
            runs.append(found | {"train_length": train_length})
    return runs


def compare(*groups: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of a results.json."""
    return {"meta": META, "runs": [found for group in groups for found in group]}


def speed(ratio: float = 0.4) -> dict[str, Any]:
    """PRISM takes ``ratio`` of the Transformer's time at every length; all is linear."""
    steps = [
        {"model": model, "batch": batch, "length": length, "seconds": [], "median": 1e-5 * t}
        for batch, length in ((16, 64), (1, 2048), (1, 8192), (1, 16384))
        for model, t in (("prism", ratio * length), ("transformer", length))
    ]
    memory = [
        {"model": model, "length": length, "bytes": 1000 * length}
        for model in ("prism", "transformer")
        for length in (2048, 16384)
    ]
    decode = [
        {"model": "prism", "context": context, "seconds": [], "median": 0.001}
        for context in (1024, 65536)
    ]
    share = {"d_model": 256, "topk": 1, "tokens": 8192, "share": 0.4, "dense_seconds": 0.1}
    share |= {"sparse_seconds": 0.044, "cost": 1.1, "flops_cost": 1.0, "rows_per_choice": 1.0}
    return {
        "meta": META,
        "config": {"d_model": 256, "num_layers": 4, "vocab_size": 256},
        "parameters": {"prism": 1000, "transformer": 1001},
        "steps": steps,
        "memory": memory,
        "decode": decode,
        "neural_share": [share],
    }


def specialisation(won: float = 0.5, others: float = 0.1) -> dict[str, Any]:
    """One task, one kind, the same over all and over scored tokens."""
    row = {"kind": "memory", "wins": 0.5, "decisions": 100}
    row |= {"harm_won": won, "harm_others": others, "ratio": won / others if others > 0 else None}
    kinds = [{**row, "where": where} for where in ("all", "scored")]
    made = {"task": "mqar", "seed": 0, "steps": 400, "lr": 0.003, "metric": "accuracy"}
    return {"meta": META, "runs": [made | {"test": 0.99, "error": None, "kinds": kinds}]}


def write(folder: Path, **contents: dict[str, Any]) -> None:
    """``name=content`` as ``folder/benchmarks/results/name.json``."""
    results = folder / "benchmarks" / "results"
    results.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (results / f"{name}.json").write_text(json.dumps(content))
