"""Induction: a trigger comes again; predict the symbol that followed it the first time.

    x x A 7 x x x C 2 x B 7 x D 0 x x x B  ->  7

16 ordinary symbols and 8 triggers. The stream is uniform over the ordinary symbols, except for
n = 4 different triggers at random places, no two of them adjacent and none among the last two
symbols before the end. A trigger's value is the ordinary symbol that happens to follow it. The
last token is one of the n triggers again, and only there is a prediction scored. Longer
sequences hold the same four triggers in more filler. It tests whether the model finds the
earlier place by content and reads one step further.

Rule: induction heads (arXiv 2209.11895) in the synthetic form of Mamba (arXiv 2312.00752,
section 4.1.2), which has a single trigger; four make the query's identity matter. Chance: 1/16
blindly; a guess among the four values shown would give 1/4 + 3/4 * 1/16 = 0.297, so a score near
0.3 means "knows what a value is, not which".
"""

from __future__ import annotations

import numpy as np

from tasks.subsets import random_subsets
from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

ORDINARY = 16
TRIGGERS = 8
SHOWN = 4


class Induction(Task):
    """Recall the symbol after one of four triggers; ``length`` T >= 10 so that they fit."""

    name = "induction"
    vocab_size = ORDINARY + TRIGGERS
    metric = "accuracy"
    chance = 1 / ORDINARY
    train_length = 64
    test_lengths = (64, 128, 256, 512)
    lengths = range(2 * SHOWN + 2, MAX_LENGTH + 1)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        rows = np.arange(batch_size)
        tokens = rng.integers(ORDINARY, size=(batch_size, length))
        # Non-adjacent places in a stretch of m are n places in m - n + 1, spread by 0, 1, 2, ...
        stretch = length - 3
        places = random_subsets(rng, batch_size, stretch - SHOWN + 1, SHOWN)
        places = np.sort(places, axis=1) + np.arange(SHOWN)
        triggers = ORDINARY + random_subsets(rng, batch_size, TRIGGERS, SHOWN)
        np.put_along_axis(tokens, places, triggers, axis=1)
        asked = rng.integers(SHOWN, size=batch_size)
        tokens[:, -1] = triggers[rows, asked]
        targets = np.full((batch_size, length), IGNORE)
        targets[:, -1] = tokens[rows, places[rows, asked] + 1]
        return tokens, targets
