"""Confidence of an answer: how often answers with as many agreeing readings were right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prism.mind.reflect.search import Path

TABLE = {1: 0.87, 2: 0.9, 3: 0.98}


def confidence(path: Path, votes: Mapping[str, Path | None], readings: Sequence[str]) -> float:
    """Probability that the answer at the end of ``path`` is right."""
    agree = sum(p is not None and p.edges[-1].end == path.edges[-1].end for p in votes.values())
    return TABLE[max(1, min(agree, 3))]
