"""JSON of figures in parts: a part that is measured again replaces the former one, others stay.

``{"meta": {.., "of_part": {part: {"commit", "finished"}}}, part: figures, ..}``. Only parts of the
same profile stand side by side: figures of a quick run are dropped by a full one, and its by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prism.command import say
from prism.record import describe, now, write_json


def chosen(given: str | None, known: Sequence[str]) -> tuple[str, ...]:
    """The parts that ``--parts`` names; all of ``known`` without it.

    Raises:
        ValueError: an unknown one.
    """
    parts = tuple(known) if given is None else tuple(given.split(","))
    if wrong := [part for part in parts if part not in known]:
        raise ValueError(f"--parts {wrong[0]}: must be of {', '.join(known)}")
    return parts


class Figures:
    """Args: ``out``, the file; ``command`` as typed; ``profile``, "full" or "quick"."""

    def __init__(self, out: Path, command: str, profile: str) -> None:
        found = json.loads(out.read_text("utf-8")) if out.is_file() else {}
        before = found.pop("meta", {})
        same = before.get("profile") == profile
        # a file of one command that has no of_part: all of it is of that command
        whole = {k: before.get(k) for k in ("commit", "finished")}
        kept = before.get("of_part", dict.fromkeys(found, whole)) if same else {}
        self.out, self.found = out, found if same else {}
        self.meta = {**describe(command, profile), "of_part": kept}

    def measure(self, part: str, figures: Callable[[], Any]) -> None:
        """Measure a part, say it and write the file."""
        self.found[part] = figures()
        say(f"{part}: {self.found[part]}")
        self.meta["of_part"][part] = {"commit": self.meta["commit"], "finished": now()}
        write_json(self.out, {"meta": self.meta, **self.found})
