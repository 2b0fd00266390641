"""Results folder of a comparison, and the runs in it that are shown: those at the best recipe.

results.json is ``{"meta": {...}, "runs": [{...}, ...]}``, see :class:`prism.record.ResultsFile`.
Tables, figures and the report are made from the folder alone. Beside it is one example per trained
PRISM, a forward pass over test sequences as plain numbers: tokens and router probabilities of the
first sequence, bus gates and tape load as means over all of them.

The recipe of a model on a task is the best on validation, over the seeds that all tried ones have:
fewest failed runs, then the best mean validation metric, then the lowest mean validation loss. The
test set is never looked at. All runs at that recipe are shown. The runs of a search are shorter;
they are in a file of their own, search.json.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prism import whole_file
from prism.compare.protocol import KEY, UNNAMED, Job, Recipe, recipe_of, run_key, setting_of
from prism.compare.search import best_measured
from prism.compare.training import EVALUATION_SEED
from prism.record import ResultsFile, Run

if TYPE_CHECKING:
    from prism.model import Prism
    from tasks import Task

FILE = "results.json"
SEARCH_FILE = "search.json"
EXAMPLES = "examples"
SEQUENCES = 16


class Results(ResultsFile):
    """The results in one folder.

    Args:
        folder: where results.json is or will be.
        file: its name.

    Raises:
        ValueError: results.json is there and is not one, or the folder cannot be made.
    """

    def __init__(self, folder: Path, file: str = FILE) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--out {folder}: {error.strerror}; must be a folder") from error
        super().__init__(folder / file, fields=(*KEY, "error"))
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
        size += f"-lr{run['lr']:g}"
        for name, usual in UNNAMED.items():
            size += f"-{name}{run[name]:g}" if run.get(name, usual) != usual else ""
        name = f"{run['task']}{corpus}-{size}-seed{run['seed']}.json"
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


def best_recipe(runs: Iterable[Run]) -> Recipe | None:
    """The best recipe among runs of one model in one setting; None if no run succeeded."""
    by_recipe = by_recipes(runs)
    common = set.intersection(*({run["seed"] for run in group} for group in by_recipe.values()))
    compared = {
        recipe: [run for run in group if run["seed"] in common or not common]
        for recipe, group in by_recipe.items()
    }
    best = best_measured(compared)
    return best if any(run["error"] is None for run in by_recipe[best]) else None


def by_recipes(runs: Iterable[Run]) -> dict[Recipe, list[Run]]:
    """Runs by their recipe, in order of appearance."""
    groups: dict[Recipe, list[Run]] = defaultdict(list)
    for run in runs:
        groups[recipe_of(run)].append(run)
    return dict(groups)


def shown_runs(runs: Iterable[Run]) -> list[Run]:
    """The runs at the best recipe of their model and setting, by seed."""
    shown = []
    for by_model in grouped(runs).values():
        for group in by_model.values():
            recipe = best_recipe(group)
            chosen = [run for run in group if recipe is None or recipe_of(run) == recipe]
            shown += sorted(chosen, key=lambda run: run["seed"])
    return shown


def grouped(runs: Iterable[Run]) -> dict[tuple, dict[str, list[Run]]]:
    """Runs by setting and by model, both in order of appearance."""
    groups: dict[tuple, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(setting_of(run), {}).setdefault(run["model"], []).append(run)
    return groups
