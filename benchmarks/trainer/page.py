"""Chapter on the overhead of the trainer, with its criterion."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.page.criterion import Criterion
from benchmarks.page.markdown import columns, seconds


def trainer_sections(content: dict[str, Any]) -> list[str]:
    """Paragraphs and tables, from the content of trainer.json."""
    meta, sizes = content["meta"], content["sizes"]
    rounds = len(sizes[0]["cpu_seconds"]["bare"])
    return [
        f"What the trainer adds to the bare step of the model ({sizes[0]['parameters']:,} "
        "parameters): reading the data, sharding, the guard, the global norm, counting. Processor "
        f"times of one process, both taking turns on the same rows, median of {rounds} rounds. "
        f"{meta['cpu']}, torch {meta['torch']}, threads: {meta['threads']}.",
        columns(
            sizes,
            {
                "rows × tokens": "{rows} × {length:,}",
                "bare step": lambda size: seconds(median(size["cpu_seconds"]["bare"])),
                "trainer's step": lambda size: seconds(median(size["cpu_seconds"]["trainer"])),
                "overhead [95%]": "{overhead:.1%} [{interval[0]:.1%}, {interval[1]:.1%}]",
            },
        ),
    ]


def trainer_criteria(content: dict[str, Any] | None) -> list[Criterion]:
    """The limit on the overhead, at every size of step."""
    if content is None:
        return []
    limit = content["bar"]
    return [
        Criterion(
            f"S8, {size['rows']} × {size['length']:,}",
            f"overhead of the trainer ≤ {limit:.0%}",
            f"{size['overhead']:.1%}",
            size["overhead"] <= limit,
        )
        for size in content["sizes"]
    ]
