"""Records of a table of separated values (RFC 4180, as spreadsheets write it).

A field in quotes may hold the delimiter, line breaks and doubled quotes, and be of any length. A
quote that is opened and not closed must not swallow the rows after it: where the closing quote is
missing, or stands where none can, or the lines in between are rows themselves, the line is bad and
reading goes on at the next one. A line without a quote, nearly every one, is simply split.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from prism.holo.reading.columns import BadRow, column_name

ROWS_INSIDE = 3  # lines inside a field in quotes that are rows themselves: the quote was lost
Record = tuple[int, list[str]]


def csv_records(
    lines: Iterable[str], names: Sequence[str], delimiter: str = ","
) -> Iterator[Record | BadRow]:
    """Line and stripped fields, in the order of ``names``, of each row below the header.

    Raises:
        ValueError: the header has not each of the columns once.
    """
    rows = _rows(lines, delimiter)
    first = next(rows, (1, []))
    if isinstance(first, BadRow):
        raise ValueError(f"line {first.line}: {first.why}")
    header = [column_name(name.strip()) for name in first[1]]
    at = [_place(column_name(name), header, delimiter) for name in names]
    width = len(header)
    for row in rows:
        if isinstance(row, BadRow):
            yield row
        elif len(row[1]) != width:
            yield BadRow(row[0], f"{len(row[1])} fields: must be {width}, as in the header")
        else:
            fields = row[1]
            yield row[0], [fields[place].strip() for place in at]


def _place(name: str, header: list[str], delimiter: str) -> int:
    """The place of a column by its name, in any case if there is none in just this one."""
    for known in (header, [column.casefold() for column in header]):
        wanted = name if known is header else name.casefold()
        if known.count(wanted) == 1:
            return known.index(wanted)
        if known.count(wanted) > 1:
            break
    has = ", ".join(map(repr, header)) or "none"
    hint = ""
    for other, flag in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','")):
        if other != delimiter and len(header) == 1 and other in header[0]:
            hint = f"; try --delimiter {flag}"
    raise ValueError(f"column {name!r}: must be there once; columns: {has}{hint}")


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[Record | BadRow]:
    """Line and fields of each record that is not empty."""
    waiting: deque[str] = deque()
    source, number, width = iter(lines), 0, 0
    while True:
        line = waiting.popleft() if waiting else next(source, None)
        if line is None:
            return
        number += 1
        if '"' not in line:
            text = line.rstrip("\r\n")
            if text:
                fields = text.split(delimiter)
                width = width or len(fields)
                yield number, fields
            continue
        taken = [line]
        try:
            fields = _quoted_record(taken, waiting, source, delimiter, width)
        except ValueError as error:
            waiting.extendleft(reversed(taken[1:]))
            yield BadRow(number, str(error))
            continue
        width = width or len(fields)
        last = number + len(taken) - 1
        if last > number and len(fields) != width:  # all of its lines are named: none is a fact
            yield BadRow(
                number,
                f"a field in quotes goes on to line {last}, which makes a row of {len(fields)} "
                f"fields: must be {width}, as in the header",
            )
        else:
            yield number, fields
        number = last


def _quoted_record(
    taken: list[str], waiting: deque[str], source: Iterator[str], delimiter: str, width: int
) -> list[str]:
    """Fields of the record that starts with the line in ``taken``; lines that it needs besides are
    put there too.

    Raises:
        ValueError: a quote is not closed, or closed where it cannot be.
    """
    fields = split(taken[0].rstrip("\r\n"), delimiter)
    while fields is None:
        line = waiting.popleft() if waiting else next(source, None)
        if line is None:
            raise ValueError("a quote is opened and never closed")
        taken.append(line)
        if '"' in line and '"' in line.replace('""', ""):
            fields = split("".join(taken).rstrip("\r\n"), delimiter)
    inside = taken[1:-1]
    if width > 1 and len(inside) >= ROWS_INSIDE:
        rows = (split(line.rstrip("\r\n"), delimiter) for line in inside if '"' not in line)
        if sum(len(row or ()) == width for row in rows) == len(inside):
            raise ValueError(
                f"a field in quotes takes in {len(inside)} lines that are rows themselves, so a "
                "quote was lost"
            )
    return fields


def split(record: str, delimiter: str) -> list[str] | None:
    """Fields of a record; None if it ends within quotes.

    Raises:
        ValueError: something between a closing quote and the delimiter.
    """
    fields, at = [], 0
    while True:
        if record[at : at + 1] != '"':
            end = record.find(delimiter, at)
            fields.append(record[at:] if end < 0 else record[at:end])
            if end < 0:
                return fields
            at = end + 1
            continue
        end = record.find('"', at + 1)
        while end >= 0 and record[end + 1 : end + 2] == '"':
            end = record.find('"', end + 2)
        if end < 0:
            return None
        fields.append(record[at + 1 : end].replace('""', '"'))
        at = end + 1
        if at == len(record):
            return fields
        if record[at] != delimiter:
            found = f"not {record[at : at + 10]!r}"
            raise ValueError(f"{delimiter!r} expected after a closing quote, {found}")
        at += 1
