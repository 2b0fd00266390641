"""results.json: every finished run, on disk at once, from which everything else is made.

``{"meta": {...}, "runs": [{...}, ...]}``. The file is replaced in one step after each run, so an
interrupted comparison leaves a whole file and starts again where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prism import whole_file
from prism.compare.protocol import Job, run_key

FILE = "results.json"
EXAMPLES = "examples"

Run = dict[str, Any]


class Results:
    """The results in one folder.

    Args:
        folder: where results.json is or will be.

    Raises:
        ValueError: results.json is there and is not one, or the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: dict[str, Any] = {}
        self.runs: list[Run] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--out {folder}: {error.strerror}; must be a folder") from error
        if self.path.exists():
            self.meta, self.runs = _read(self.path)

    @property
    def path(self) -> Path:
        """Where results.json is."""
        return self.folder / FILE

    def missing(self, jobs: Iterable[Job]) -> list[Job]:
        """The jobs that have no finished run yet, each once; failed runs are tried again."""
        done = {run_key(run) for run in self.runs if run["error"] is None}
        wanted = {job.key: job for job in jobs}
        return [job for key, job in wanted.items() if key not in done]

    def add(self, run: Run) -> None:
        """Keep a run, in place of an earlier one with the same key, and write the file."""
        key = run_key(run)
        self.runs = [old for old in self.runs if run_key(old) != key] + [run]
        self.write()

    def write(self) -> None:
        """Write results.json."""
        content = {"meta": self.meta, "runs": self.runs}
        whole_file.write(self.path, json.dumps(content, indent=1, allow_nan=False) + "\n")

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


def _read(path: Path) -> tuple[dict[str, Any], list[Run]]:
    try:
        content = json.loads(path.read_text("utf-8"))
        meta, runs = content["meta"], content["runs"]
        for run in runs:
            run_key(run)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a results file ({error!r}); must be one") from error
    return meta, runs
