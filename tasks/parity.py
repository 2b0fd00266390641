"""Parity: is the number of ones so far odd?

    y_t = (x_0 + ... + x_t) mod 2

The modular task for bits: x_t uniform in {0, 1}, every position scored against y_t in training
and in tests, answers not fed back. One flip of one bit changes every later answer, and no linear
recurrence with positive eigenvalues can follow it at all lengths; a sign flip per one can. The
early positions are easy, so read the accuracy at the longest length, not at 32.

Rule: parity as in arXiv 2411.12537, scored at every position instead of at the end. Chance: 1/2.
"""

from __future__ import annotations

from tasks.modular import Modular


class Parity(Modular):
    """Running parity of bits; any ``length`` T >= 1."""

    name = "parity"
    modulus = 2
    vocab_size = 2
    chance = 1 / 2
