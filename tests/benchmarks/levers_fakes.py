"""Learners, batches and files of runs for the tests of the lever benchmark."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.levers.loop import Learner, start
from benchmarks.levers.sizes import config
from benchmarks.levers.text import VOCABULARY
from prism import Prism, PrismConfig
from prism.data import RowBatch
from tests.benchmarks.fakes import META

LENGTH = 16


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


def levers(seeds: int = 5, gain: float = 0.1, spike: float = 0.0, dead: int = 0) -> dict[str, Any]:
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
