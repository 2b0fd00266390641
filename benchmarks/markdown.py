"""Markdown from values: tables, and numbers as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A GitHub table; the first ``left`` columns are text, the others numbers."""
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def seconds(value: float) -> str:
    """``12.3 ms`` or ``4.56 s``."""
    return f"{1e3 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def mebibytes(value: float) -> str:
    """``1,234 MiB``."""
    return f"{value / 2**20:,.0f} MiB"
