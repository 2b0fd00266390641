"""Noisy recall: key-value pairs with pairs of noise between them; a key that comes again is asked.

    a 3 | f 7 | # ~ | a [3] | % # | f [7]        scored at a and f, where [.] is the token to come

Keys 0..7, values 8..15, noise 16..31. A row is T / 2 pairs. Each is noise with probability 1/5,
two noise tokens drawn uniformly; otherwise a key drawn uniformly and its value, which is drawn
once for each row and key. The last pair is a key that was there before. Scored is every key that
was there before, against its value, the next token of the row. It tests recall by content when
neighbours mean nothing a fifth of the time.

Rule: noisy in-context recall of MAD (arXiv 2403.17844, appendix B.1: 16 noise tokens, share 0.2,
several queries). MAD trains on every next token; here training and test score the same positions.
Chance: 1/8 blindly.
"""

from __future__ import annotations

import numpy as np

from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

KEYS = VALUES = 8
NOISE = 16
NOISE_SHARE = 0.2


class NoisyRecall(Task):
    """Recall values by key among noise; ``length`` T is even and >= 4."""

    name = "noisy_recall"
    vocab_size = KEYS + VALUES + NOISE
    metric = "accuracy"
    chance = 1 / VALUES
    train_length = 128
    test_lengths = (128, 256, 512)
    lengths = range(4, MAX_LENGTH + 1, 2)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        rows, pairs = np.arange(batch_size), length // 2
        values = KEYS + rng.integers(VALUES, size=(batch_size, KEYS))
        keys = rng.integers(KEYS, size=(batch_size, pairs))
        noise = rng.random((batch_size, pairs)) < NOISE_SHARE
        shown = rng.integers(pairs - 1, size=batch_size)  # the pair that the last one repeats
        noise[rows, shown] = noise[:, -1] = False
        keys[:, -1] = keys[rows, shown]
        before = _seen_before(keys, noise)
        tokens = KEYS + VALUES + rng.integers(NOISE, size=(batch_size, length))
        answer = np.take_along_axis(values, keys, axis=1)
        tokens[:, 0::2] = np.where(noise, tokens[:, 0::2], keys)
        tokens[:, 1::2] = np.where(noise, tokens[:, 1::2], answer)
        targets = np.full((batch_size, length), IGNORE)
        targets[:, 0::2] = np.where(before, answer, IGNORE)
        return tokens, targets


def _seen_before(keys: IntArray, noise: np.ndarray) -> np.ndarray:
    """``[B, P]`` True at pairs that are no noise and whose key an earlier such pair had."""
    own = (keys[..., None] == np.arange(KEYS)) & ~noise[..., None]
    earlier = own.cumsum(axis=1) - own
    return (own & (earlier > 0)).any(axis=2)
