"""Accumulator of a superposition: B banks of D numbers that hold the sum of all bound pairs.

    H[b] = sum over pairs of bank b of  a_i k_i * v_i,        a_i = +-1 (or a layer's amplitude)

The multiply-add-permute algebra in integers (MAP-I; Gayler 1998): keys k and values v are bipolar
codes, binding is their product, superposition the sum. Integer sums are exact, so subtracting a
pair restores the accumulator bit for bit, and the order of writing leaves no trace. A write that
would leave the range of the integers is refused as a whole, with nothing changed.

One bank of floats also takes pairs of vectors and is differentiable: gradients flow to keys, values
and queries. With bipolar vectors ``unbind(k) = k * H = v + cross-talk``; the cross-talk of N pairs
has variance N - 1 per number (Plate 2003 for holographic memories in general).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.codebook import Codebook
from prism.holo.algebra.codes import bank_of, code_words, unpack_bits

Words = Callable[
    [np.ndarray], np.ndarray
]  # places int64 [n] among N products -> packed signs uint64 [n, W]

DTYPES = {
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "float32": torch.float32,
    "float64": torch.float64,
}
WIDER = {
    "int8": torch.int16,
    "int16": torch.int32,
    "int32": torch.int64,
    "float32": torch.float32,
    "float64": torch.float64,
}
BLOCK = 1 << 18  # signs unpacked at once: what stays in a core's second-level cache


class Accumulator:
    """B x D numbers, sums of packed bipolar products.

    Args:
        banks, dim: B and D.
        dtype: one of ``DTYPES``; floats hold whole numbers exactly up to 2**24 (float64: 2**53).
        device: of the numbers; pairs are summed on the CPU and added there.
    """

    def __init__(
        self, banks: int, dim: int, dtype: str = "int16", device: str | torch.device = "cpu"
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype = {dtype!r}: must be one of {', '.join(DTYPES)}")
        self.dtype = dtype
        self.numbers = torch.zeros(banks, dim, dtype=DTYPES[dtype], device=device)

    @classmethod
    def holding(cls, numbers: Tensor, dtype: str) -> Accumulator:
        """The accumulator of numbers [B, D] that are there already."""
        accumulator = cls.__new__(cls)
        accumulator.dtype, accumulator.numbers = dtype, numbers
        return accumulator

    @property
    def banks(self) -> int:
        """B."""
        return self.numbers.shape[0]

    @property
    def dim(self) -> int:
        """D."""
        return self.numbers.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers."""
        return self.numbers.numel() * self.numbers.element_size()

    @property
    def limit(self) -> int:
        """The greatest magnitude that is held exactly."""
        if self.numbers.dtype.is_floating_point:
            return 2 ** {torch.float32: 24, torch.float64: 53}[self.numbers.dtype]
        return torch.iinfo(self.numbers.dtype).max

    def bind(
        self,
        hashes: np.ndarray,
        ids: np.ndarray,
        codes: Codebook,
        amplitudes: np.ndarray,
        banks: np.ndarray | None = None,
    ) -> np.ndarray:
        """Add ``amplitude * key * value`` of N pairs; negative amplitudes take pairs away.

        Args:
            hashes: uint64 [N], of the keys.
            ids: int64 [N], of the values in ``codes``.
            amplitudes: int64 [N].
            banks: int64 [N], to place pairs together; None = the bank of each key's hash.

        Returns:
            The banks that were written, int64 ascending.

        Raises:
            OverflowError: a sum would leave the range; nothing is written.
        """

        def words(at: np.ndarray) -> np.ndarray:
            return code_words(hashes[at], self.dim) ^ codes.words(ids[at])

        banks = bank_of(hashes, self.banks) if banks is None else banks
        return self.add(banks, words, amplitudes)

    def add(self, banks: np.ndarray, words: Words, amplitudes: np.ndarray) -> np.ndarray:
        """Add N products, or take them away with negative amplitudes.

        Args:
            banks: int64 [N], the bank of each.
            words: gives the packed signs of the products key * value, a block at a time.
            amplitudes: int64 [N].

        Returns:
            The banks that were written, int64 ascending.

        Raises:
            OverflowError: a sum would leave the range; nothing is written.
        """
        if len(banks) == 0:
            return banks
        order = np.argsort(banks, kind="stable")
        touched, starts = np.unique(banks[order], return_index=True)
        ends = np.append(starts[1:], len(banks))

        def total(part: slice, amplitudes: np.ndarray) -> tuple[Tensor, Tensor]:
            """Banks [S] and what will be in them, in a type that is too wide to wrap."""
            sums = segment_sums(order, starts[part], ends[part], words, amplitudes, self.dim)
            where = torch.from_numpy(touched[part]).to(self.numbers.device)
            wide = self.numbers[where].to(WIDER[self.dtype])
            return where, wide + torch.from_numpy(sums).to(where.device)

        # Block by block in place: a copy of all banks would be as large as the accumulator.
        state: tuple[int, tuple[Tensor, Tensor] | None] = 0, None  # banks done, what is in hand
        parts = list(_blocks(ends, max(1, BLOCK // self.dim)))
        try:
            for part in parts:
                where, wide = total(part, amplitudes)
                self._check(float(wide.detach().abs().max()))
                state = state[0], (where, self.numbers[where])
                self.numbers = self._placed(where, wide.to(self.numbers.dtype))
                state = part.stop, None
        except BaseException:  # Ctrl-C too; sums are exact, so what is done can be undone
            if state[1] is not None:
                self.numbers = self._placed(*state[1])
            for part in (part for part in parts if part.stop <= state[0]):
                where, wide = total(part, -amplitudes)
                self.numbers = self._placed(where, wide.to(self.numbers.dtype))
            raise
        return touched

    def superpose(self, other: Accumulator) -> None:
        """Add another accumulator of the same shape; raises OverflowError as :meth:`add`."""
        total = self.numbers.to(WIDER[self.dtype]) + other.numbers.to(self.numbers.device)
        self._check(float(total.detach().abs().max()))
        self.numbers = total.to(self.numbers.dtype)

    def bind_vectors(self, key: Tensor, value: Tensor, sign: int = 1) -> int:
        """Add ``sign * key * value`` of one pair of vectors [D] or of N pairs [N, D]; returns N.

        Raises:
            ValueError: an accumulator of several banks or of integers, vectors of another length or
                number, or a number that is not finite.
        """
        if not self.numbers.dtype.is_floating_point:
            raise ValueError(
                f"dtype {self.dtype}: binding vectors needs a float tape, "
                "HoloTape(dim=..., dtype='float32')"
            )
        key, value = self._vector("key", key), self._vector("value", value)
        if key.ndim != value.ndim:
            shapes = f"key {tuple(key.shape)} and value {tuple(value.shape)}"
            raise ValueError(f"{shapes}: must be one vector each, or as many of both")
        product = (key * value).reshape(-1, self.dim)
        self.numbers = self.numbers + sign * product.sum(0)
        return len(product)

    def unbind(self, query: Tensor) -> Tensor:
        """``query * H``, [D] or [N, D] as the query.

        Raises:
            ValueError: more than one bank, another length, or a number that is not finite.
        """
        return self._vector("query", query) * self.numbers[0]

    def _vector(self, name: str, x: Tensor) -> Tensor:
        """A key, value or query as numbers of the accumulator's type."""
        if self.banks != 1:  # only the hash of a named key chooses among several
            raise ValueError(f"{name}: a vector names no bank; this tape has {self.banks}")
        if x.ndim not in (1, 2) or x.shape[-1] != self.dim:
            shapes = f"must be [{self.dim}] or [N, {self.dim}]"
            raise ValueError(f"{name} of shape {tuple(x.shape)}: {shapes}")
        if not bool(torch.isfinite(x).all()):
            raise ValueError(f"{name}: must be finite, but holds NaN or infinity")
        like = self.numbers
        return x.to(like.device, like.dtype) if like.dtype.is_floating_point else x

    def _placed(self, where: Tensor, rows: Tensor) -> Tensor:
        """The numbers with ``rows`` at the banks ``where``; floats may be part of a graph."""
        where = where.to(rows.device)
        if rows.dtype.is_floating_point:
            return self.numbers.index_copy(0, where, rows)
        return self.numbers.index_copy_(0, where, rows)

    def _check(self, worst: float) -> None:
        if worst > self.limit:
            raise OverflowError(
                f"accumulator of {self.dtype}: a sum would reach {worst:.0f}: must be at most "
                f"{self.limit}; nothing was written (use a wider dtype or more banks)"
            )


def sign_ste(x: Tensor) -> Tensor:
    """Signs +-1 of x (0 counts as +1) with the gradient of the identity where |x| <= 1: the
    straight-through estimator (Bengio et al. 2013, arXiv 1308.3432)."""
    hard = torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
    soft = x.clamp(-1, 1)
    return hard.detach() + (soft - soft.detach())


def segment_sums(
    order: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    words: Words,
    amplitudes: np.ndarray,
    dim: int,
) -> np.ndarray:
    """Sums [S, dim] of amplitude * signs over the facts ``order[starts[s]:ends[s]]``.

    The segments int64 [S] lie side by side and are not empty. The integers of the result are wide
    enough for its amplitudes.
    """
    low, high = int(starts[0]), int(ends[-1])
    totals = np.add.reduceat(amplitudes[order[low:high]], starts - low)
    reach = int(np.add.reduceat(np.abs(amplitudes[order[low:high]]), starts - low).max())
    kind = next(k for k in (np.int16, np.int32, np.int64) if 2 * reach <= np.iinfo(k).max)
    ones = np.zeros((len(starts), dim), kind)  # sums over the facts whose sign is -1
    segment = np.repeat(np.arange(len(starts)), ends - starts)
    rows = max(1, BLOCK // dim)
    for at in range(low, high, rows):
        facts = order[at : min(at + rows, high)]
        own = segment[at - low : at - low + len(facts)]
        first = np.flatnonzero(np.diff(own, prepend=own[0] - 1))
        bits, weight = unpack_bits(words(facts), dim), amplitudes[facts]
        if (weight == weight[0]).all():
            ones[own[first]] += np.add.reduceat(bits, first, axis=0, dtype=kind) * kind(weight[0])
        else:
            ones[own[first]] += np.add.reduceat(bits * weight[:, None].astype(kind), first, axis=0)
    return totals.astype(kind)[:, None] - 2 * ones


def _blocks(ends: np.ndarray, rows: int) -> Iterator[slice]:
    """Cut segments that end at ``ends`` [S] into runs of about ``rows`` facts, none empty."""
    first = 0
    while first < len(ends):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + rows, "right")))
        yield slice(first, last)
        first = last
