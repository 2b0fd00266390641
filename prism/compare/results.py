"""Results folder of a comparison, and the runs in it that are shown: those at the best rate.

results.json is ``{"meta": {...}, "runs": [{...}, ...]}``, see :class:`prism.record.ResultsFile`.
Tables, figures and the report are made from the folder alone. Beside it is one example per trained
PRISM, a forward pass over test sequences as plain numbers: tokens and router probabilities of the
first sequence, bus gates and tape load as means over all of them.

The learning rate of a model on a task is the best on validation, over the seeds that every tried
rate has: fewest failed runs, then the best mean validation metric, then the lowest mean validation
loss. The test set is never looked at. All runs at that rate are shown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prism import whole_file
from prism.compare.protocol import KEY, Job, run_key, setting_of
from prism.compare.training import EVALUATION_SEED, HIGHER_IS_BETTER
from prism.record import ResultsFile, Run

if TYPE_CHECKING:
    from prism.model import Prism
    from tasks import Task

FILE = "results.json"
EXAMPLES = "examples"
SEQUENCES = 16


class Results(ResultsFile):
    """The results in one folder.

    Args:
        folder: where results.json is or will be.

    Raises:
        ValueError: results.json is there and is not one, or the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--out {folder}: {error.strerror}; must be a folder") from error
        super().__init__(folder / FILE, fields=(*KEY, "error"))
        self.folder = folder

    def missing(self, jobs: Iterable[Job]) -> list[Job]:
        """The jobs that have no finished run yet, each once; failed runs are tried again."""
        done = {run_key(run) for run in self.runs if run["error"] is None}
        wanted = {job.key: job for job in jobs}
        return [job for key, job in wanted.items() if key not in done]

    def add(self, run: Run) -> None:
        """Keep a run, in place of an earlier one with the same key, and write the file."""
        self.runs = [old for old in self.runs if run_key(old) != run_key(run)]
        super().add(run)

    def add_example(self, run: Run, example: dict[str, Any]) -> None:
        """Keep the routing example of a run."""
        path = self._example_path(run)
        whole_file.write(path, json.dumps(example, allow_nan=False) + "\n")

    def example(self, run: Run) -> dict[str, Any] | None:
        """The example of a run; None if it has none."""
        path = self._example_path(run)
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def _example_path(self, run: Run) -> Path:
        corpus = f"-{Path(run['corpus']).stem}" if run["corpus"] else ""
        size = f"steps{run['steps']}-batch{run['batch_size']}"
        name = f"{run['task']}{corpus}-{size}-lr{run['lr']:g}-seed{run['seed']}.json"
        return self.folder / EXAMPLES / name


@torch.no_grad()
def record_example(model: Prism, task: Task) -> dict[str, Any]:
    """Routing of ``model`` on ``SEQUENCES`` test sequences.

    Returns:
        JSON values: ``tokens``, ``targets``, ``predictions`` (``[T]``, of the first sequence),
        ``half_lives`` (``[K]``) and per layer ``kinds``, ``probability`` (``[T][E]``, of the
        first sequence), ``bus_gates`` (``[K]``, mean over sequences and tokens) and
        ``tape_load`` (``[T]``, mean over sequences; None where the layer has no content tape).
    """
    batch = task.batch("test", EVALUATION_SEED, 0, SEQUENCES)
    device = next(model.parameters()).device
    model.eval()
    output = model(batch.tokens.to(device), routing=True)
    return {
        "metric": task.metric,
        "tokens": batch.tokens[0].tolist(),
        "targets": batch.targets[0].tolist(),
        "predictions": output.logits[0].argmax(dim=-1).tolist(),
        "half_lives": list(model.config.bus_half_lives),
        "layers": [
            {
                "kinds": list(x.kinds),
                "probability": _rounded(x.probability[0]),
                "bus_gates": _rounded(x.bus_gates.mean(dim=(0, 1))),
                "tape_load": None if x.tape_load is None else _rounded(x.tape_load.mean(dim=0)),
            }
            for x in output.routing
        ],
    }


def _rounded(x: Tensor) -> list[Any]:
    """Nested lists, to four decimals: enough for a figure, and the file stays small."""
    return (x.double() * 1e4).round().div(1e4).tolist()


def best_rate(runs: Iterable[Run]) -> float | None:
    """The best rate among runs of one model in one setting; None if no run succeeded."""
    by_rate: dict[float, list[Run]] = defaultdict(list)
    for run in runs:
        by_rate[run["lr"]].append(run)
    common = set.intersection(*({run["seed"] for run in group} for group in by_rate.values()))

    def rank(rate: float) -> tuple[int, float, float]:
        group = [run for run in by_rate[rate] if run["seed"] in common or not common]
        scored = [run for run in group if run["error"] is None]
        if not scored:
            return (len(group) + 1, 0.0, 0.0)
        metric = scored[0]["metric"]
        sign = -1 if HIGHER_IS_BETTER[metric] else 1
        mean = fmean(run["val"][metric] for run in scored)
        return (len(group) - len(scored), sign * mean, fmean(run["val"]["loss"] for run in scored))

    best = min(sorted(by_rate), key=rank)
    return best if any(run["error"] is None for run in by_rate[best]) else None


def perfect_pairs(runs: Iterable[Run], jobs: Iterable[Job]) -> set[tuple[str, str]]:
    """The (task, model) pairs of a sweep's jobs for which some rate is beyond improvement: all
    its seeds have run and answered the whole of validation right."""
    right = {
        run_key(run)
        for run in runs
        if run["error"] is None and run["metric"] == "accuracy" and run["val"]["accuracy"] == 1.0
    }
    by_rate: dict[tuple[str, str, float], list[Job]] = defaultdict(list)
    for job in jobs:
        by_rate[job.task, job.model, job.lr].append(job)
    return {
        (task, model)
        for (task, model, _), group in by_rate.items()
        if all(job.key in right for job in group)
    }


def best_rates(runs: Iterable[Run]) -> dict[str, dict[str, float]]:
    """The best rate by task and model; runs must be of one setting per task."""
    best: dict[str, dict[str, float]] = defaultdict(dict)
    for setting, by_model in grouped(runs).items():
        for model, group in by_model.items():
            rate = best_rate(group)
            if rate is not None:
                best[setting[0]][model] = rate
    return dict(best)


def shown_runs(runs: Iterable[Run]) -> list[Run]:
    """The runs at the best rate of their model and setting, by seed."""
    shown = []
    for by_model in grouped(runs).values():
        for group in by_model.values():
            rate = best_rate(group)
            chosen = [run for run in group if rate is None or run["lr"] == rate]
            shown += sorted(chosen, key=lambda run: run["seed"])
    return shown


def grouped(runs: Iterable[Run]) -> dict[tuple, dict[str, list[Run]]]:
    """Runs by setting and by model, both in order of appearance."""
    groups: dict[tuple, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(setting_of(run), {}).setdefault(run["model"], []).append(run)
    return groups
