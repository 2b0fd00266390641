"""Protocol of a comparison: the runs that make it up.

A run is one model on one task with one seed and one learning rate. Every model of a comparison
gets the same data in the same order, the same number of steps and the same grid of learning
rates. The *quick* profile is one seed at a known learning rate and few steps: it shows that
everything works. The *full* protocol tries each rate of the grid on two seeds, keeps for each
task and model the rate that is best on validation, and repeats that rate on five seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from prism.baselines import MODELS as ALL_MODELS
from prism.config import PrismConfig
from tasks import SUITES, TASKS, MiniLM, Task, get_task

MODELS = ("prism", "transformer", "ssm", "gdn")
LEARNING_RATES = (1e-3, 3e-3, 6e-3, 1e-2)
SWEEP_ORDER = (3e-3, 6e-3, 1e-3, 1e-2)
DEFAULT_RATE = 3e-3
SWEEP_SEEDS = 2
FULL_SEEDS = 5
BATCH_SIZE = 32

FULL_STEPS = {
    "copy": 1000,
    "induction": 400,
    "mqar": 400,
    "reasoning": 1200,
    "parity": 1200,
    "modular": 800,
    "mini_lm": 600,
    "fuzzy_recall": 800,
    "noisy_recall": 800,
    "selective_copy": 800,
    "compression": 1200,
    "memorize": 1200,
    "s3": 1200,
    "s5": 1200,
    "mqar64": 800,
    "mqar128": 800,
}
QUICK_STEPS = {
    "copy": 500,
    "induction": 300,
    "mqar": 300,
    "reasoning": 600,
    "parity": 300,
    "modular": 500,
    "mini_lm": 250,
    "fuzzy_recall": 300,
    "noisy_recall": 300,
    "selective_copy": 300,
    "compression": 300,
    "memorize": 300,
    "s3": 300,
    "s5": 300,
    "mqar64": 300,
    "mqar128": 300,
}

SETTING = ("task", "steps", "batch_size", "evaluation", "corpus")
KEY = ("model", "seed", "lr", *SETTING)  # all that can change the result of a run

FULL_EVALUATION = 1024
QUICK_EVALUATION = 256

# Step time relative to the Transformer at the toy size, only for ordering runs and the ETA.
_RELATIVE_COST = {"prism": 3.0, "transformer": 1.0, "ssm": 1.5, "gdn": 1.6, "gdn-neg": 1.6}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to do.

    Args:
        task: name of the task.
        model: name of the model.
        seed: seed of the initial weights and of the training data.
        lr: peak learning rate.
        steps: optimizer steps.
        batch_size: sequences per step.
        evaluation: sequences of the final validation and test sets at the training length.
        corpus: file that ``mini_lm`` reads; None = the built-in corpus, and for other tasks.
        phase: purpose of the run: "single", "quick", "sweep" or "final".
        rate_source: origin of ``lr``: "given", "swept", "grid" or "default".
    """

    task: str
    model: str
    seed: int
    lr: float
    steps: int
    batch_size: int
    evaluation: int
    corpus: str | None = None
    phase: str = "single"
    rate_source: str = "given"

    @property
    def key(self) -> tuple[Any, ...]:
        """Identity of a run: all that can change its result."""
        return run_key(dataclasses.asdict(self))


