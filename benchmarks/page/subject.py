"""Subjects and pages: one chapter per measured subject, and the Markdown page they make.

Every number of a page comes from a JSON file under ``benchmarks/results``. What is missing there is
named on the page, with the command that makes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.page.criterion import Criteria, Criterion, counts, criteria_table, judge
from benchmarks.page.markdown import NONE, table
from prism.record import ARCHITECTURE

Content = dict[str, Any]
Files = dict[str, Content | None]  # by name; None = not there
ORIGIN = ("command", "profile", "commit", "code", "prism", "torch", "numpy", "python", "platform")
ORIGIN += ("device", "cpu", "cpus", "started", "finished")  # fields of ``meta`` shown on a page


@dataclass(frozen=True)
class Subject:
    """A chapter of a page of results.

    Attributes:
        name: of its folder; of the entry in ``file`` if ``shares_file``.
        title: heading of the chapter.
        sections: paragraphs and tables, from the content of the file.
        criteria: acceptance criteria, from that content or from None.
        file: JSON under ``benchmarks/results`` with measurements and ``meta``; by default that of
            the name.
        command: writes the file; by default the command of the folder.
        at_head: whether these are listed at the head of the page, not in the chapter.
        figure: draws all of ``file``; None where there is none or another command draws it.
        page: file name of the page.
        shares_file: the file holds several subjects, each under its name.
        of_prism: whether a PRISM model was measured, so that the numbers are those of one
            architecture.
    """

    name: str
    title: str
    sections: Callable[[Content], list[str]]
    criteria: Criteria | None = None
    file: str = "{name}.json"
    command: str = "python -m benchmarks.{name}"
    at_head: bool = False
    figure: Callable[[Content], Figure] | None = None
    page: str = "RESULTS.md"
    shares_file: bool = False
    of_prism: bool = True

    def __post_init__(self) -> None:
        for field in ("file", "command"):
            object.__setattr__(self, field, getattr(self, field).format(name=self.name))

    def content(self, files: Files) -> Content | None:
        """Measurements of the subject; None if there are none."""
        content = files[self.file]
        if content is None or not self.shares_file:
            return content
        part = content.get(self.name)
        return part if part and part["runs"] else None

    def judged(self, files: Files) -> list[Criterion]:
        """The criteria with their verdicts."""
        return [] if self.criteria is None else judge(self.criteria, self.content(files))

    def chapter(self, files: Files) -> list[str]:
        """Heading, criteria unless they are at the head of the page, sections."""
        content, head = self.content(files), f"## {self.title}"
        if content is None:
            return [head, self.missing]
        criteria = [] if self.at_head else self.judged(files)
        if criteria:
            shown = "Acceptance criteria, {met} met, {missed} missed, {open} not judged:"
            head += f"\n\n{shown.format(**counts(criteria))}\n\n{criteria_table(criteria)}"
        return [head, *self.sections(content)]

    @property
    def missing(self) -> str:
        """Text in place of a chapter without measurements."""
        commands = self.command.replace(", then ", "`, then `")
        return f"Not measured yet: `benchmarks/results/{self.file}` comes from `{commands}`."


@dataclass(frozen=True)
class Page:
    """A page of results.

    Attributes:
        file: its name.
        head: title and what a reader must know first.
        criteria: sentence before the list of criteria, with ``{met} {missed} {open}``.
        origin: paragraph before the table of commands, versions and machines.
    """

    file: str
    head: Sequence[str]
    criteria: str
    origin: str = ""

    def text(self, subjects: Sequence[Subject], files: Files) -> str:
        """The whole page.

        Raises:
            ValueError: a file holds what its subject cannot be read from.
        """
        mine = [subject for subject in subjects if subject.page == self.file]
        listed = [c for subject in mine if subject.at_head for c in subject.judged(files)]
        listed.sort(key=lambda criterion: criterion.number)
        parts = [
            *self.head,
            earlier(mine, files),
            "## Acceptance criteria",
            self.criteria.format(**counts(listed)),
        ]
        parts.append(criteria_table(listed))
        for subject in mine:
            parts += subject.chapter(files)
        parts += ["## How it was made", self.origin, _origin(mine, files)]
        return "\n\n".join(part for part in parts if part) + "\n"


def earlier(subjects: Sequence[Subject], files: Files) -> str:
    """Sentence that names the chapters whose PRISM was of an earlier architecture, each with its
    commit, of a comparison the tasks; empty if there are none."""
    old: list[str] = []
    for subject in subjects:
        content = subject.content(files)
        if not subject.of_prism or content is None:
            continue
        meta = content["meta"]
        if "of_task" in meta:
            late = [t for t, of in meta["of_task"].items() if of["architecture"] < ARCHITECTURE]
            old += [f"{subject.title}: {', '.join(late)}"] if late else []
        elif meta.get("architecture", 1) < ARCHITECTURE:
            old.append(f"{subject.title} (commit {meta.get('commit') or 'unknown'})")
    if not old:
        return ""
    return (
        "**Measured with an earlier architecture of PRISM**, not the one that "
        f"docs/ARCHITECTURE.md describes, and not measured again since: {'; '.join(old)}."
    )


def read_files(folder: Path, subjects: Sequence[Subject]) -> Files:
    """The files of all subjects in ``folder``.

    Raises:
        ValueError: a file is there and does not hold a JSON object.
    """
    files: Files = {}
    for name in dict.fromkeys(subject.file for subject in subjects):
        path, files[name] = folder / name, None
        if path.exists():
            try:
                files[name] = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise ValueError(f"{path}: {error}; must be JSON") from error
            if not isinstance(files[name], dict):
                raise ValueError(f"{path}: must hold a JSON object")
    return files


def _origin(subjects: Sequence[Subject], files: Files) -> str:
    """Command, versions, machine and time of each file, or of its entries."""
    known = {
        subject.name if subject.shares_file else subject.file: content["meta"]
        for subject in subjects
        if (content := subject.content(files)) is not None
    }
    if not known:
        return "Nothing has been measured yet."
    rows = [[field, *(str(m.get(field) or NONE) for m in known.values())] for field in ORIGIN]
    return table(["", *known], rows, left=1 + len(known))
