"""Results folder of a comparison: results.json and one routing example per trained PRISM.

``{"meta": {...}, "runs": [{...}, ...]}``, see :class:`prism.record.ResultsFile`. Tables, figures
and the report are made from the folder alone. An example is a forward pass of a trained PRISM over
test sequences as plain numbers: tokens and router probabilities of the first sequence, bus gates
and tape load as means over all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prism import whole_file
from prism.compare.evaluation import EVALUATION_SEED
from prism.compare.protocol import KEY, Job, run_key
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
