"""Room of an accumulator: whether a load is still read at the accuracy that was planned.

The closed form takes milliseconds, and a tape asks before every write. Accuracy falls with the load
and with the number of candidates, so a load that was found good vouches for every smaller one: a
little more than what is asked is tried first, and remembered.
"""

from __future__ import annotations

import math

from prism.holo.capacity.planning import predicted_accuracy

AHEAD = (1.5, 1.1, 1.01, 1.001, 1.0001, 1.0)  # times the load that is tried
HIGHEST = 1 - 1e-7  # accuracy of an item that is asked of a tape of long sequences


class Room:
    """Loads that are read right.

    Args:
        dim, banks, decoder, layers: of the accumulator.
        alpha: false-accept rate at which answers count.
    """

    def __init__(self, dim: int, banks: int, alpha: float, decoder: str, layers: int) -> None:
        self._shape = dim, banks, alpha, decoder, layers
        self._good: dict[float, tuple[int, int]] = {}  # by accuracy: items and candidates

    def accuracy(self, items: int, candidates: int) -> float:
        """Share of the items that are read right, by theory."""
        dim, banks, alpha, decoder, layers = self._shape
        size = max(2, candidates)
        return predicted_accuracy(dim, max(1, items), size, banks, alpha, decoder, layers)

    def fits(self, items: int, candidates: int, accuracy: float) -> bool:
        """True if so many items among so many values are read right with this probability."""
        most, widest = self._good.get(accuracy, (0, 0))
        if items <= most and candidates <= widest:
            return True
        for more in AHEAD:
            load = math.ceil(more * items), max(2, math.ceil(more * candidates))
            if self.accuracy(*load) >= accuracy:
                self._good[accuracy] = load
                return True
        return False


def item_accuracy(whole: float, items: int, facts: int) -> float:
    """Accuracy of one item with which facts of so many items in the mean are read whole with
    probability ``whole``; the mean is rounded up to a power of two, so that it seldom changes."""
    length = 1 << max(0, math.ceil(math.log2(items / facts))) if items > facts > 0 else 1
    return min(whole ** (1 / length), max(whole, HIGHEST))
