"""Running hashes of the tokens that play a part, in 64-bit integers that wrap.

    h(t) = R h(t-1) + mix(token(t))      a run of tokens of the part goes on
    h(t) = R + mix(token(t))             a run begins here
    h(t) = h(t-1)                        the token plays no part

Every case is an affine map ``h -> a h + b``. Affine maps compose associatively, so ``log2 T``
doublings give all T hashes (Hillis & Steele 1986), and as integers are exact, a sequence read in
pieces has the very hashes of the sequence read at once. Polynomial hashing is Karp & Rabin 1987;
``mix`` is the finaliser of SplitMix64 (Steele, Lea & Flood 2014), so that neighbouring token ids
are no neighbours any more.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prism.splitmix import FACTORS, SHIFTS

RADIX = 0x5851F42D4C957F2D  # odd, so multiplying by it loses nothing
SUBJECT_TAG, RELATION_TAG = 0x2545F4914F6CDD1D, 0x1B873593CC9E2D51
MIXERS = tuple(factor - 2**64 for factor in FACTORS)  # as signed numbers


def mix(x: Tensor) -> Tensor:
    """:func:`prism.splitmix.mix` of int64 of any shape, whose bits are the unsigned word's."""
    x = (x ^ _shifted(x, SHIFTS[0])) * MIXERS[0]
    x = (x ^ _shifted(x, SHIFTS[1])) * MIXERS[1]
    return x ^ _shifted(x, SHIFTS[2])


def affine_scan(a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """``h(t) = a(t) h(t-1) + b(t)`` with ``h(-1) = start``.

    Args:
        a, b: ``[B, T]`` int64.
        start: ``[B]`` int64.

    Returns:
        ``[B, T]`` int64, modulo 2^64.
    """
    reach, length = 1, a.shape[1]
    while reach < length:
        before_a = torch.cat([torch.ones_like(a[:, :reach]), a[:, :-reach]], dim=1)
        before_b = torch.cat([torch.zeros_like(b[:, :reach]), b[:, :-reach]], dim=1)
        a, b = a * before_a, a * before_b + b
        reach *= 2
    return a * start[:, None] + b


def run_hashes(
    tokens: Tensor, plays: Tensor, begins: Tensor, fresh: Tensor, start: Tensor
) -> Tensor:
    """The hash of the last run of tokens that play a part, at every position.

    Args:
        tokens: ``[B, T]`` int64 ids.
        plays: ``[B, T]`` bool, the token plays the part.
        begins: ``[B, T]`` bool, it is the first of its run.
        fresh: ``[B, T]`` bool, a document starts here, which knows of no run before.
        start: ``[B]`` int64 hash of the call before, 0 at the start.

    Returns:
        ``[B, T]`` int64.
    """
    goes_on = torch.where(begins, 0, RADIX)
    a = torch.where(plays, goes_on, (~fresh).long())
    b = torch.where(plays, mix(tokens) + torch.where(begins, RADIX, 0), 0)
    return affine_scan(a, b, start)


def fact_keys(subject: Tensor, relation: Tensor) -> Tensor:
    """One int64 key per pair of hashes; the two parts are not interchangeable."""
    return mix(mix(subject + SUBJECT_TAG) + mix(relation + RELATION_TAG))


def fact_key(subject: Sequence[int], relation: Sequence[int]) -> int:
    """The key under which a fact is written: that of its parts as runs of token ids.

    Raises:
        ValueError: a part without tokens.
    """
    return int(fact_keys(_hash_of("subject", subject), _hash_of("relation", relation))[0])


def _hash_of(name: str, ids: Sequence[int]) -> Tensor:
    """``[1]``, by the same scan that reads."""
    if len(ids) == 0:
        raise ValueError(f"{name} = {ids!r}: must hold at least one token id")
    tokens = torch.as_tensor([list(ids)], dtype=torch.long)
    first = torch.arange(len(ids))[None] == 0
    plays, start = torch.ones_like(first), torch.zeros(1, dtype=torch.long)
    return run_hashes(tokens, plays, first, first, start)[:, -1]


def _shifted(x: Tensor, places: int) -> Tensor:
    """Shifted right with zeros coming in; torch's own shift brings the sign in."""
    return (x >> places) & ((1 << (64 - places)) - 1)
