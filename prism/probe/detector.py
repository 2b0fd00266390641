"""Detector of dead tokens in any model: which rows of its head or embedding were never trained.

Evidence, none of which needs the training text:

    kind       special, partial UTF-8, unreachable by the tokenizer: cannot occur in text
    distance   1 - cosine to the mean of the rows that cannot occur, the cloud's own mean taken off
               first: the indicator of Land & Bartolo 2024 (arXiv 2405.05417)
    shared     rows equal to this one to the bit, or one lattice step apart
    spread     distance to the nearest reference row, over the median among reference rows

Dead rows of a softmax all drift along one direction, so a dead row lies nearer to the other dead
rows than a trained one. ``score`` ranks by that distance; a row that shares its bits with another
comes first. The literature's indicator is a column of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAST = 3  # reference rows
CHUNK = 4096  # rows compared at once


@dataclass(frozen=True)
class Suspicion:
    """Evidence on each of V rows.

    Attributes:
        reference: ``[V]`` bool, rows that cannot occur in text.
        indicator: ``[V]`` that of the literature, small = suspicious.
        spread: ``[V]`` distance to the nearest other reference row, in units of their median.
        shared: ``[V]`` rows with the same bits, itself included.
    """

    reference: NDArray[np.bool_]
    indicator: NDArray[np.float64]
    spread: NDArray[np.float64]
    shared: NDArray[np.int64]

    @property
    def score(self) -> NDArray[np.float64]:
        """``[V]``, small = suspicious."""
        return np.where(self.shared > 1, 0.0, self.spread)

    def table(self, pieces: Sequence[str], kinds: Sequence[str], top: int) -> list[dict[str, Any]]:
        """The ``top`` most suspicious rows with their evidence, and their place by the
        literature's indicator."""
        order = np.argsort(self.score, kind="stable")[:top]
        place = np.argsort(np.argsort(self.indicator, kind="stable"), kind="stable")
        return [
            {
                "id": int(i),
                "piece": pieces[i],
                "kind": kinds[i],
                "spread": float(self.spread[i]),
                "shared": int(self.shared[i]),
                "indicator": float(self.indicator[i]),
                "indicator_place": int(place[i]) + 1,
            }
            for i in order
        ]


def suspicion(weights: Tensor, reference: NDArray[np.bool_]) -> Suspicion:
    """The evidence on the rows ``[V, D]`` of a matrix.

    Raises:
        ValueError: fewer reference rows than can be compared with.
    """
    if reference.sum() < LEAST:
        raise ValueError(
            f"{int(reference.sum())} tokens cannot occur in text; must be at least {LEAST} to "
            "compare the others with"
        )
    rows = weights.detach().float().cpu().numpy().astype(np.float64)
    classes = torch.unique(weights.detach().cpu(), dim=0, return_inverse=True)[1].numpy()
    shared = np.bincount(classes)[classes]
    centred = rows - rows.mean(axis=0)
    toward = centred[reference].mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(toward)
    indicator = 1 - centred @ toward / np.maximum(lengths, 1e-300)
    nearest = _nearest(rows, np.flatnonzero(reference))
    usual = float(np.median(nearest[reference]))
    return Suspicion(reference, indicator, nearest / max(usual, 1e-300), shared)


def _nearest(rows: NDArray[np.float64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each row to the nearest reference row that is not itself."""
    known = rows[reference]
    squares, found = (known**2).sum(axis=1), np.empty(len(rows))
    for begin in range(0, len(rows), CHUNK):
        part = rows[begin : begin + CHUNK]
        far = (part**2).sum(axis=1)[:, None] + squares - 2 * part @ known.T
        own = (reference >= begin) & (reference < begin + len(part))
        far[reference[own] - begin, np.flatnonzero(own)] = np.inf
        found[begin : begin + CHUNK] = np.sqrt(np.maximum(far.min(axis=1), 0.0))
    return found


def separation(score: NDArray[np.float64], dead: NDArray[np.bool_]) -> float:
    """Chance that a dead token has a smaller score than a live one (area under the ROC curve),
    ties one half."""
    order = np.sort(score[~dead])
    below = np.searchsorted(order, score[dead], side="left")
    upto = np.searchsorted(order, score[dead], side="right")
    return float(1 - (below + upto).sum() / 2 / (len(order) * dead.sum()))
