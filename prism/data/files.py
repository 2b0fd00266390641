"""Local files as a source: told apart by their endings, read in the order of their names.

Files of text are read by :mod:`prism.data.passages`. Files of rows are JSON lines, Parquet (extra:
pyarrow) and JSON. Segment k of a file of JSON lines holds the lines that begin in its k-th
``LINES`` bytes, so it is opened at any place without an index. A row group of a Parquet file is a
segment, parsed a thousand rows at a time and only in the columns that are used. A JSON file holds
one list of objects, or one object of objects, and is read whole.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from prism.data.document import Document
from prism.data.formats import Format, TextField, document_of
from prism.data.order import Window
from prism.data.passages import LINES, SeparatedFile, StoredBytes, TextFile, open_text

ROWS = 1000  # of a Parquet file, parsed at a time


class LinesFile:
    """Rows of a JSON lines file."""

    def __init__(self, name: str, path: Path, format: Format) -> None:
        self.name, self.path, self._format = name, path, format
        self._bytes = StoredBytes(name, path)

    def segments(self) -> int:
        return -(-self._bytes.size // LINES)

    def window(self, segment: int, cursor: int) -> Window:
        low, high = segment * LINES, (segment + 1) * LINES
        lines: list[tuple[int, bytes]] = []
        with self._bytes.open() as file:
            if low > 0:
                file.seek(low - 1)
                file.readline()  # the end of the line that began before
            while (start := file.tell()) < high and (line := file.readline()):
                if line.strip():
                    lines.append((start, line))
        return Window(len(lines), lambda i: self._document(*lines[i]))

    def _document(self, start: int, line: bytes) -> Document:
        return document_of(self._format, self.name, line, f"{self.path} at byte {start}")


class ParquetFile:
    """Rows of a Parquet file, its row groups being the segments."""

    def __init__(self, name: str, path: Path, format: Format) -> None:
        self.name, self.path, self._format = name, path, format
        try:
            import pyarrow.parquet as parquet  # an extra
        except ImportError as error:
            needs = "needs pyarrow: pip install 'prism-lm[parquet]'"
            raise ValueError(f"{path}: {needs}") from error
        try:
            self._file = parquet.ParquetFile(path)
        except ValueError as error:  # pyarrow's own errors derive from it
            raise ValueError(f"source {name}: {path}: not a Parquet file ({error})") from error
        known = self._file.schema_arrow.names
        for column in format.columns:
            if column not in known:
                raise ValueError(f"source {name}: {path}: no column {column!r}; there are {known}")
        self._open: dict[int, tuple[int, Iterator[Any]]] = {}

    def segments(self) -> int:
        return int(self._file.num_row_groups)

    def window(self, segment: int, cursor: int) -> Window:
        total = self._file.metadata.row_group(segment).num_rows
        at, batches = self._open.pop(segment, (0, None))
        if batches is None or at != cursor:
            at, batches = 0, self._batches(segment)
        rows: list[dict[str, Any]] = []
        while at <= cursor and at < total:
            batch = next(batches)
            rows = batch.to_pylist() if at == cursor else []
            at += batch.num_rows
        if at < total:
            self._open = {segment: (at, batches)}  # going on from here costs nothing
        read = partial(self._document, rows, segment, cursor)
        return Window(len(rows), read, at if at < total else None)

    def _batches(self, segment: int) -> Iterator[Any]:
        columns = list(self._format.columns)
        return iter(self._file.iter_batches(ROWS, row_groups=[segment], columns=columns))

    def _document(self, rows: list[dict[str, Any]], group: int, first: int, i: int) -> Document:
        where = f"{self.path} row group {group} row {first + i}"
        return document_of(self._format, self.name, rows[i], where)


class JsonFile:
    """Rows of a JSON file."""

    def __init__(self, name: str, path: Path, format: Format) -> None:
        self.name, self.path, self._format = name, path, format

    def segments(self) -> int:
        return 1

    def window(self, segment: int, cursor: int) -> Window:
        return Window(len(self._rows), self._document)

    @cached_property
    def _rows(self) -> list[tuple[str, Any]]:
        """Each with its number or key."""
        try:
            rows = json.loads(self.path.read_bytes())
        except ValueError as error:
            raise ValueError(f"source {self.name}: {self.path}: not JSON ({error})") from error
        if isinstance(rows, list):
            return [(f"row {i}", row) for i, row in enumerate(rows)]
        if isinstance(rows, dict):
            return [(f"key {key!r}", row) for key, row in rows.items()]
        raise ValueError(f"source {self.name}: {self.path}: must be a list or object of objects")

    def _document(self, i: int) -> Document:
        key, row = self._rows[i]
        where = f"{self.path} {key}"
        return document_of(self._format, self.name, row, where)


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
        files = sorted(
            p for p in path.rglob("*") if _kind(p) not in (None, JsonFile) and p.is_file()
        )
        if not files:
            kinds = ", ".join(kind for kind in KINDS if kind != ".json")
            raise ValueError(f"source {name}: folder {path} holds no file of {kinds}")
        return files
    root = Path(path.anchor)
    files = sorted(p for p in root.glob(str(path.relative_to(root))) if p.is_file())
    if not files:
        raise ValueError(f"source {name}: {pattern}: no such file or folder")
    return files


def _kind(path: Path) -> Callable[[str, Path, Format], Reader] | None:
    packed = path.suffix == ".gz"
    kind = KINDS.get(path.with_suffix("").suffix if packed else path.suffix)
    return None if packed and kind not in PACKED else kind
