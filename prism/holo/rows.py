"""Facts in files: one row, one fact, and every row that is none with its line and the reason.

CSV (a header line, comma-separated, RFC 4180) and JSON lines (one object a line), both UTF-8. A
key and a value are text; a whole number in JSON is taken as its digits, because a question on a
command line could not tell 7 from "7". White space around them is dropped.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

EXTENSIONS = (".csv", ".jsonl")


@dataclass(frozen=True)
class Row:
    """A fact, and the line (1 is the first of the file) on which it starts."""

    line: int
    key: str
    value: str


@dataclass(frozen=True)
class BadRow:
    """A line that holds no fact, and why."""

    line: int
    why: str


def read_rows(path: Path, key: str = "key", value: str = "value") -> Iterator[Row | BadRow]:
    """The rows of a ``.csv`` or ``.jsonl`` file, in order; empty lines are no rows.

    Args:
        key, value: the columns (CSV) or fields (JSON) to take.

    Raises:
        ValueError: another extension, text that is not UTF-8, or a CSV file without the columns.
        OSError: the file cannot be read.
    """
    read = {".csv": _csv, ".jsonl": _jsonl}.get(path.suffix.lower())
    if read is None:
        allowed = " or ".join(EXTENSIONS)
        raise ValueError(f"extension {path.suffix!r}: must be {allowed}")
    if key == value:
        raise ValueError(f"column {key!r}: is both key and value: must be two columns")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from read(file, key, value)
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 text ({error.reason})") from error


def _csv(file: TextIO, key: str, value: str) -> Iterator[Row | BadRow]:
    # Not strict, the reader would take everything after a lost quote for one field.
    lines = csv.reader(file, strict=True)
    header = [name.strip() for name in next(lines, [])]
    for name in (key, value):
        if header.count(name) != 1:
            has = ", ".join(map(repr, header)) or "none"
            raise ValueError(f"column {name!r}: must be there once; columns: {has}")
    at_key, at_value = header.index(key), header.index(value)
    while True:
        line = lines.line_num + 1
        try:
            fields = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(line, str(error))
            continue
        if not fields:
            continue
        if len(fields) != len(header):
            yield BadRow(line, f"{len(fields)} fields: must be {len(header)}, as in the header")
        else:
            yield _row(line, key, fields[at_key], value, fields[at_value])


def _jsonl(file: TextIO, key: str, value: str) -> Iterator[Row | BadRow]:
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            yield BadRow(line, f"not JSON ({error})")
            continue
        missing = [
            name for name in (key, value) if not isinstance(found, dict) or name not in found
        ]
        if not isinstance(found, dict):
            yield BadRow(line, f"a JSON {type(found).__name__}: must be an object")
        elif missing:
            has = ", ".join(map(repr, found)) or "none"
            yield BadRow(line, f"no field {missing[0]!r}; fields: {has}")
        else:
            yield _row(line, key, found[key], value, found[value])


def _row(line: int, key_name: str, key: Any, value_name: str, value: Any) -> Row | BadRow:
    texts = []
    for name, given in ((key_name, key), (value_name, value)):
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        if not isinstance(given, str):
            return BadRow(line, f"{name} {given!r}: must be text or a whole number")
        given = given.strip()
        if not given:
            return BadRow(line, f"{name} is empty")
        if any("\ud800" <= c <= "\udfff" for c in given):
            return BadRow(line, f"{name} {given!r}: holds half a character (a lone surrogate)")
        texts.append(given)
    return Row(line, *texts)
