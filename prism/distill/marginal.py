"""Targets of a smaller vocabulary from a teacher's distributions over a larger one.

Every teacher token v is a sequence of student tokens s_1 .. s_m (bytes, or the tokens of a nested
tokenizer, :mod:`prism.data.bpe.nested`). With p_i the teacher's distribution of its token i and

    M_i(u) = sum of p_i(v) over the tokens v whose sequence begins with u,

the teacher's distribution of the next student token is a ratio of such masses. Where the student
has read whole teacher tokens up to t = token i - 1, the naive target M_i(s) leaks the future: it
knows that the teacher's token ended there, which the text alone does not say. Both cases together,
with a look-back of one token,

    target(s) = ( M_{i-1}(t s) + p_{i-1}(t) M_i(s) ) / M_{i-1}(t).

Within token i, after its first student tokens u,

    target(s) ~ M_{i-1}(t u s) + p_{i-1}(t) M_i(u s),

of a total of M_{i-1}(t u) + p_{i-1}(t) M_i(u). What is missing from the total is the mass of tokens
that end exactly here, after which the teacher was never asked; where it is above ``UNKNOWN`` the
position has no target, and elsewhere the rest is scaled up to 1. Earlier boundaries are taken as
known. (Exact methods: Vieira et al. 2024, arXiv 2412.03719; byte prefixes: arXiv 2410.09303.)

Tokens are sorted by their sequences, so those that begin with u are neighbours, and every mass is a
difference of two running sums.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prism.data.bpe.nested import Pieces, pieces
from prism.data.tokens import ByteTokenizer, FileTokenizer, Tokenizer

UNKNOWN = 0.05  # missing mass above which a position has no target
BATCH = 128  # states whose probabilities are held at once
NONE: tuple[int, ...] = ()
Sums = NDArray[np.float64]  # [V + 1] running sums of the sorted probabilities


def student_pieces(teacher: Tokenizer, student: Tokenizer) -> Pieces:
    """The student's ids that each of the teacher's consists of; empty for special ones that the
    student has not.

    Raises:
        ValueError: the student's tokenizer is neither bytes nor cut from the teacher's.
    """
    if isinstance(student, ByteTokenizer):
        lengths = teacher.byte_lengths.tolist()
        found: Pieces = [
            tuple(teacher.piece(i)) if lengths[i] else NONE for i in range(teacher.vocab_size)
        ]
        found[teacher.end] = (student.end,)
        return found
    if student.fingerprint() == teacher.fingerprint():
        return [(i,) for i in range(teacher.vocab_size)]
    if isinstance(student, FileTokenizer) and isinstance(teacher, FileTokenizer):
        return pieces(teacher.description(), student.description(), str(student.path))
    raise ValueError("the student's tokenizer: must be the teacher's, one cut from it by "
                     "python -m prism.tokenizer cut, or bytes")  # fmt: skip


@dataclass(frozen=True)
class Prefix:
    """The teacher's tokens that begin with a sequence of student tokens.

    Attributes:
        begin, end: their places among the sorted tokens.
        next: ``[c]`` student tokens that may follow within a teacher's token.
        begins, ends: ``[c]`` places of the tokens that go on with each.
    """

    begin: int
    end: int
    next: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    def mass(self, sums: Sums) -> float:
        """M of the sequence."""
        return float(sums[self.end] - sums[self.begin])

    def masses(self, sums: Sums) -> Sums:
        """M of the sequence and one token more, ``[c]``."""
        return sums[self.ends] - sums[self.begins]


class Marginaliser:
    """Sums distributions over the teacher's tokens into targets for the student's.

    Args:
        pieces: student tokens of every teacher token (:func:`student_pieces`).
        vocab_size: V', of the student.
        head: ``[V, D]`` of the teacher.
    """

    def __init__(self, pieces: Pieces, vocab_size: int, head: Tensor) -> None:
        self.pieces, self.vocab_size = pieces, vocab_size
        self.order = sorted((i for i, x in enumerate(pieces) if x), key=lambda i: pieces[i])
        self.sorted = [pieces[i] for i in self.order]
        self.place = dict(zip(self.order, range(len(self.order)), strict=True))
        self.head = head[torch.tensor(self.order)]
        self._known: dict[tuple[int, ...], Prefix] = {}

    def sums(self, states: Tensor) -> Sums:
        """Running sums ``[n, V + 1]`` of the teacher's probabilities after ``states [n, D]``, in
        the order of the sorted tokens; tokens without pieces have no part in them."""
        sums = np.zeros((len(states), len(self.order) + 1))
        for at in range(0, len(states), BATCH):
            p = torch.softmax(states[at : at + BATCH] @ self.head.T, dim=-1).numpy()
            np.cumsum(p, axis=1, dtype=np.float64, out=sums[at : at + len(p), 1:])
        return sums

    def prefix(self, sequence: tuple[int, ...]) -> Prefix:
        """The tokens that begin with ``sequence``; maybe none."""
        found = self._known.get(sequence)
        if found is None:
            found = self._known[sequence] = self._find(sequence)
        return found

    def _find(self, sequence: tuple[int, ...]) -> Prefix:
        depth = len(sequence)
        begin = bisect.bisect_left(self.sorted, sequence)
        end = bisect.bisect_left(self.sorted, (*sequence, self.vocab_size), begin)
        nexts, begins = [], []
        at = begin
        while at < end:
            if len(self.sorted[at]) == depth:  # ends here
                at += 1
                continue
            token = self.sorted[at][depth]
            nexts.append(token)
            begins.append(at)
            at = bisect.bisect_left(self.sorted, (*sequence, token + 1), at, end)
        ends = [*begins[1:], end] if begins else []
        return Prefix(begin, end, *(np.array(x, np.int64) for x in (nexts, begins, ends)))

    def own(self, token: int, sums: Sums) -> float:
        """p of one teacher token."""
        at = self.place[token]
        return float(sums[at + 1] - sums[at])

    def targets(self, ids: Sequence[int], sums: Sums, first: bool) -> tuple[Tensor, Tensor]:
        """Targets of the student tokens that teacher tokens ``ids[1:]`` consist of.

        Args:
            ids: ``[n]`` teacher tokens that follow one another, at least two.
            sums: ``[n, V + 1]``, of the distributions that the ids were drawn from; the first row
                is not read if ``first``.
            first: whether ``ids[0]`` begins the document; nothing is known of its distribution, so
                there is no look-back over it.

        Returns:
            Targets ``[m, V']`` fp32, each a distribution, and the mass ``[m]`` that is missing from
            each before it was scaled; 1 where nothing is known.
        """
        rows: list[NDArray[np.float32]] = []
        missing: list[float] = []
        for i in range(1, len(ids)):
            before = None if first and i == 1 else sums[i - 1]
            for j in range(len(self.pieces[ids[i]])):
                row, total = self._target(ids[i - 1], before, ids[i], sums[i], j)
                known = float(row.sum())
                rows.append((row / known if known > 0 else row).astype(np.float32))
                missing.append(1.0 - known / total if total > 0 else 1.0)
        return torch.from_numpy(np.stack(rows)), torch.tensor(missing)

    def _target(
        self, last: int, before: Sums | None, token: int, now: Sums, j: int
    ) -> tuple[Sums, float]:
        """Masses of the next student token after ``j`` pieces of ``token``, and their total."""
        row = np.zeros(self.vocab_size)
        u = self.pieces[token][:j]
        here = self.prefix(u)
        row[here.next] = here.masses(now)
        total = here.mass(now)
        if before is None:
            return row, total
        p = self.own(last, before)
        longer = self.prefix(self.pieces[last] + u)
        row *= p
        row[longer.next] += longer.masses(before)
        beyond = longer.mass(before) - (p if j == 0 else 0.0)
        return row, p * total + beyond
