"""Thinning of a comparison, so that it is small enough to be kept beside the code.

Runs that are shown keep their learning curve (step and validation score, four digits); runs of the
sweep, which only chose a learning rate, lose it. The command loses ``--out``: the folder is one of
the machine that ran it. Scores stay as they are, so that what the full file concludes the thin one
concludes too. One run per line.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prism import whole_file
from prism.compare.protocol import FIRST_ARCHITECTURE, run_key
from prism.compare.results import shown_runs
from prism.record import Run
from prism.whole_file import reason

LARGEST = 400_000  # bytes


def thin(meta: dict[str, Any], runs: list[Run]) -> str:
    """The thin file as text.

    Raises:
        ValueError: it would still be larger than ``LARGEST``.
    """
    shown = {run_key(run) for run in shown_runs(runs)}
    lines = []
    for run in runs:
        curve = [
            {"step": point["step"], "val_metric": float(f"{point['val_metric']:.4g}")}
            for point in run["curve"]
            if run_key(run) in shown
        ]
        speed = run["tokens_per_second"]
        kept = {"curve": curve, "tokens_per_second": None if speed is None else round(speed)}
        lines.append(json.dumps(run | kept, allow_nan=False, separators=(",", ":")))
    text = f'{{"meta": {json.dumps(meta, allow_nan=False)},\n"runs": [\n' + ",\n".join(lines)
    text += "\n]}\n"
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(f"{len(runs)} thinned runs take {size:,} bytes: must be <= {LARGEST:,}")
    return text


def import_comparison(source: Path, target: Path) -> None:
    """Thin the results.json ``source`` into ``target``, task by task: its tasks replace those that
    ``target`` has, and ``target`` keeps its others, so that one task can be measured again.

    ``meta.of_task`` has command, commit, architecture and end of each task's comparison.

    Raises:
        ValueError: ``source`` is not a results file, or is too large.
    """
    try:
        content = json.loads(source.read_text("utf-8"))
        command = re.sub(r" --out \S+", "", content["meta"]["command"])
        meta, runs = content["meta"] | {"command": command}, content["runs"]
        tasks = {run["task"] for run in runs}
        before = json.loads(target.read_text("utf-8")) if target.is_file() else None
        kept = [] if before is None else [r for r in before["runs"] if r["task"] not in tasks]
        of_task = {} if before is None else task_origins(before)
        of_task |= task_origins({"meta": meta, "runs": runs})
        text = thin(meta | {"of_task": dict(sorted(of_task.items()))}, [*kept, *runs])
    except OSError as error:
        raise ValueError(f"--import {source}: {reason(error)}") from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"--import {source}: {error!r}; must be a results.json") from error
    whole_file.write(target, text)


def task_origins(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Command, commit, architecture and end of the comparison of each task; a file without them by
    task is of one command."""
    meta = content["meta"]
    whole = {name: meta.get(name) for name in ("command", "commit", "finished")}
    found = {}
    for run in content["runs"]:
        own = meta.get("of_task", {}).get(run["task"], whole)
        # runs that do not name their architecture are of the first
        found[run["task"]] = own | {"architecture": run.get("architecture", FIRST_ARCHITECTURE)}
    return found
