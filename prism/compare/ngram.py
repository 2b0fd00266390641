"""Witten-Bell n-gram model, the line below which a model of text is undertrained.

    p_k(w | h) = ( c(h w) + n(h) p_(k-1)(w | h') ) / ( c(h) + n(h) ),    p_(-1)(w) = 1 / V

c counts in the training text, n(h) is the number of different ids that follow h there, h' is h
without its first id, and a context that was never seen leaves the shorter one's estimate as it is
(Witten and Bell 1991; Jelinek-Mercer form in Chen and Goodman 1998, section 2.6). It is counted,
not trained: no rate, no seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch

from prism.compare.training import EVALUATION_SEED, sequences_at
from tasks.task import IntArray

if TYPE_CHECKING:
    from tasks import MiniLM

ORDERS = (3, 5)  # the usual line, and the best of 1 to 7 on the built-in corpus

Ids = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


class WittenBell:
    """An n-gram model of ids.

    Args:
        stretches: pieces of training text, each ``[N]`` ids; no n-gram reaches over an edge.
        vocab_size: number of ids V.
        order: n, with ``V ** n < 2 ** 63``.

    Raises:
        ValueError: n-grams of that many ids have no 64-bit code.
    """

    def __init__(self, stretches: Iterable[np.ndarray], vocab_size: int, order: int = 3) -> None:
        if order < 1 or vocab_size**order >= 2**63:
            raise ValueError(
                f"order = {order}, vocab_size = {vocab_size}: V ** n must be < 2 ** 63"
            )
        self.vocab_size, self.order = vocab_size, order
        pieces = [np.asarray(piece, dtype=np.int64) for piece in stretches]
        self._tables = [self._count(pieces, k) for k in range(order)]

    def probability(self, windows: IntArray) -> np.ndarray:
        """``[B, T]`` probability of ids 1..T of ``windows [B, T + 1]``, given those before them in
        the window."""
        windows = np.asarray(windows, dtype=np.int64)
        batch, length = windows.shape[0], windows.shape[1] - 1
        p = np.full((batch, length), 1 / self.vocab_size)
        for k in range(min(self.order, length + 1)):
            grams, times, contexts, total, followers = self._tables[k]
            first = max(k, 1)  # the id at this place is the first with k ids before it
            codes = self._codes(windows, k)[:, first - k :]
            count = _look_up(grams, times, codes)
            context = codes // self.vocab_size
            c, n = _look_up(contexts, total, context), _look_up(contexts, followers, context)
            lower = p[:, first - 1 :]
            known = c > 0
            p[:, first - 1 :] = np.where(known, (count + n * lower) / np.maximum(c + n, 1), lower)
        return p

    def bits(self, windows: IntArray) -> float:
        """Mean bits per id over ids 1..T of ``windows [B, T + 1]``."""
        return float(-np.log(self.probability(windows)).mean() / math.log(2))

    def _codes(self, ids: Ids, k: int) -> Ids:
        """Codes ``[..., N - k]`` of the (k + 1)-grams along the last axis."""
        code = ids[..., : ids.shape[-1] - k]
        for i in range(1, k + 1):
            code = code * self.vocab_size + ids[..., i : ids.shape[-1] - k + i]
        return code

    def _count(self, pieces: list[Ids], k: int) -> tuple[Ids, Ids, Ids, Ids, Ids]:
        """Sorted (k + 1)-grams and their counts; sorted contexts, their counts and followers."""
        codes = [self._codes(piece, k) for piece in pieces if len(piece) > k]
        grams, times = np.unique(np.concatenate(codes or [np.zeros(0, int)]), return_counts=True)
        contexts, first, followers = np.unique(
            grams // self.vocab_size, return_index=True, return_counts=True
        )
        total = np.add.reduceat(times, first) if len(times) else times
        return grams, times, contexts, total, followers


def _look_up(keys: Ids, values: Ids, wanted: Ids) -> Ids:
    """``values`` at ``wanted`` among the sorted ``keys``; 0 where it is missing."""
    if not len(keys):
        return np.zeros_like(wanted)
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


def counted(task: MiniLM, sequences: int) -> dict[str, dict[str, float]]:
    """Bits per byte of n-gram models of the task's training text, ``{n: {length: bits}}``.

    They are measured on the windows that a model is measured on, and see no byte before a window.

    Args:
        sequences: windows of a measurement at the training length.
    """
    pieces = [task.text[first:end] for first, end in task.stretches["train"]]
    models = {n: WittenBell(pieces, task.vocab_size, n) for n in ORDERS}
    found: dict[str, dict[str, float]] = {str(n): {} for n in ORDERS}
    for length in task.test_lengths:
        rows = sequences_at(length, task.train_length, sequences)
        batch = task.batch("test", EVALUATION_SEED, 0, rows, length)
        windows = torch.cat([batch.tokens, batch.targets[:, -1:]], dim=1).numpy()
        for n, model in models.items():
            found[str(n)][str(length)] = model.bits(windows)
    return found
