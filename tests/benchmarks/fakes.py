"""Files of measurements as the benchmarks write them, and learners for the training methods."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from benchmarks.facts.criteria import AT_MOST
from benchmarks.levers.loop import Learner, start
from benchmarks.levers.text import VOCABULARY, config
from prism import Prism, PrismConfig
from prism.data import RowBatch
from prism.studies.facts.measures import FactsRow
from prism.studies.facts.report import BARS
from tests.compare.fakes import job, run

META = {"profile": "full", "commit": "0123456789ab", "command": "python -m ...", "code": "abc"}
META |= {"platform": "a machine", "torch": "2.13", "threads": 2, "cpus": 2, "cpu": "a processor"}
BASELINES = ("transformer", "ssm", "gdn")
MODELS = ("prism", *BASELINES)
RATES = (2e-3, 4e-3)
LENGTH = 16  # tokens per row of the training methods


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


def facts_tape(facts: int, seed: int, **values: float) -> dict[str, Any]:
    """A tape on which everything is as good as the criteria ask, but for ``values``."""
    shares = BARS[1000] | BARS[100] | {metric: high for metric, (high, _) in AT_MOST.items()}
    rows = [FactsRow(m, values.get(m, v), 40, f"how {m}") for m, v in (shares | values).items()]
    rows.append(FactsRow("written", 0.1, 20, "how", "no tape"))
    rows = [row.to_dict() for row in rows]
    return {"facts": facts, "seed": seed, "rows": rows, "parameters after": "abc"}


def facts(*runs: dict[str, Any], profile: str = "full") -> dict[str, Any]:
    """The content of a facts.json."""
    settings = {"model": "a model", "asked": 50, "text tokens": 8192, "parameters": "abc"}
    return {"meta": META | {"profile": profile, "settings": settings}, "runs": list(runs)}


def real_text() -> dict[str, Any]:
    """A record of four models, prism half a bit below the others."""
    runs = [
        {
            "model": model,
            "lr": RATES[0],
            "seed": 0,
            "parameters": 1000,
            "tokens": 64,
            "seconds": 120.0,
            "training": [{"step": 2, "bits_per_byte": 3.0}],
            "held_out": [
                {"step": s, "tokens": 32 * s, "loss": 2.0, "bits_per_byte": bits}
                for s, bits in ((1, 3.0), (2, 1.5 if model == "prism" else 2.0))
            ],
            "samples": [{"prompt": "If", "text": " a | b\n*c*"}],
        }
        for model in MODELS
    ]
    flags = {"--preset": "tiny", "--set": "d_model=32", "--steps": 2, "--seq-len": "16"}
    return {
        "meta": META,
        "text": [{"name": "manual", "share": 1.0}],
        "settings": flags | {"vocabulary": 300, "--global-batch-size": "1", "sweep steps": 1},
        "sweep": [{"model": m, "lr": r, "held_out_loss": 2.0} for m in MODELS for r in RATES],
        "runs": runs,
    }


def real_text_by_document(seeds: int = 2) -> dict[str, Any]:
    """A record with arms and documents: prism at 1.5 bits per byte, baselines at 2, the strong
    Transformer better than the plain one, a trigram between the two."""
    bits = {"prism": 1.5, "transformer": 2.0, "transformer-strong": 1.9, "gdn": 2.0}
    content, sizes = real_text(), [100, 200, 300, 400]
    content["settings"]["sweep steps"] = 1
    content["documents"] = [{"source": "manual", "tokens": n // 4, "bytes": n} for n in sizes]
    recipe = {"lr": 4e-3, "warm_up": 0.1, "dropout": 0.0}
    content["sweep"] = [{"model": m, **recipe, "held_out_loss": b} for m, b in bits.items()]
    content["trigram"] = [1.95 * math.log(2) * n for n in sizes]
    template = content["runs"][0]
    content["runs"] = [
        template
        | recipe
        | {"model": m, "seed": seed}
        | {"held_out": [template["held_out"][0] | {"bits_per_byte": b}] * 2}
        | {
            "documents": {
                "carried": [(b + 0.01 * seed) * math.log(2) * n for n in sizes],
                "alone": [(b + 0.1) * math.log(2) * n for n in sizes],
            }
        }
        for m, b in bits.items()
        for seed in range(seeds)
    ]
    return content


def trainer(*overheads: float) -> dict[str, Any]:
    """A trainer.json with these overheads."""
    sizes = [
        {"rows": 4, "length": 512, "parameters": 1000, "overhead": x}
        | {"interval": [x - 0.01, x + 0.01]}
        | {"cpu_seconds": {"bare": [0.2] * 3, "trainer": [0.2 * (1 + x)] * 3}}
        for x in overheads
    ]
    return {"meta": META, "bar": 0.03, "sizes": sizes}


def write(folder: Path, **contents: dict[str, Any]) -> None:
    """``name=content`` as ``folder/benchmarks/results/name.json``."""
    results = folder / "benchmarks" / "results"
    results.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (results / f"{name}.json").write_text(json.dumps(content))


def batch(step: int, rows: int = 3) -> RowBatch:
    """Text in which each byte names the next; a document ends in the middle of the first row."""
    g = torch.Generator().manual_seed(step)
    begin = torch.randint(256, (rows, 1), generator=g)
    text = (begin + 3 * torch.arange(LENGTH + 1)) % 256
    tokens, targets = text[:, :-1].clone(), text[:, 1:].clone()
    segments = torch.zeros_like(tokens)
    targets[0, LENGTH // 2] = -100
    tokens[0, LENGTH // 2] = targets[0, LENGTH // 2 - 1] = VOCABULARY - 1
    segments[0, LENGTH // 2 + 1 :] = 1
    return RowBatch(tokens, targets, segments, ["text"] * rows, torch.full((rows,), LENGTH))


def learner(d_model: int = 16, layers: int = 1, peak: float = 0.01) -> Learner:
    """A new one, warmed up within two steps."""
    model = Prism(PrismConfig.from_dict(config(d_model, layers)))
    return start(model, "small", peak, 2, LENGTH)


def ends(*losses: float, size: str = "target") -> list[dict[str, Any]]:
    """Ends of a run at 50%, 75% and 100% (the last ones of them) of 100 steps."""
    shares = (0.5, 0.75, 1.0)[-len(losses) :]
    return [
        {"share": s, "loss": x, "steps": {size: round(100 * s)}}
        | dict.fromkeys(("tokens", "flops", "cpu_seconds"), s)
        for s, x in zip(shares, losses, strict=True)
    ]


def methods(seeds: int = 5, gain: float = 0.1, spike: float = 0.0, dead: int = 0) -> dict[str, Any]:
    """A whole file: baselines end at 3 nats, other arms ``gain`` below; one that gains is at 3 nats
    after three quarters of its budget."""
    parts = {
        "growth": _growth(seeds, gain, spike, dead),
        "selection": _selection(seeds, gain),
        "curriculum": _curriculum(seeds, gain),
        "modular": _modular(seeds, gain),
    }
    return {name: part | {"meta": {**META, "profile": "full"}} for name, part in parts.items()}


def _falling(gain: float) -> tuple[float, float, float]:
    """Losses at the three budgets, the last 3 - ``gain``."""
    return (3.0 + abs(gain), 3.0 - min(gain, 0.0), 3.0 - gain)


def _growth(seeds: int, gain: float, spike: float, dead: int) -> dict[str, Any]:
    after = {"seconds": 0.0, "new": 10, "dead": {"a": dead} if dead else {}, "before": 3.0}
    after |= {"looks": [3.0, 3.1 + spike], "ungrown": [3.0, 3.1]}
    runs: list[dict[str, Any]] = [
        {"phase": "clock", "seed": s, "seconds": {"target": 1.0}, "parameters": {"target": 10}}
        for s in (*range(seeds), 1000)
    ]
    for arm in ("scratch", "exact depth", "stack", "exact width", "padded width"):
        runs.append({"phase": "tuning", "arm": arm, "lr": 0.01, "loss": 3.0})
        for seed in range(seeds):
            run = {"phase": "final", "arm": arm, "seed": seed, "lr": 0.01}
            if arm == "scratch":
                runs.append(run | {"loss": 3.0, "ends": ends(3.0)})
                continue
            losses = _falling(gain)
            runs.append(run | {"loss": losses[-1], "ends": ends(*losses), "growth": after})
    sizes = {"steps": 100, "shape": {"rows": 2, "length": 16}, "shares": [0.5, 0.75, 1.0]}
    sizes |= {"small_share": 0.2, "decay_share": 0.25, "tuning_share": 0.5}
    return {"sizes": sizes | {"text": {"name": "a text"}}, "runs": runs}


def _selection(seeds: int, gain: float) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    for arm in ("all tokens", "excess", "excess, stage", "recycling"):
        runs.append({"phase": "tuning", "arm": arm, "lr": 0.01, "loss": 3.0})
        for seed in range(seeds):
            run = {"phase": "final", "arm": arm, "seed": seed, "lr": 0.01}
            if arm == "all tokens":
                runs.append(run | {"loss": 3.0, "ends": ends(3.0)})
                continue
            run |= {"loss": 3.0 - gain, "ends": ends(*_falling(gain))}
            if arm != "recycling":
                run["reference"] = {"loss": 3.2, "flops": 0.5}
            runs.append(run)
    sizes = {"steps": 100, "shape": {"rows": 2, "length": 16}, "noise": 0.3, "span": 4}
    sizes["config"] = config(16, 1)
    return {"sizes": sizes | {"kept": 0.6, "text": {"name": "a text"}}, "runs": runs}


def _curriculum(seeds: int, gain: float) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    for arm in ("constant", "spread", "annealed"):
        runs.append({"phase": "tuning", "arm": arm, "lr": 0.01, "loss": 3.0})
        skill = 3.0 - gain if arm == "annealed" else 3.0
        for seed in range(seeds):
            run = {"phase": "final", "arm": arm, "seed": seed, "lr": 0.01, "loss": 3.0}
            run |= {} if arm == "constant" else {"annealed": 0.5}
            run |= {"domains": {"skill": skill, "elsewhere": 3.0}, "tokens": 100}
            runs.append(run | {"skill_tokens": 20})
        if arm != "spread":
            runs.append(runs[-1] | {"phase": "share", "seed": 1000})
    sizes = {"steps": 100, "shape": {"rows": 2, "length": 16}, "share": 0.1}
    sizes["config"] = config(16, 1)
    return {"sizes": sizes | {"decay_share": 0.25, "text": {"name": "a text"}}, "runs": runs}


def _modular(seeds: int, gain: float) -> dict[str, Any]:
    measures = {"worst_interference": -gain, "closed": 1.0, "closed_of_trunk": 1.0}
    measures |= {"critical_path": {"seconds": 0.4, "flops": 0.5}, "total": {"flops": 1.0}}
    measures["mean"] = {"assembled": 2.9, "calibrated": 2.9, "joint": 2.8}
    for name in ("interference", "interference_calibrated"):
        measures[name] = {"text": -gain}
    cost = {"tokens": 10, "flops": 10.0, "seconds": 1.0}
    row = {"losses": {"trunk": {"text": 3.0}, "assembled": {"text": 2.9}}, "cost": {"trunk": cost}}
    row |= {"measures": measures, "loss": 3.0, "phase": "final"}
    row |= dict.fromkeys(("lr", "trunk_lr", "part_lr"), 0.01)
    runs = [row | {"seed": seed} for seed in range(seeds)]
    return {"sizes": {"study": {"steps": 10, "rows": 2, "length": 16}}, "runs": runs}
