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
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from prism.data.contents import digests
from prism.data.document import Document
from prism.data.find import JSON, PARQUET, TEXT, Found, ending_of
from prism.data.find import LINES as LINES_ENDINGS
from prism.data.formats import Format, TextField, document_of
from prism.data.order import Window
from prism.data.passages import LINES, SeparatedFile, StoredBytes, TextFile, open_text
from prism.whole_file import reason

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
            batch = self._next(batches, segment, at)
            rows = batch.to_pylist() if at == cursor else []
            at += batch.num_rows
        if at < total:
            self._open = {segment: (at, batches)}  # going on from here costs nothing
        read = partial(self._document, rows, segment, cursor)
        return Window(len(rows), read, at if at < total else None)

    def _next(self, batches: Iterator[Any], group: int, row: int) -> Any:
        try:
            return next(batches)
        except (ValueError, StopIteration) as error:  # pyarrow's own errors derive from it
            where = f"{self.path} row group {group} row {row}"
            raise ValueError(f"source {self.name}: {where}: cannot be read ({error})") from error

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
        paths: files, told apart by their ending: ``KINDS``; or what :func:`find_files` found.
        format: of the rows of JSON lines and Parquet.

    Raises:
        ValueError: no file, a file that is missing, or of another kind.
    """

    def __init__(
        self, name: str, paths: Found | Sequence[Path], format: Format | None = None
    ) -> None:
        self.name, self._format = name, format or TextField()
        self.found = paths if isinstance(paths, Found) else Found(list(paths))
        self._files: list[Reader] = []
        for path in self.found.files:
            ending, _ = ending_of(path)
            if ending is None:
                must = f"must end in {', '.join(KINDS)} (text and lines also .gz)"
                raise ValueError(f"source {name}: {path}: {must}")
            try:
                self._files.append(KINDS[ending](name, path, self._format))
            except OSError as error:
                raise ValueError(f"source {name}: {path}: {error.strerror or error}") from error
        if len(self._files) == 1 and isinstance(self._files[0], TextFile):
            self._files[0].divide()
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
        return self._files[which].window(segment - first, cursor)

    def listing(self) -> list[list[Any]]:
        """Path, size and digest of the contents of every file.

        Raises:
            ValueError: one cannot be read.
        """
        paths = [file.path for file in self._files]
        try:
            found = digests(paths)
        except OSError as error:
            raise ValueError(f"source {self.name}: {reason(error)}") from error
        return [[str(path), *contents] for path, contents in zip(paths, found, strict=True)]

    def fingerprint(self) -> str:
        """Of the contents, see :mod:`prism.data.contents`, and of how rows are read."""
        files = [[ending_of(Path(path)), *contents] for path, *contents in self.listing()]
        raw = json.dumps([files, repr(self._format)])
        return hashlib.blake2b(raw.encode(), digest_size=16).hexdigest()

    def former_fingerprint(self) -> str:
        """The one of older runs, which was of names and sizes."""
        sizes = [(file.path.name, file.path.stat().st_size) for file in self._files]
        return hashlib.blake2b(json.dumps(sizes).encode(), digest_size=16).hexdigest()


Reader = TextFile | SeparatedFile | LinesFile | ParquetFile | JsonFile
KINDS: dict[str, Callable[[str, Path, Format], Reader]] = {
    **dict.fromkeys(TEXT, open_text),
    **dict.fromkeys(LINES_ENDINGS, LinesFile),
    JSON: JsonFile,
    PARQUET: ParquetFile,
}
