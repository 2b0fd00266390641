"""Acceptance criterion: what was asked for before measuring, what came out, and the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.page.markdown import interval, table
from prism.compare.statistics import Estimate

NOT_MEASURED = "not measured"
HEAD = ("criterion", "asks", "reached", "verdict")


@dataclass(frozen=True)
class Criterion:
    """One line of the list of requirements.

    Attributes:
        number: as in that list.
        met: None = cannot be judged, because it was not measured or not under the conditions that
            the criterion names.
    """

    number: str
    asks: str
    reached: str = NOT_MEASURED
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.met is None:
            return "–" if self.reached == NOT_MEASURED else "not judged"
        return "met" if self.met else "missed"

    @property
    def cells(self) -> list[str]:
        """The criterion as a row of a table under :data:`HEAD`."""
        return [self.number, self.asks, self.reached, self.verdict]


Criteria = Callable[[Any], list[Criterion]]  # of the content of a file, None = not measured


def judge(criteria: Criteria, content: dict[str, Any] | None) -> list[Criterion]:
    """The criteria for ``content``. A quick run meets and misses none: its sizes are not those that
    the criteria are about."""
    judged = criteria(content)
    if content is None or content["meta"]["profile"] == "full":
        return judged
    return [dataclasses.replace(criterion, met=None) for criterion in judged]


def at_most(
    number: str, asks: str, value: float | None, limit: float, detail: str = ""
) -> Criterion:
    """The criterion ``value <= limit``; ``detail`` is shown after the value."""
    if value is None:
        return Criterion(number, asks)
    return Criterion(number, asks, f"{value:.2f}{detail}", value <= limit)


def on_seeds(
    number: str,
    asks: str,
    value: Estimate | None,
    form: str,
    holds: Callable[[Estimate], bool],
    seeds: int,
) -> Criterion:
    """A criterion on an estimate over seeds, shown in the format ``form`` and judged on at least
    ``seeds`` of them."""
    if value is None:
        return Criterion(number, asks)
    met = holds(value) if value.n >= seeds else None
    return Criterion(number, asks, interval(value, form), met)


def counts(criteria: Sequence[Criterion]) -> dict[str, int]:
    """Number of those that are ``met``, ``missed`` and ``open`` (not judged)."""
    verdicts = {"met": True, "missed": False, "open": None}
    return {name: sum(c.met is met for c in criteria) for name, met in verdicts.items()}


def criteria_table(criteria: Sequence[Criterion]) -> str:
    """Markdown table of the criteria."""
    return table(HEAD, [criterion.cells for criterion in criteria], left=4)


def console_table(title: str, criteria: Sequence[Criterion]) -> Table:
    """The same for a terminal."""
    rows = Table(*HEAD, title=title, title_justify="left", box=None, pad_edge=False)
    for criterion in criteria:
        rows.add_row(*criterion.cells)
    return rows


def find(rows: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any] | None:
    """The first row with these fields."""
    return next((r for r in rows if all(r[k] == v for k, v in fields.items())), None)
