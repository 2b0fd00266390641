"""One seed of the study: backbone, three expert branches, their sum, calibrated gates, a joint run.

The joint run has the architecture of the assembled model, trained as one on the backbone's mix
without an output-norm penalty, with at least as many FLOPs as all phases together: a backbone and
its branches are smaller models, and frozen weights need no gradients, so these FLOPs read more
tokens. Branches may be trained at the same time: with three workers the critical path is the
backbone, the longest branch and the calibration. The measures:

    interference     assembled - best single branch, by domain, nats      criterion: at most 0.05
    closed           (assembled - calibrated) / (assembled - joint)       criterion: at least 0.9
    closed_of_trunk  (backbone - calibrated) / (backbone - joint)         the same from where the
                                                                          branches began
    critical_path    backbone + longest branch + calibration, over joint  criterion: at most 0.5 of
                                                                          the seconds
    total            all phases over joint                                criterion: at most 1.1 of
                                                                          the FLOPs

Losses without a domain are means over the domains. Where there is no gap (the joint run is no
better than what is measured) it counts as closed.

Results are compared with older ones, so the names in them stay: "trunk" is the backbone, "part" a
branch, and a model with one branch has the name of its kind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prism.config import PrismConfig, SymbolicConfig, TapeConfig
from prism.model.prism import Prism
from prism.modular import (
    LARGEST_SHARE,
    assemble,
    assembled_config,
    backbone_config,
    branch_config,
    branch_of,
    only_gates,
)
from prism.studies.modular.domains import DOMAINS, OWN, VOCAB, shares_of
from prism.studies.modular.training import Cost, Phase, losses, openness, train

BACKBONE, ASSEMBLED, CALIBRATED, JOINT = "trunk", "assembled", "calibrated", "joint"
KINDS = tuple(OWN.values())
PHASES = (BACKBONE, *KINDS, CALIBRATED, JOINT)
UNITS = ("flops", "seconds")
APART = 1_000_000  # batches between the streams of two phases
Say = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class StudySizes:
    """Sizes of one seed; the names of the fields are keys of the results.

    Attributes:
        steps: of the joint run.
        trunk, part: steps of the backbone and of each branch, as shares of the joint run's.
        calibration: share of the steps of backbone and branches together.
        lr: of the joint run; ``trunk_lr`` of the backbone; ``part_lr`` of the branches;
            ``gate_lr`` of the calibration.
        rows, length: of a batch.
        test_rows: per domain.
    """

    steps: int = 800
    trunk: float = 0.7
    part: float = 0.39
    calibration: float = 0.03
    lr: float = 6e-3
    trunk_lr: float = 6e-3
    part_lr: float = 6e-3
    gate_lr: float = 1e-2
    rows: int = 30
    length: int = 64
    test_rows: int = 128
    d_model: int = 128
    layers: int = 2

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps = {self.steps}: must be >= 1")
        for name in ("trunk", "part"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)}: must be > 0")
        if not 0 < self.calibration <= LARGEST_SHARE:
            raise ValueError(
                f"calibration = {self.calibration}: must be > 0 and at most {LARGEST_SHARE}"
            )

    def steps_of(self, name: str) -> int:
        """Steps of the phase ``name``."""
        if name == CALIBRATED:
            return int(self.calibration * self.steps * (self.trunk + len(OWN) * self.part))
        share = {BACKBONE: self.trunk, JOINT: 1.0}.get(name, self.part)
        return round(share * self.steps)

    def rate_of(self, name: str) -> float:
        """Learning rate of the phase ``name``."""
        rates = {BACKBONE: self.trunk_lr, JOINT: self.lr, CALIBRATED: self.gate_lr}
        return rates.get(name, self.part_lr)

    def config(self, seed: int) -> PrismConfig:
        """Config of the model whose kinds are trained apart."""
        return PrismConfig(
            vocab_size=VOCAB,
            d_model=self.d_model,
            num_layers=self.layers,
            half_life_max=256.0,
            tape=TapeConfig(),
            symbolic=SymbolicConfig(),
            seed=seed,
        )


QUICK = StudySizes(steps=40, rows=6, length=32, test_rows=8, d_model=16, layers=1)


def experiment(
    seed: int, sizes: StudySizes | None = None, say: Say = lambda phase, step, steps: None
) -> dict[str, Any]:
    """Everything once, from ``seed``; plain numbers.

    Args:
        say: called after each step with the phase, the step and their number.

    Returns:
        ``losses`` (model, domain: nats), ``gates`` (model, domain, kind: mean gate), ``cost``
        (model: tokens, flops, seconds of this phase), ``measures``
        (:func:`measures`), ``parameters``, ``seed``, ``sizes``.
    """
    study = _Study(seed, sizes or StudySizes(), say)
    backbone = study.trained(BACKBONE, Prism(backbone_config(study.sizes.config(seed))))
    branches = {
        kind: study.trained(kind, branch_of(backbone, kind), domain) for domain, kind in OWN.items()
    }
    model = study.measured(ASSEMBLED, assemble(backbone, branches))
    study.trained(CALIBRATED, only_gates(model))
    study.joint()
    return study.result()


def joint_run(
    seed: int, sizes: StudySizes | None = None, say: Say = lambda phase, step, steps: None
) -> dict[str, Any]:
    """The joint run of :func:`experiment` alone: its ``losses`` (domain: nats) and ``cost``."""
    study = _Study(seed, sizes or StudySizes(), say)
    study.joint()
    return {"losses": study.losses[JOINT], "cost": asdict(study.cost[JOINT])}


class _Study:
    """The models of one seed as they are trained and measured."""

    def __init__(self, seed: int, sizes: StudySizes, say: Say) -> None:
        self.seed, self.sizes, self.say = seed, sizes, say
        self.losses: dict[str, dict[str, float]] = {}
        self.gates: dict[str, dict[str, dict[str, float]]] = {}
        self.cost: dict[str, Cost] = {}
        self.parameters: dict[str, int] = {}

    def trained(self, name: str, model: Prism, domain: str | None = None) -> Prism:
        """``model`` after its phase, on the equal mix or mostly on ``domain``."""
        s, steps = self.sizes, self.sizes.steps_of(name)
        phase = Phase(
            steps=steps,
            lr=s.rate_of(name),
            rows=s.rows,
            length=s.length,
            shares=shares_of(domain),
            seed=self.seed,
            first=APART * PHASES.index(name),
            domain=domain,
        )
        self.cost[name] = train(model, phase, lambda step: self.say(name, step, steps))
        return self.measured(name, model)

    def joint(self) -> Prism:
        """The architecture of the assembled model, trained as one."""
        backbone = backbone_config(self.sizes.config(self.seed))
        branches = {kind: branch_config(backbone, kind) for kind in KINDS}
        config = assembled_config(backbone, branches)
        # the output-norm penalty keeps branches from interfering; a joint run needs none
        return self.trained(JOINT, Prism(dataclasses.replace(config, expert_output_penalty=0.0)))

    def measured(self, name: str, model: Prism) -> Prism:
        """``model``, read on the test rows."""
        self.losses[name] = losses(model, self.sizes.test_rows, self.sizes.length)
        self.gates[name] = openness(model, self.sizes.test_rows, self.sizes.length)
        self.parameters[name] = model.num_parameters()
        return model

    def result(self) -> dict[str, Any]:
        cost = {name: asdict(each) for name, each in self.cost.items()}
        return {
            "seed": self.seed,
            "sizes": asdict(self.sizes),
            "parameters": self.parameters,
            "losses": self.losses,
            "gates": self.gates,
            "cost": cost,
            "measures": measures(self.losses, cost),
        }


def measures(
    losses: Mapping[str, Mapping[str, float]], cost: Mapping[str, Mapping[str, float]]
) -> dict[str, object]:
    """The numbers at the head of this file, from ``losses`` (model, domain: nats) and ``cost``
    (model: tokens, flops, seconds)."""
    joint, apart = cost[JOINT], [cost[name] for name in (BACKBONE, *KINDS, CALIBRATED)]
    longest = {unit: max(cost[kind][unit] for kind in KINDS) for unit in UNITS}
    mean = {name: sum(each.values()) / len(each) for name, each in losses.items()}
    best = {d: min(losses[kind][d] for kind in KINDS) for d in DOMAINS}
    interference = {d: losses[ASSEMBLED][d] - best[d] for d in DOMAINS}
    return {
        "interference": interference,
        "worst_interference": max(interference.values()),
        "interference_calibrated": {d: losses[CALIBRATED][d] - best[d] for d in DOMAINS},
        "mean": mean,
        "closed": _share(mean[ASSEMBLED], mean[CALIBRATED], mean[JOINT]),
        "closed_of_trunk": _share(mean[BACKBONE], mean[CALIBRATED], mean[JOINT]),
        "critical_path": {
            u: (cost[BACKBONE][u] + longest[u] + cost[CALIBRATED][u]) / joint[u] for u in UNITS
        },
        "total": {u: sum(phase[u] for phase in apart) / joint[u] for u in UNITS},
        "calibration_tokens": cost[CALIBRATED]["tokens"]
        / (cost[BACKBONE]["tokens"] + sum(cost[kind]["tokens"] for kind in KINDS)),
    }


def _share(start: float, end: float, goal: float) -> float:
    """Share of the way from ``start`` down to ``goal`` that is covered at ``end``; 1 without a way,
    and past it."""
    return 1.0 if start <= goal else min(1.0, (start - end) / (start - goal))
