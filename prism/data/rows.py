"""Files of rows: JSON lines, Parquet (extra: pyarrow) and JSON.

Segment k of a file of JSON lines holds the lines that begin in its k-th ``LINES`` bytes, so it is
opened at any place without an index (``prism/data/passages.py``).
A row group of a Parquet file is a segment, parsed a thousand rows at a time and only in the columns
that are used. A JSON file holds one list of objects, or one object of objects, and is read whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from prism.data.document import Document
from prism.data.formats import Format, document_of
from prism.data.order import Window
from prism.data.passages import LINES, StoredBytes

ROWS = 1000


class LinesFile:
    """Rows of a JSON lines file."""

    def __init__(self, name: str, path: Path, format: Format) -> None:
        self.name, self.path, self._format = name, path, format
        self._bytes = StoredBytes(name, path)

    def segments(self) -> int:
        return -(-self._bytes.size // LINES)

    def window(self, segment: int, cursor: int) -> Window:
        low, high = segment * LINES, (segment + 1) * LINES
        found: list[tuple[int, bytes]] = []
        with self._bytes.open() as file:
            if low > 0:
                file.seek(low - 1)
                file.readline()  # the end of the line that began before
            while (start := file.tell()) < high and (line := file.readline()):
                if line.strip():
                    found.append((start, line))
        return Window(len(found), lambda i: self._document(*found[i]))

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
