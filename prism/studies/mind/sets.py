"""Sets of sentences of the protocol, written apart from the rules, as JSON files.

    questions   [{"text": "... {country} ...", "start": "country", "path": ["capital", "mayor"]}]
    no_answer   [{"text": "...", "start": "country" | "stranger" | ...}]
    one_shot    [{"input": ..., "output": ..., "reworded": ...}]
    statements, distractors, dialogues, updates, poison: of the writing side
    unsaid      [{"say": [...], "asked": [{"ask": ..., "answers": [...]}], "unsaid": [questions]}]

``X_of`` in a path walks relation X backwards. A set may lack parts; a measurement that needs one
says so.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prism.mind.records import identity
from prism.studies.mind.names import Names
from prism.studies.mind.world import STARTS, World

FOLDER = Path(__file__).with_name("sets")
STRANGER = "stranger"


@dataclass(frozen=True)
class SentenceSet:
    """A set; ``parts`` as in its file."""

    name: str
    parts: dict[str, list[dict[str, Any]]]

    def part(self, name: str) -> list[dict[str, Any]]:
        """One part.

        Raises:
            ValueError: the set lacks it.
        """
        if not self.parts.get(name):
            raise ValueError(f"set {self.name}: has no part {name!r}")
        return self.parts[name]


@dataclass(frozen=True)
class Asked:
    """A question about a world; ``answer`` None = it has none; ``hops`` 0 then."""

    text: str
    answer: str | None
    start: str
    path: tuple[str, ...] = ()

    @property
    def hops(self) -> int:
        """Steps from the start to the answer."""
        return len(self.path)


def load_set(name: str) -> SentenceSet:
    """A set of the package by its name, or a file by its path.

    Raises:
        ValueError: there is none, or it is not of the format; names the place and what is wrong.
    """
    path = Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json"))) or "none"
        raise ValueError(f"set {name!r}: must be a .json file or one of the package: {known}")
    try:
        parts = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise ValueError(f"set {path}: cannot be read: {error}") from error
    if not isinstance(parts, dict) or not all(isinstance(v, list) for v in parts.values()):
        raise ValueError(f"set {path}: must be an object of lists")
    for kind in ("questions", "no_answer"):
        for i, row in enumerate(parts.get(kind, ())):
            _check(row, f"set {path}: {kind}[{i}]", kind == "questions")
    return SentenceSet(path.stem, parts)


def _check(row: Any, where: str, has_path: bool) -> None:
    fields = ("text", "start", "path") if has_path else ("text", "start")
    if not isinstance(row, dict) or any(field not in row for field in fields):
        raise ValueError(f"{where}: must have {', '.join(fields)}")
    if row["start"] not in (*STARTS, STRANGER):
        raise ValueError(f"{where}: start {row['start']!r}: must be one of {', '.join(STARTS)}")
    if _slot(row["start"]) not in row["text"]:
        raise ValueError(f"{where}: text {row['text']!r}: must hold {{{row['start']}}}")


def _slot(start: str) -> str:
    """The placeholder of a start in a template."""
    return "{" + start + "}"


def asked(world: World, chosen: SentenceSet, seed: int, each: int = 1) -> list[Asked]:
    """The set's questions about a world, each template ``each`` times with other names.

    Raises:
        ValueError: a path that leads nowhere in the world; names the template.
    """
    draw = random.Random(f"questions {seed}")
    found = []
    for row in chosen.part("questions"):
        starts = [s for s in sorted(world.starts(row["start"])) if world.walk(s, row["path"])]
        if not starts:
            raise ValueError(
                f"set {chosen.name}: {row['text']!r}: path {row['path']} leads nowhere"
            )
        for start in draw.sample(starts, min(each, len(starts))):
            text = row["text"].replace(_slot(row["start"]), start)
            found.append(Asked(text, world.walk(start, row["path"]), start, tuple(row["path"])))
    return found


def unanswerable(world: World, chosen: SentenceSet, seed: int, each: int = 1) -> list[Asked]:
    """The set's questions without an answer, about a world."""
    draw = random.Random(f"no answer {seed}")
    known = {identity(name) for names in world.things.values() for name in names}
    strangers = Names(draw, known)
    found = []
    for row in chosen.part("no_answer"):
        for _ in range(each):
            if row["start"] == STRANGER:
                start = strangers.people(1)[0]
            else:
                start = draw.choice(sorted(world.starts(row["start"])))
            text = row["text"].replace(_slot(row["start"]), start)
            found.append(Asked(text, None, start))
    return found


def right(answer: str | None, wanted: str | Sequence[str] | None) -> bool:
    """True if an answer is the wanted one, or one of several, whatever its capitals."""
    if answer is None or wanted is None:
        return answer is None and wanted is None
    several = [wanted] if isinstance(wanted, str) else wanted
    return identity(answer) in {identity(w) for w in several}
