"""Fuzzy recall: keys and values of one to three tokens; a key that comes again is asked.

    a c 9 | f 8 11 | b a d 7 | ... | a c [9]       scored at c, whose next token is the value

Key tokens 0..6, value tokens 7..14, filler 15. A key is one, two or three different key tokens in
order, a value one to three different value tokens. In the test every key has three. A row starts
with filler and goes on with pairs, sizes and tokens drawn uniformly; a key keeps its value within
the row. The last pair is one that was there before. Scored is every value token of a key that was
there before: the key's last token asks for the first, and each value token for the next. Where one
key's value ends is written nowhere; it follows from the pair's first appearance. It tests recall
when it is not known in advance how many tokens make a key.

Rule: fuzzy in-context recall of MAD (arXiv 2403.17844, appendix B.2). MAD trains on every next
token; here training and test score the same positions. Chance: 1/8 blindly.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

from tasks.task import IGNORE, MAX_LENGTH, IntArray, Task

KEY_TOKENS, VALUE_TOKENS = 7, 8
FILLER = KEY_TOKENS + VALUE_TOKENS
LONGEST = 3  # tokens of a key, and of a value

KEYS = [list(permutations(range(KEY_TOKENS), n)) for n in range(1, LONGEST + 1)]
VALUES = [list(permutations(range(KEY_TOKENS, FILLER), n)) for n in range(1, LONGEST + 1)]


class FuzzyRecall(Task):
    """Recall values of several tokens by keys of several tokens; ``length`` T >= 12."""

    name = "fuzzy_recall"
    vocab_size = FILLER + 1
    metric = "accuracy"
    chance = 1 / VALUE_TOKENS
    train_length = 128
    test_lengths = (128, 256, 512)
    lengths = range(4 * LONGEST, MAX_LENGTH + 1)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        smallest = LONGEST if split == "test" else 1
        tokens = np.full((batch_size, length + 1), FILLER)
        asked = np.zeros((batch_size, length + 1), dtype=bool)
        for row in range(batch_size):
            pairs = _pairs(rng, length + 1, smallest)
            flat = [token for key, value in pairs for token in key + value]
            first = length + 1 - len(flat)
            tokens[row, first:] = flat
            asked[row, first:] = _asked(pairs)
        targets = np.where(asked[:, 1:], tokens[:, 1:], IGNORE)
        return tokens[:, :-1].copy(), targets


def _pairs(
    rng: np.random.Generator, room: int, smallest: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Pairs of at most ``room`` tokens; the last one repeats an earlier one."""
    most = room // (1 + smallest)
    draws = rng.random((most + 1, 4))
    values: dict[tuple[int, ...], tuple[int, ...]] = {}
    pairs, used = [], 0
    for key_size, key, value_size, value in draws:
        keys = KEYS[smallest - 1 + int(key_size * (LONGEST + 1 - smallest))]
        name = keys[int(key * len(keys))]
        choices = VALUES[int(value_size * LONGEST)]
        pair = name, values.setdefault(name, choices[int(value * len(choices))])
        if used + len(pair[0]) + len(pair[1]) + 2 * LONGEST > room:
            break
        pairs.append(pair)
        used += len(pair[0]) + len(pair[1])
    return [*pairs, pairs[int(draws[-1, 0] * len(pairs))]]


def _asked(pairs: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[bool]:
    """True at the tokens of values whose key an earlier pair had."""
    seen: set[tuple[int, ...]] = set()
    asked: list[bool] = []
    for key, value in pairs:
        asked += [False] * len(key) + [key in seen] * len(value)
        seen.add(key)
    return asked
