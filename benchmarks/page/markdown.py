"""Markdown from rows of measurements: tables by column or by pivot, and numbers as they are read.

A cell is a *spec*: a format template over the fields of a row (``"{facts:,}"``), or a function of
the row. So a table is written down as its columns, not as loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prism.compare.statistics import Estimate, estimate

Row = Mapping[str, Any]
Spec = str | Callable[[Any], str]
NONE = "–"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A GitHub table; the first ``left`` columns are text, the others numbers."""
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *rows])


def columns(rows: Iterable[Row], specs: Mapping[str, Spec], left: int = 1) -> str:
    """One line per row, one column per entry of ``specs`` (heading: cell)."""
    return table(list(specs), [[_cell(row, spec) for spec in specs.values()] for row in rows], left)


def pivot(
    rows: Sequence[Row],
    line: Spec,
    column: Spec,
    cell: Callable[[list[Row]], str],
    corner: str = "",
    order: Callable[[Row], Any] | None = None,
) -> str:
    """One line per value of ``line``, one column per value of ``column``.

    Args:
        line, column: name of the line and of the column that a row belongs to.
        cell: text from all rows of a place.
        corner: heading of the first column.
        order: sorts the columns; lines, and without it columns, come in the order of ``rows``.
    """
    places: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        places.setdefault(_cell(row, line), {}).setdefault(_cell(row, column), []).append(row)
    ordered = rows if order is None else sorted(rows, key=order)
    names = list(dict.fromkeys(_cell(row, column) for row in ordered))
    lines = [[n, *(cell(at[c]) if c in at else NONE for c in names)] for n, at in places.items()]
    return table([corner, *names], lines)


def _cell(row: Row, spec: Spec) -> str:
    return spec.format_map(row) if isinstance(spec, str) else spec(row)


def minus(text: str) -> str:
    """``text`` with the minus sign of typography."""
    return text.replace("-", "−")


def interval(value: Estimate | Sequence[float] | None, form: str) -> str:
    """``1.23 [1.10, 1.36]``, of an estimate or of one value per seed; one has no interval."""
    if value is None:
        return NONE
    if not isinstance(value, Estimate):
        value = estimate(value)
    mean = minus(form.format(value.mean))
    if value.half_width is None:
        return f"{mean} (one seed)"
    return f"{mean} [{minus(form.format(value.low))}, {minus(form.format(value.high))}]"


def percent(value: float | Row) -> str:
    """A share in percent, ``12.34``; of a row with a share and its interval ``12.34 [11, 13]``."""
    if not isinstance(value, Mapping):
        return f"{100 * value:.2f}"
    low, high = 100 * value["low"], 100 * value["high"]
    return f"{100 * value['share']:.2f} [{low:.2f}, {high:.2f}]"


def seconds(value: float) -> str:
    """``12.3 ms`` or ``4.56 s``."""
    return f"{1e3 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def listed(items: Iterable[Any], form: str = "{}") -> str:
    """``1, 2, 3``, each in the format ``form``."""
    return ", ".join(form.format(item) for item in items)
