"""Columns: which fields of a record are keys and which values.

One key column and one value column make a fact of each record. A template makes the key of several
columns, and more value columns make more facts of a record:

    key name, value country            name -> country
    "capital of {name}", value city    capital of <name> -> <city>
    "{} of {name}", values city, coin  city of <name> -> <city>,  coin of <name> -> <coin>
    "capital of {name}" and "coin of {name}", values city, coin: a template for each

``{}`` is the name of the value column; ``{{`` and ``}}`` are braces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, NamedTuple

from prism.holo.keys.normal import normal_key

Part = tuple[str, int | None]  # text, and the place of the field that follows it


def column_name(text: str) -> str:
    """The one spelling of a column's name, by the rule of keys; the text itself if it has none."""
    try:
        return str(normal_key(text))
    except ValueError:
        return text


class FactRow(NamedTuple):
    """A fact, and the line (1 is the first of the file) on which it starts."""

    line: int
    key: str
    value: str


class BadRow(NamedTuple):
    """A line that holds no fact, and the reason."""

    line: int
    why: str


@dataclass(frozen=True)
class Columns:
    """Names of the fields to take.

    Args:
        key: of the key.
        values: of the values.
        templates: of the key, in place of ``key``: one for all values, or one for each.
    """

    key: str = "key"
    values: Sequence[str] = ("value",)
    templates: Sequence[str] = ()
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", column_name(self.key))
        object.__setattr__(self, "values", tuple(map(column_name, self.values)))
        if not self.values:
            raise ValueError("no value column is given")
        for name in self.values:
            if list(self.values).count(name) > 1:
                raise ValueError(f"column {name!r}: is given as value twice")
        if not self.templates:
            if self.key in self.values:
                raise ValueError(f"column {self.key!r}: is both key and value: must be two columns")
            if len(self.values) > 1:
                raise ValueError(
                    f"{len(self.values)} value columns: need a key template, such as "
                    f"'{{}} of {{{self.key}}}', as one key has one value"
                )
        elif len(self.templates) not in (1, len(self.values)):
            raise ValueError(
                f"{len(self.templates)} key templates for {len(self.values)} value columns: must "
                "be one, or as many"
            )
        elif len(self.templates) == 1 < len(self.values) and None not in self._named(0):
            raise ValueError(
                f"key template {self.templates[0]!r}: must hold {{}}, the name of the value "
                "column, where there are several of them"
            )
        keys = [n for i in range(len(self.templates)) for n in self._named(i) if n is not None]
        names = (*(keys if self.templates else [self.key]), *self.values)
        object.__setattr__(self, "names", tuple(dict.fromkeys(names)))

    def taking(self) -> Callable[[int, Sequence[str]], Iterator[FactRow | BadRow]]:
        """A function from a line and the texts of its fields, in the order of ``names``, to the
        facts of a record."""
        at = {name: place for place, name in enumerate(self.names)}
        values = [at[name] for name in self.values]
        if not self.templates:
            return _single(self.key, self.values[0])
        templates = self.templates * (len(values) // len(self.templates))
        keys = [_compiled(t, n, at) for t, n in zip(templates, self.values, strict=True)]
        return _several(self.names, keys, values)

    def _named(self, place: int) -> list[str | None]:
        """Columns that a template names, None for the name of the value column."""
        try:
            found = list(Formatter().parse(self.templates[place]))
        except ValueError as error:
            raise ValueError(f"key template {self.templates[place]!r}: {error}") from error
        for _, name, spec, conversion in found:
            if spec or conversion:
                raise ValueError(
                    f"key template {self.templates[place]!r}: {{{name}}} must be a column's name"
                )
        names = [name or None for _, name, _, _ in found if name is not None]
        if not any(names):
            raise ValueError(
                f"key template {self.templates[place]!r}: names no column, such as {{name}}"
            )
        return names


def _compiled(template: str, column: str, at: dict[str, int]) -> list[Part]:
    """A template as texts and the places of the fields between; ``column`` stands for ``{}``."""
    return [
        (text + column, None) if name == "" else (text, None if name is None else at[name])
        for text, name, _, _ in Formatter().parse(template)
    ]


def _single(key: str, value: str) -> Callable[[int, Any], Iterator[FactRow | BadRow]]:
    """Facts of records with a key and a value."""

    def facts(line: int, fields: Sequence[str]) -> Iterator[FactRow | BadRow]:
        k, v = fields
        if k and v:
            yield FactRow(line, k, v)
        else:
            yield BadRow(line, f"{value if k else key} is empty")

    return facts


def _several(
    names: Sequence[str], keys: list[list[Part]], values: list[int]
) -> Callable[[int, Any], Iterator[FactRow | BadRow]]:
    """Facts of records with templates of keys; where there are several values, an empty one is no
    fact, and no error either."""

    def facts(line: int, fields: Sequence[str]) -> Iterator[FactRow | BadRow]:
        found = False
        for parts, at in zip(keys, values, strict=True):
            value, key = fields[at], ""
            if not value:
                continue
            found = True
            for text, place in parts:
                key += text
                if place is None:
                    continue
                if not fields[place]:
                    yield BadRow(line, f"{names[place]} is empty")
                    return
                key += fields[place]
            yield FactRow(line, key.strip(), value)
        if not found:
            empty = " and ".join(names[at] for at in values)
            yield BadRow(line, f"{empty} is empty" if len(values) == 1 else f"{empty} are empty")

    return facts
