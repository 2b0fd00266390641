"""A bar: what was asked for, what came out, and whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Bar:
    """``number`` as in the list of requirements; ``met`` None = cannot be judged, because it was
    not measured or not under the conditions that the bar names."""

    number: str
    asks: str
    reached: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.met is None:
            return "–" if self.reached == NOT_MEASURED else "not judged"
        return "met" if self.met else "missed"

    @property
    def cells(self) -> list[str]:
        """The bar as a row of a table."""
        return [self.number, self.asks, self.reached, self.verdict]


HEAD = ["bar", "asks", "reached", "verdict"]


def at_most(number: str, asks: str, value: float | None, limit: float, text: str = "") -> Bar:
    """The bar ``value <= limit``; ``text`` is shown after the value."""
    if value is None:
        return Bar(number, asks, NOT_MEASURED, None)
    return Bar(number, asks, f"{value:.2f}{text}", value <= limit)


def find(rows: list[dict[str, Any]], **fields: Any) -> dict[str, Any] | None:
    """The first row with these fields."""
    return next((r for r in rows if all(r[k] == v for k, v in fields.items())), None)
