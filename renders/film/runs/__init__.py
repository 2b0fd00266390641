"""The runs that the film shows: each makes plain JSON values, which are kept in a work folder.

A kept run is used again if its sizes and the code of the models are what they were; otherwise it is
made anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prism.record import code_fingerprint, describe, write_json

Data = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run by name.

    Args:
        name: of its file in the work folder.
        make: makes the data in a folder of the run's own, where it may keep weights.
        sizes: arguments of ``make``, the seed among them.
    """

    name: str
    make: Callable[..., Data]
    sizes: dict[str, Any]


def load_or_make(run: Run, work: Path, say: Callable[[str], None]) -> Data:
    """The data of ``run``, as kept in ``work`` or made now.

    Raises:
        ValueError: the kept file is not JSON of a run; names it.
    """
    path = work / f"{run.name}.json"
    wanted = {"sizes": run.sizes, "code": code_fingerprint()}
    if path.exists():
        try:
            kept = json.loads(path.read_text("utf-8"))
            same = {"sizes": kept["meta"]["sizes"], "code": kept["meta"]["code"]} == wanted
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a run of the film ({error!r}); remove it") from error
        if same:
            say(f"{run.name}: kept, of commit {kept['meta']['commit']}")
            return kept["data"]
    say(f"{run.name}: being made")
    meta = describe("python -m renders.film", "film", sizes=run.sizes)
    data = run.make(work / run.name, **run.sizes)
    write_json(path, {"meta": meta, "data": data})
    return json.loads(path.read_text("utf-8"))["data"]
