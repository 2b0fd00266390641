"""The part of RESULTS.md about the overhead of the trainer."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.page import bars
from benchmarks.page.bars import Bar
from benchmarks.page.markdown import seconds, table


def sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of trainer.json."""
    meta, sizes = content["meta"], content["sizes"]
    rounds = len(sizes[0]["cpu_seconds"]["bare"])
    return [
        f"What the trainer adds to the bare step of the model ({sizes[0]['parameters']:,} "
        "parameters): reading the data, sharding, the guard, the global norm, counting. Processor "
        f"times of one process, both taking turns on the same rows, median of {rounds} rounds. "
        f"{meta['cpu']}, torch {meta['torch']}, threads: {meta['threads']}.",
        table(
            ["rows × tokens", "bare step", "trainer's step", "overhead [95%]"],
            [_row(size) for size in sizes],
        ),
        table(bars.HEAD, [bar.cells for bar in trainer_bars(content)], left=4),
    ]


def trainer_bars(content: dict[str, Any]) -> list[Bar]:
    """The bar on the overhead, at every size."""
    limit = content["bar"]
    return [
        Bar(
            f"S8, {size['rows']} × {size['length']:,}",
            f"overhead of the trainer ≤ {limit:.0%}",
            f"{size['overhead']:.1%}",
            size["overhead"] <= limit,
        )
        for size in content["sizes"]
    ]


def _row(size: dict[str, Any]) -> list[str]:
    bare, trainer = (median(size["cpu_seconds"][name]) for name in ("bare", "trainer"))
    low, high = size["interval"]
    return [
        f"{size['rows']} × {size['length']:,}",
        seconds(bare),
        seconds(trainer),
        f"{size['overhead']:.1%} [{low:.1%}, {high:.1%}]",
    ]
