"""Local files as a source: told apart by their endings, read in the order of their names."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from prism.data.formats import Format, TextField
from prism.data.order import Window
from prism.data.passages import SeparatedFile, TextFile, open_text
from prism.data.rows import JsonFile, LinesFile, ParquetFile


class Files:
    """Files of one or several kinds, in the order of their names.

    Args:
        name: of the source, for messages.
        paths: files, told apart by their ending: ``KINDS``.
        format: of the rows of JSON lines and Parquet.

    Raises:
        ValueError: no file, a file that is missing, or of another kind.
    """

    def __init__(self, name: str, paths: list[Path], format: Format | None = None) -> None:
        self.name = name
        self._files: list[Reader] = []
        for path in paths:
            kind = _kind(path)
            if kind is None:
                must = f"must end in {', '.join(KINDS)} (text and lines also .gz)"
                raise ValueError(f"source {name}: {path}: {must}")
            try:
                self._files.append(kind(name, path, format or TextField()))
            except OSError as error:
                raise ValueError(f"source {name}: {path}: {error}") from error
        self._ends = list(accumulate(file.segments() for file in self._files))

    @property
    def size(self) -> int:
        """Bytes of all files, as they are stored."""
        return sum(file.path.stat().st_size for file in self._files)

    def segments(self) -> int:
        return self._ends[-1] if self._ends else 0

    def window(self, segment: int, cursor: int) -> Window:
        which = bisect_right(self._ends, segment)
        first = self._ends[which - 1] if which else 0
        file = self._files[which]
        try:
            return file.window(segment - first, cursor)
        except OSError as error:
            raise ValueError(f"source {self.name}: {file.path}: {error}") from error

    def fingerprint(self) -> str:
        sizes = [(file.path.name, file.path.stat().st_size) for file in self._files]
        return hashlib.blake2b(json.dumps(sizes).encode(), digest_size=16).hexdigest()


Reader = TextFile | SeparatedFile | LinesFile | ParquetFile | JsonFile
KINDS: dict[str, Callable[[str, Path, Format], Reader]] = {
    ".txt": open_text,
    ".md": open_text,
    ".rst": open_text,
    ".jsonl": LinesFile,
    ".ndjson": LinesFile,
    ".json": JsonFile,
    ".parquet": ParquetFile,
}
PACKED = (open_text, LinesFile)  # may also end in .gz


def find_files(name: str, pattern: str) -> list[Path]:
    """The file, the files in the folder and below, or what a glob pattern matches.

    In a folder the files of ``KINDS`` are meant, without ``.json``: there it is seldom a corpus.

    Raises:
        ValueError: there is none.
    """
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(
            p for p in path.rglob("*") if _kind(p) not in (None, JsonFile) and p.is_file()
        )
        if not found:
            kinds = ", ".join(kind for kind in KINDS if kind != ".json")
            raise ValueError(f"source {name}: folder {path} holds no file of {kinds}")
        return found
    root = Path(path.anchor)
    found = sorted(p for p in root.glob(str(path.relative_to(root))) if p.is_file())
    if not found:
        raise ValueError(f"source {name}: {pattern}: no such file or folder")
    return found


def _kind(path: Path) -> Callable[[str, Path, Format], Reader] | None:
    packed = path.suffix == ".gz"
    kind = KINDS.get(path.with_suffix("").suffix if packed else path.suffix)
    return None if packed and kind not in PACKED else kind
