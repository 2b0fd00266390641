"""Protocol of a comparison: the runs that make it up.

A run is one model on one task with one seed and one recipe: peak learning rate, warm-up, dropout.
Every model of a comparison gets the same data in the same order, the same number of steps and the
same search of its recipe. The *quick* profile is one seed at a known recipe and few steps: it shows
that everything works. The *full* protocol searches the recipe of each task and model on two seeds
and a third of the steps, all of them where data repeats (:mod:`prism.compare.search`), and repeats
the one that is best on validation on five seeds at full length.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from prism.baselines import family
from prism.config import PrismConfig
from prism.recipe import WARM_UP
from prism.record import ARCHITECTURE
from tasks import MiniLM, Task, get_task

MODELS = ("prism", "transformer", "ssm", "gdn")
DEFAULT_RATE = 3e-3
SEARCH_SEEDS = 2
# The runs of a search have a third of the steps, rounded up. Where data repeats they have all of
# them: the shorter run has seen it less often, and would find that dropout is worth nothing.
SEARCH_SHARE = 3
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
KEY = ("model", "seed", "lr", *SETTING)  # every run has these
OPTIONAL: dict[str, Any] = {"warm_up": WARM_UP, "dropout": 0.0}  # earlier runs had no other value
FIRST_ARCHITECTURE = 1  # of runs that do not name theirs
UNNAMED: dict[str, Any] = {**OPTIONAL, "architecture": FIRST_ARCHITECTURE}

FULL_EVALUATION = 1024
QUICK_EVALUATION = 256

# Step time relative to the Transformer at the toy size, only for ordering runs and the ETA.
_RELATIVE_COST = {"prism": 3.0, "transformer": 1.0, "ssm": 1.5, "gdn": 1.6}


class Recipe(NamedTuple):
    """Values tuned for every model alike: peak rate, warm-up as a share of the steps, dropout."""

    lr: float
    warm_up: float = WARM_UP
    dropout: float = 0.0


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
        warm_up: share of the steps in which the rate rises.
        dropout: share of every branch's output that is dropped while training.
        phase: purpose of the run: "single", "quick", "search" or "final".
        rate_source: origin of ``lr``: "given", "swept", "search" or "default".
        architecture: of PRISM, to whose size every model is matched.
    """

    task: str
    model: str
    seed: int
    lr: float
    steps: int
    batch_size: int
    evaluation: int
    corpus: str | None = None
    warm_up: float = WARM_UP
    dropout: float = 0.0
    phase: str = "single"
    rate_source: str = "given"
    architecture: int = ARCHITECTURE

    @property
    def key(self) -> tuple[Any, ...]:
        """Identity of a run: all that can change its result."""
        return run_key(dataclasses.asdict(self))


def run_key(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """The key of :attr:`Job.key` for a run read from results.json."""
    return (*(run[name] for name in KEY), *(run.get(k, v) for k, v in UNNAMED.items()))


def recipe_of(run: Mapping[str, Any]) -> Recipe:
    """The recipe of a run."""
    return Recipe(run["lr"], *(run.get(name, value) for name, value in OPTIONAL.items()))


def setting_of(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """Setting that compared runs share: task, steps, batch size, evaluation, corpus, architecture.

    The last because an earlier PRISM had another size, to which its baselines were matched.
    """
    architecture = run.get("architecture", FIRST_ARCHITECTURE)
    return (*(run[name] for name in SETTING), architecture)


def open_task(name: str, corpus: str | None) -> Task:
    """The task of a job.

    Raises:
        ValueError: unknown task, or a corpus that cannot be read or is too small.
    """
    return get_task(name) if corpus is None else MiniLM(corpus=Path(corpus))


def toy_config(task: Task, seed: int, dropout: float = 0.0) -> PrismConfig:
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
        dropout=dropout,
    )


def swept_recipes() -> dict[str, dict[str, Recipe]]:
    """Best recipe by task and model, as the last search found them."""
    text = resources.files("prism.compare").joinpath("recipes.json").read_text("utf-8")
    return {
        task: {model: Recipe(**values) for model, values in by_model.items()}
        for task, by_model in json.loads(text).items()
    }


def relative_cost(job: Job, train_length: int) -> float:
    """Expected duration in arbitrary units."""
    sequences = job.steps * job.batch_size + job.evaluation
    return sequences * train_length * _RELATIVE_COST.get(family(job.model), 1.6)


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """The runs that a user asks for; None = as the profile has it.

    Args:
        tasks, models: names.
        seeds: number of seeds, counted from ``first_seed``.
        lr, warm_up, dropout: one for all; None = the swept ones.
        search_seeds: seeds of the search.
        quick: take the steps and evaluation sizes of the quick profile.
    """

    tasks: tuple[str, ...]
    models: tuple[str, ...]
    seeds: int = 1
    first_seed: int = 0
    steps: int | None = None
    lr: float | None = None
    warm_up: float | None = None
    dropout: float | None = None
    search_seeds: int = SEARCH_SEEDS
    batch_size: int = BATCH_SIZE
    corpus: str | None = None
    quick: bool = False

    def jobs(self, phase: str) -> list[Job]:
        """Every task, model and seed at one known recipe each."""
        swept = swept_recipes()
        given = {"lr": self.lr, "warm_up": self.warm_up, "dropout": self.dropout}
        given = {name: value for name, value in given.items() if value is not None}
        jobs = []
        for task, model in self.pairs():
            known = swept.get(task, {}).get(model)
            recipe = (known or Recipe(DEFAULT_RATE))._replace(**given)
            source = "given" if self.lr else "swept" if known else "default"
            jobs += self._seeds(task, model, recipe, self.seeds, phase, source)
        return jobs

    def search_jobs(self, task: str, model: str, recipe: Recipe) -> list[Job]:
        """One recipe of a search, on every seed of it."""
        return self._seeds(task, model, recipe, self.search_seeds, "search", "search")

    def final_jobs(self, best: Mapping[str, Mapping[str, Recipe]]) -> list[Job]:
        """Every seed at the recipe that the search chose; pairs without one are left out."""
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
        self, task: str, model: str, recipe: Recipe, seeds: int, phase: str, source: str
    ) -> list[Job]:
        steps = self.steps or (QUICK_STEPS if self.quick else FULL_STEPS)[task]
        if phase == "search" and not get_task(task).repeats:
            steps = math.ceil(steps / SEARCH_SHARE)
        return [
            Job(
                task=task,
                model=model,
                seed=seed,
                **recipe._asdict(),
                steps=steps,
                batch_size=self.batch_size,
                evaluation=QUICK_EVALUATION if self.quick else FULL_EVALUATION,
                corpus=self.corpus if task == "mini_lm" else None,
                phase=phase,
                rate_source=source,
            )
            for seed in range(self.first_seed, self.first_seed + seeds)
        ]
