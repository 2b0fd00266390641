"""Confidence of an answer: how often answers with as many agreeing readings were right.

    confidence(k) = (right_k + 1) / (answers_k + 2)          Laplace's rule of succession

``agreement.json`` holds the counts by number of agreeing readings k; ``python -m prism.eval_mind
--calibrate`` writes it from the answers to a set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path as File

from prism.mind.reflect.search import Path

FILE = File(__file__).with_name("agreement.json")


@lru_cache(maxsize=1)
def counts() -> dict[int, tuple[int, int]]:
    """Right answers and all answers, by number of agreeing readings."""
    rows = json.loads(FILE.read_text("utf-8"))["answers"]
    return {int(k): (right, total) for k, (right, total) in rows.items()}


def agreeing(path: Path, votes: Mapping[str, Path | None]) -> int:
    """Readings that chose the end of a path."""
    return sum(p is not None and p.edges[-1].end == path.edges[-1].end for p in votes.values())


def confidence(agree: int) -> float:
    """Probability that an answer on which so many readings agree is right."""
    right, total = counts().get(min(agree, max(counts())), (0, 0))
    return (right + 1) / (total + 2)
