"""Structure of a cloud of rows on its lattice: identical rows, and rows one step apart.

Rows are compared by ordinals (:mod:`prism.probe.store.ordinal`), so the two zeros are one number,
and a distance is right across binades and across zero. *Classes* are sets of identical rows.
Distinct rows are *neighbours* if no coordinate differs by more than one lattice step; *components*
are what neighbours join (union-find). The search for neighbours is exact: rows are sorted by the
coordinate with most values, only those within one step of it are compared, and pairs are dropped
coordinate by coordinate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.probe.store.ordinal import Bits, ordinals

PAIRS = 2_000_000  # compared at once
TOGETHER = 8  # coordinates


@dataclass(frozen=True)
class Crystal:
    """Equal rows, neighbours and components among N rows.

    Attributes:
        classes: ``[N]`` number of the class of each row.
        sizes: ``[C]`` rows of each class.
        edges: ``[E, 2]`` classes that are neighbours.
        lengths: ``[E]`` sum over the coordinates of their distance.
        components: ``[C]`` number of the component of each class.
    """

    classes: NDArray[np.int64]
    sizes: NDArray[np.int64]
    edges: NDArray[np.int64]
    lengths: NDArray[np.int64]
    components: NDArray[np.int64]

    def summary(self) -> dict[str, Any]:
        """Counts: rows, distinct rows, classes of several rows with their sizes, neighbours by
        distance, components of several classes with their classes and rows."""
        joined = np.bincount(self.components)
        rows = np.bincount(self.components, self.sizes).astype(int)
        shared = np.sort(self.sizes[self.sizes > 1])[::-1]
        large = [int(i) for i in np.argsort(-rows, kind="stable") if joined[i] > 1]
        return {
            "rows": len(self.classes),
            "distinct": len(self.sizes),
            "classes": len(shared),
            "class_sizes": shared.tolist(),
            "rows_in_classes": int(shared.sum()),
            "neighbours": len(self.edges),
            "neighbours_by_distance": {
                str(k): n for k, n in sorted(Counter(self.lengths.tolist()).items())
            },
            "components": len(large),
            "component_sizes": [[int(joined[i]), int(rows[i])] for i in large],
        }


def crystal(bits: Bits) -> Crystal:
    """The structure of rows ``[N, D]``."""
    places = ordinals(bits).astype(np.int64)
    nodes, classes, sizes = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    pairs = list(_neighbours(nodes))
    edges = np.concatenate([p for p, _ in pairs]) if pairs else np.zeros((0, 2), np.int64)
    lengths = np.concatenate([n for _, n in pairs]) if pairs else np.zeros(0, np.int64)
    return Crystal(classes.ravel(), sizes, edges, lengths, _components(len(nodes), edges))


def _neighbours(
    nodes: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of distinct rows within one step in every coordinate, and their distances."""
    spread = [len(np.unique(column)) for column in nodes.T]
    order = np.argsort(nodes[:, int(np.argmax(spread))], kind="stable")
    key = nodes[order, int(np.argmax(spread))]
    count = np.searchsorted(key, key + 1, side="right") - np.arange(len(key)) - 1
    begin = 0
    while begin < len(key):
        end = begin + max(1, int(np.searchsorted(np.cumsum(count[begin:]), PAIRS, side="right")))
        left = np.repeat(np.arange(begin, end), count[begin:end])
        first = np.repeat(np.cumsum(count[begin:end]) - count[begin:end], count[begin:end])
        right = left + 1 + np.arange(len(left)) - first
        a, b = order[left], order[right]
        for at in range(0, nodes.shape[1], TOGETHER):
            part = slice(at, at + TOGETHER)
            near = (np.abs(nodes[a, part] - nodes[b, part]) <= 1).all(axis=1)
            a, b = a[near], b[near]
        if len(a):
            yield np.stack([a, b], axis=1), np.abs(nodes[a] - nodes[b]).sum(axis=1)
        begin = end


def _components(size: int, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the component of each of ``size`` nodes."""
    parent = list(range(size))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for a, b in edges.tolist():
        parent[root(a)] = root(b)
    return np.unique([root(i) for i in range(size)], return_inverse=True)[1]
