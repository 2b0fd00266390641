"""Reading of a file of facts: its form by its name, or by its first line where it has none."""

from __future__ import annotations

import gzip
import io
import itertools
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from prism.holo.reading.columns import BadRow, Columns, FactRow
from prism.holo.reading.csv_rows import csv_records
from prism.holo.reading.json_rows import json_records

STDIN = Path("-")
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON = (".jsonl", ".ndjson")
EXTENSIONS = (*DELIMITERS, *JSON)


def read_rows(
    path: Path,
    columns: Columns | None = None,
    delimiter: str | None = None,
    many: bool = False,
) -> Iterator[FactRow | BadRow]:
    """The facts of a table, in order; empty lines are no rows.

    Args:
        path: ``.csv``, ``.tsv`` or ``.tab`` with a header, or ``.jsonl`` or ``.ndjson``, UTF-8,
            each also as ``.gz``; ``-`` is the standard input, JSON lines if it starts with a brace.
        columns: what to take; None = the columns ``key`` and ``value``.
        delimiter: of a table, one character; None = by the name of the file, or a comma.
        many: a list in a field of JSON is as many facts.

    Raises:
        ValueError: another extension, text that is not UTF-8, a damaged ``.gz``, or a table without
            the columns.
        OSError: the file cannot be read.
    """
    columns = Columns() if columns is None else columns
    take = columns.taking()
    for record in read_records(path, columns.names, delimiter, many):
        if isinstance(record, BadRow):
            yield record
        elif many:
            for fields in _single_fields(record[1]):
                yield from take(record[0], fields)
        else:
            yield from take(*record)


def read_records(
    path: Path,
    names: Sequence[str] | Callable[[str], Sequence[str]],
    delimiter: str | None = None,
    many: bool = False,
) -> Iterator[tuple[int, list] | BadRow]:
    """Line and fields ``names`` of each row of a table; see :func:`read_rows`. The names may be a
    function of its first line that is not empty."""
    check_name(path, delimiter)
    with open_table(path) as file:
        yield from _records(file, path, names, delimiter, many)


def check_name(path: Path, delimiter: str | None = None) -> None:
    """Raises:
    ValueError: a name that does not say what is in the file, or a delimiter that cannot be one."""
    suffix = _suffix(path)
    if path != STDIN and suffix not in EXTENSIONS:
        allowed = f"{', '.join(EXTENSIONS[:-1])} or {EXTENSIONS[-1]}"
        raise ValueError(f"extension {suffix!r}: must be {allowed}, with or without .gz")
    if delimiter is None:
        return
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"delimiter {delimiter!r}: must be one character, no quote or line break")
    if suffix in JSON:
        raise ValueError(f"delimiter {delimiter!r}: JSON lines have none")


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """The text of a file; of the standard input for ``-``.

    Raises:
        ValueError: text that is not UTF-8, or a damaged ``.gz``, also where that is found later.
        OSError: the file cannot be read.
    """
    try:
        with _opened(path) as file:
            yield file
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text ({error.reason})") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"not a whole gzip file ({error})") from error


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if path == STDIN:
        if sys.stdin is None:
            raise ValueError("the standard input is closed")
        text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        try:
            yield text
        finally:
            text.detach()
        return
    zipped = path.suffix.lower() == ".gz"
    with path.open("rb") as raw, gzip.open(raw) if zipped else raw as content:
        yield io.TextIOWrapper(content, encoding="utf-8-sig", newline="")


def _records(
    file: TextIO,
    path: Path,
    names: Sequence[str] | Callable[[str], Sequence[str]],
    delimiter: str | None,
    many: bool,
) -> Iterator[tuple[int, list] | BadRow]:
    suffix, lines, begun = _suffix(path), iter(file), [""]
    while not begun[-1].strip() and (line := next(lines, None)) is not None:
        begun.append(line)
    first, lines = begun[-1], itertools.chain(begun[1:], lines)
    names = names(first) if callable(names) else names
    if path == STDIN:
        suffix = ".csv"
        if delimiter is None:
            is_json = first.lstrip().startswith("{")
            suffix = ".jsonl" if is_json else ".tsv" if "\t" in first else ".csv"
    if suffix in JSON:
        return json_records(lines, names, many)
    return csv_records(lines, names, delimiter or DELIMITERS[suffix])


def _single_fields(fields: list) -> Iterable[list[str]]:
    """Records with one text a field, of one with lists in it; an empty list is an empty field."""
    return itertools.product(*((f or [""]) if isinstance(f, list) else [f] for f in fields))  # type: ignore


def _suffix(path: Path) -> str:
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return name.suffix.lower()
