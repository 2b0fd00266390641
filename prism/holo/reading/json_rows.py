"""Records of JSON lines: an object a line.

Numbers are taken as they are written, digit by digit, because that is what a question on a command
line can say, and what CSV would hold; true and false are "true" and "false". With ``many`` a field
may be a list of such values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prism.holo.reading.columns import BadRow, column_name


class _Twice(ValueError):
    """A field that is given twice in an object."""


class _Number(str):
    """A number as it was written."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Twice(f"field {twice!r} is given twice")
    return record


def _constant(name: str) -> Any:
    raise _Twice(f"not JSON ({name} is no number of it)")


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_constant
)


def json_records(
    lines: Iterable[str], names: Sequence[str], many: bool = False
) -> Iterator[tuple[int, list[Any]] | BadRow]:
    """Line and texts of the fields ``names`` of each object; empty lines are no rows.

    Args:
        many: a field may be a list, whose texts are then given as one.
    """
    for line, text in enumerate(lines, start=1):
        text = text.strip()
        if not text:
            continue
        try:
            record = DECODER.decode(text)
            yield line, _fields(record, names, many)
        except _Twice as error:
            yield BadRow(line, str(error))
        except (json.JSONDecodeError, RecursionError) as error:
            yield BadRow(line, f"not JSON ({error})")
        except ValueError as error:
            yield BadRow(line, str(error))


def _fields(record: Any, names: Sequence[str], many: bool) -> list[Any]:
    if not isinstance(record, dict):
        kind = "text" if isinstance(record, str) else type(record).__name__
        raise ValueError(f"a JSON {kind}: must be an object")
    fields = []
    for name in names:
        value = record.get(name, record)
        if value is record:
            wanted = column_name(name).casefold()
            folded = {column_name(known).casefold(): known for known in record}
            if len(folded) < len(record) or wanted not in folded:
                has = ", ".join(map(repr, record)) or "none"
                raise ValueError(f"no field {name!r}; fields: {has}")
            value = record[folded[wanted]]
        if many and isinstance(value, list):
            fields.append([_text(name, item) for item in value])
        else:
            fields.append(_text(name, value, many))
    return fields


def _text(name: str, value: Any, many: bool = False) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        hint = "; --many takes lists" if isinstance(value, list) and not many else ""
        raise ValueError(
            f"{name} {json.dumps(value)[:60]}: must be text, a number, true or false{hint}"
        )
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError(f"{name} {value!r}: holds half a character (a lone surrogate)")
    return value.strip()
