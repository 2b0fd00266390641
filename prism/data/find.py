"""The files that a path or pattern means, and those that are passed over, each with its reason.

A folder is every file of a known ending in it and below, in the order of names. Endings count in
any case. Links to files and folders are followed, each folder once. What is passed over is told:
files of other endings, hidden files and folders (``.git``, ``.venv``), macOS's companions of files
(``._a.txt``, ``__MACOSX``), and the folder of a training run, which changes while the run reads. A
pattern finds what is hidden only if it spells the dot.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

TEXT, LINES = (".txt", ".md", ".rst"), (".jsonl", ".ndjson")
JSON, PARQUET = ".json", ".parquet"
ENDINGS = (*TEXT, *LINES, JSON, PARQUET)
RUN_LOCK = "run.lock"  # lies in the folder of every run
RUN_FILES = ("settings.json", "metrics.jsonl")  # likewise, also of older ones
NAMED = 5  # files that a remark names
HIDDEN, MACOS = "hidden", "macOS's own"  # reasons to pass over a file


@dataclass(frozen=True)
class Found:
    """Files in the order of their names; those passed over, by path, with the reason."""

    files: list[Path]
    skipped: dict[str, str] = field(default_factory=dict)

    def remark(self) -> str | None:
        """One line on what was passed over; None if nothing was."""
        if not self.skipped:
            return None
        names = [
            f"{_in_one_line(path)} ({why})" for path, why in list(self.skipped.items())[:NAMED]
        ]
        rest = len(self.skipped) - len(names)
        more = f" and {rest:,} more" if rest else ""
        read = f"{len(self.files):,} file{'s'[: len(self.files) != 1]}"
        return f"{read} read, {len(self.skipped):,} skipped: {', '.join(names)}{more}"


def _in_one_line(path: str) -> str:
    return path if path.isprintable() else json.dumps(path, ensure_ascii=False)[1:-1]


def ending_of(path: Path) -> tuple[str | None, bool]:
    """The known ending of a file in small letters, or None; and whether it is packed (``.gz``)."""
    packed = path.suffix.lower() == ".gz"
    ending = (path.with_suffix("") if packed else path).suffix.lower()
    known = (*TEXT, *LINES) if packed else ENDINGS
    return (ending if ending in known else None), packed


def is_run(folder: Path) -> bool:
    """True for the folder of a training run."""
    return (folder / RUN_LOCK).is_file() or all((folder / name).is_file() for name in RUN_FILES)


def find_files(name: str, pattern: str, base: Path | None = None) -> Found:
    """The file, the files in the folder and below, or what a glob pattern matches.

    In a folder ``.json`` files are passed over: there they are seldom a corpus.

    Args:
        name: of the source, for messages.
        base: folder that a relative ``pattern`` is looked for in first.

    Raises:
        ValueError: there is none, or the folder is that of a run.
    """
    path = placed(pattern, base)
    if path.is_file():
        return Found([path])
    if path.is_dir():
        return _in_folder(name, path)
    if path.exists():
        raise ValueError(f"source {name}: {path} is no regular file; must be a file or a folder")
    root = Path(path.anchor)
    matches = sorted(root.glob(str(path.relative_to(root))))
    files, skipped = [], {}
    for match in (p for p in matches if p.is_file()):
        why = _reason_of_match(match, path)
        if why is None:
            files.append(match)
        else:
            skipped[str(match)] = why
    if not files:
        hint = "; a comma divides sources where pydoc, file:, folder:, hub: or mix: follows"
        said = hint if "," in pattern else ""
        raise ValueError(f"source {name}: {pattern}: no such file or folder{said}")
    return Found(files, skipped)


def placed(pattern: str, base: Path | None) -> Path:
    """A path or pattern, relative to ``base`` if something is there, else as it stands."""
    path = Path(pattern).expanduser()
    if base is not None and not path.is_absolute():
        there = base / path
        if there.exists() or next(iter(base.glob(str(path))), None) is not None:
            return there
    return path


def _in_folder(name: str, root: Path) -> Found:
    if is_run(root):
        raise ValueError(
            f"source {name}: {root} is the folder of a run, whose files change while it trains; "
            "must be another, or a file in it"
        )
    files: list[Path] = []
    skipped: dict[str, str] = {}
    for path in _below(name, root, skipped):
        why = _reason(path)
        if why is None:
            files.append(path)
        else:
            skipped[str(path)] = why
    if not files:
        kinds = ", ".join(ending for ending in ENDINGS if ending != JSON)
        but = f"; it holds {len(skipped):,} other: {next(iter(skipped))}" if skipped else ""
        raise ValueError(f"source {name}: folder {root} holds no file of {kinds}{but}")
    return Found(sorted(files), dict(sorted(skipped.items())))


def _below(name: str, root: Path, skipped: dict[str, str]) -> Iterator[Path]:
    """Whatever is no folder in ``root`` and below; linked folders after all others, so that one
    that is reached twice has its own name."""
    own, linked, seen = deque([root]), deque[Path](), set[Path]()
    while own or linked:
        folder = own.popleft() if own else linked.popleft()
        if folder.resolve() in seen:
            continue
        seen.add(folder.resolve())
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise ValueError(f"source {name}: {folder}: {error.strerror}") from error
        for path in entries:
            if not path.is_dir():
                yield path
            elif path.name == "__MACOSX":
                skipped[f"{path}/"] = MACOS
            elif path.name.startswith("."):
                skipped[f"{path}/"] = HIDDEN
            elif is_run(path):
                skipped[f"{path}/"] = "the folder of a run"
            elif path.is_symlink():
                linked.append(path)
            else:
                own.append(path)


def _reason(path: Path) -> str | None:
    """A reason to pass over a file of a folder."""
    ending, _ = ending_of(path)
    if not path.exists():
        return "a link to nothing"
    if not path.is_file():
        return "no regular file"
    if path.name.startswith("._") or path.name == ".DS_Store":
        return MACOS
    if path.name.startswith("."):
        return HIDDEN
    if ending == JSON:
        return "JSON: name the file to read it"
    return None if ending is not None else "another ending"


def _reason_of_match(path: Path, pattern: Path) -> str | None:
    """A reason to pass over a file that ``pattern`` matches."""
    if _in_run(path):
        return "in the folder of a run"
    named = sum(1 for part in pattern.parts if part.startswith("."))
    hidden = sum(1 for part in path.parts if part.startswith("."))
    return HIDDEN if hidden > named else None


def _in_run(path: Path) -> bool:
    return any(_known_run(folder) for folder in path.resolve().parents)


@cache
def _known_run(folder: Path) -> bool:
    return is_run(folder)