def run_key(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """The key of :attr:`Job.key` for a run read from results.json."""
    return tuple(run[name] for name in KEY)


def setting_of(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """Setting that compared runs share: task, steps, batch size, evaluation and corpus."""
    return tuple(run[name] for name in SETTING)


def open_task(name: str, corpus: str | None) -> Task:
    """The task of a job.

    Raises:
        ValueError: unknown task, or a corpus that cannot be read or is too small.
    """
    return get_task(name) if corpus is None else MiniLM(corpus=Path(corpus))


def toy_config(task: Task, seed: int) -> PrismConfig:
    """The model size of every comparison: width 64, 3 layers, about 200 thousand parameters.

    The longest half-life is the training context (at least 64 tokens): slower rates would be in
    states at longer test lengths that training has never shown.
    """
    return PrismConfig(
        vocab_size=task.vocab_size,
        d_model=64,
        num_layers=3,
        half_life_max=float(max(64, task.train_length)),
        seed=seed,
    )


def swept_rates() -> dict[str, dict[str, float]]:
    """Best learning rate by task and model, as the last sweep found them."""
    text = resources.files("prism.compare").joinpath("learning_rates.json").read_text("utf-8")
    return json.loads(text)


def relative_cost(job: Job, train_length: int) -> float:
    """Expected duration in arbitrary units."""
    sequences = job.steps * job.batch_size + job.evaluation
    return sequences * train_length * _RELATIVE_COST.get(job.model, 1.0)


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """The runs that a user asks for; None = as the profile has it.

    Args:
        tasks, models: names.
        seeds: number of seeds, counted from ``first_seed``.
        lr: one learning rate for all; None = the swept ones.
        quick: take the steps and evaluation sizes of the quick profile.
    """

    tasks: tuple[str, ...]
    models: tuple[str, ...]
    seeds: int = 1
    first_seed: int = 0
    steps: int | None = None
    lr: float | None = None
    batch_size: int = BATCH_SIZE
    corpus: str | None = None
    quick: bool = False

    def jobs(self, phase: str) -> list[Job]:
        """Every task, model and seed at one known learning rate each."""
        rates = swept_rates()
        jobs = []
        for task, model in self.pairs():
            swept = rates.get(task, {}).get(model)
            lr = self.lr or swept or DEFAULT_RATE
            source = "given" if self.lr else "swept" if swept else "default"
            jobs += self._seeds(task, model, lr, self.seeds, phase, source)
        return jobs

    def sweep_jobs(self) -> list[Job]:
        """Every rate of the grid on the first ``SWEEP_SEEDS`` seeds."""
        return [
            job
            for task, model in self.pairs()
            for lr in LEARNING_RATES
            for job in self._seeds(task, model, lr, SWEEP_SEEDS, "sweep", "grid")
        ]

    def final_jobs(self, best: Mapping[str, Mapping[str, float]]) -> list[Job]:
        """Every seed at the rate that the sweep chose; pairs without one are left out."""
        return [
            job
            for task, model in self.pairs()
            if model in best.get(task, {})
            for job in self._seeds(task, model, best[task][model], self.seeds, "final", "swept")
        ]

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Every (task, model)."""
        return [(task, model) for task in self.tasks for model in self.models]

    def _seeds(
        self, task: str, model: str, lr: float, seeds: int, phase: str, source: str
    ) -> list[Job]:
        steps = self.steps or (QUICK_STEPS if self.quick else FULL_STEPS)[task]
        return [
            Job(
                task=task,
                model=model,
                seed=seed,
                lr=lr,
                steps=steps,
                batch_size=self.batch_size,
                evaluation=QUICK_EVALUATION if self.quick else FULL_EVALUATION,
                corpus=self.corpus if task == "mini_lm" else None,
                phase=phase,
                rate_source=source,
            )
            for seed in range(self.first_seed, self.first_seed + seeds)
        ]


def plan_of(args: argparse.Namespace) -> tuple[ComparisonPlan, str]:
    """The plan that the flags of ``python -m prism.train`` ask for, and its mode: "full", "sweep",
    "quick" or "single".

    Raises:
        ValueError: a bad value, in one line.
    """
    comparing = args.compare or args.sweep or args.full
    if comparing == (args.model is not None):
        raise ValueError("give --compare, --sweep or --full, or else --model NAME, or --report DIR")
    mode = "full" if args.full else "sweep" if args.sweep else "quick" if comparing else "single"
    if args.lr is not None and mode in ("full", "sweep"):
        raise ValueError(f"--lr {args.lr:g}: --{mode} chooses the learning rate itself")
    if args.seeds is not None and mode == "sweep":
        raise ValueError(f"--seeds {args.seeds}: --sweep always takes {SWEEP_SEEDS} seeds")
    for name in ("steps", "seeds", "batch_size", "workers"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} {value}: must be >= 1")
    if args.lr is not None and not 0 < args.lr < float("inf"):
        raise ValueError(f"--lr {args.lr:g}: must be > 0")
    if not 0 <= args.seed < 2**32 - FULL_SEEDS:
        raise ValueError(f"--seed {args.seed}: must be >= 0 and below 2**32 - {FULL_SEEDS}")
    models = args.models.split(",") if comparing else [args.model]
    if args.corpus is not None and not args.corpus.strip():
        raise ValueError(f"--corpus {args.corpus!r}: must not be empty")
    default = ("mini_lm",) if args.corpus is not None and args.suite is None else None
    tasks = args.task or list(default or SUITES[args.suite or "core"])
    of_models = "--models" if comparing else "--model"
    for flag, names, known in ((of_models, models, ALL_MODELS), ("--task", tasks, TASKS)):
        for name in names:
            if name not in known:
                raise ValueError(f"{flag} {name!r}: must be one of {', '.join(known)}")
    if args.corpus is not None:
        if "mini_lm" not in tasks:
            raise ValueError(f"--corpus {args.corpus}: only mini_lm reads it; add it to --task")
        open_task("mini_lm", args.corpus)
    plan = ComparisonPlan(
        tasks=tuple(dict.fromkeys(tasks)),
        models=tuple(dict.fromkeys(models)),
        seeds=args.seeds or (FULL_SEEDS if mode == "full" else 1),
        first_seed=args.seed,
        steps=args.steps,
        lr=args.lr,
        batch_size=args.batch_size,
        corpus=args.corpus,
        quick=mode == "quick",
    )
    return plan, mode
