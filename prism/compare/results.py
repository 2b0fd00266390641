"""results.json and the examples beside it: everything that is shown is made from them.

``{"meta": {...}, "runs": [{...}, ...]}``, see :class:`prism.record.ResultsFile`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prism import whole_file
from prism.compare.protocol import KEY, Job, run_key
from prism.record import ResultsFile, Run

FILE = "results.json"
EXAMPLES = "examples"


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
        """Keep what a trained PRISM did on one sequence, for the figures."""
        path = self.folder / EXAMPLES / example_name(run)
        whole_file.write(path, json.dumps(example, allow_nan=False) + "\n")

    def example(self, run: Run) -> dict[str, Any] | None:
        """What ``add_example`` kept for this run; None if it kept nothing."""
        path = self.folder / EXAMPLES / example_name(run)
        return json.loads(path.read_text("utf-8")) if path.exists() else None


def example_name(run: Run) -> str:
    """File name of a run's example."""
    corpus = f"-{Path(run['corpus']).stem}" if run["corpus"] else ""
    size = f"steps{run['steps']}-batch{run['batch_size']}"
    return f"{run['task']}{corpus}-{size}-lr{run['lr']:g}-seed{run['seed']}.json"
