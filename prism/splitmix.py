"""SplitMix64: the reference of the 64-bit mixing that codes, document orders and token hashes use.

    x  <-  (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
    x  <-  (x ^ (x >> 27)) * 0x94D049BB133111EB        modulo 2^64
    x  <-   x ^ (x >> 31)

The finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators"; constants of Stafford's mix 13), a bijection of 64-bit words that looks random. The
generator adds :data:`GAMMA` to its state and mixes it. The forms for arrays are
:func:`prism.holo.algebra.codes.mix` (numpy) and :func:`prism.ops.rolling.mix` (torch).
"""

from __future__ import annotations

WORD = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, made odd
FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
SHIFTS = (30, 27, 31)


def mix(x: int) -> int:
    """The mixed word of an integer, taken modulo 2^64."""
    x &= WORD
    x = (x ^ (x >> SHIFTS[0])) * FACTORS[0] & WORD
    x = (x ^ (x >> SHIFTS[1])) * FACTORS[1] & WORD
    return x ^ (x >> SHIFTS[2])
