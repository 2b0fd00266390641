"""Markdown from values: tables, and numbers as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prism.compare.statistics import Estimate


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A GitHub table; the first ``left`` columns are text, the others numbers."""
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def interval(value: Estimate, form: str) -> str:
    """``1.23 [1.10, 1.36]``; one seed has no interval."""
    mean = form.format(value.mean).replace("-", "−")
    if value.half_width is None:
        return f"{mean} (one seed)"
    low, high = (form.format(x).replace("-", "−") for x in (value.low, value.high))
    return f"{mean} [{low}, {high}]"


def seconds(value: float) -> str:
    """``12.3 ms`` or ``4.56 s``."""
    return f"{1e3 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def mebibytes(value: float) -> str:
    """``1,234 MiB``."""
    return f"{value / 2**20:,.0f} MiB"
