"""What happens right after growing: does the loss jump, and can every new weight learn?"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.levers.loop import Learner, held_out_loss
from benchmarks.levers.operators import New
from prism.data import RowBatch

EVERY = 10
ALIVE_WITHIN = 2


class Losses:
    """The held-out loss after the first and every tenth of ``watched`` steps.

    Attributes:
        before: that of the learner it is made with.
        seen: one per look.
    """

    def __init__(self, learner: Learner, held_out: Sequence[RowBatch], watched: int) -> None:
        self._held_out, self._watched, self._begun = held_out, watched, learner.step
        self.before = held_out_loss(learner.model, held_out)
        self.seen: list[float] = []

    def __call__(self, learner: Learner) -> None:
        after = learner.step - self._begun
        if after <= self._watched and (after == 1 or after % EVERY == 0):
            self.look(learner)

    def look(self, learner: Learner) -> None:
        """Note the loss of now."""
        self.seen.append(held_out_loss(learner.model, self._held_out))


class Silent:
    """New entries that have had no gradient within two steps.

    Args:
        new: by name of parameter, True where an entry is new.
        begun: the step at which they came.
    """

    def __init__(self, new: New, begun: int) -> None:
        self._silent = {name: entries.clone() for name, entries in new.items()}
        self._begun = begun
        self.new = sum(int(entries.sum()) for entries in new.values())

    def __call__(self, learner: Learner) -> None:
        if learner.step - self._begun > ALIVE_WITHIN:
            return
        for name, parameter in learner.model.named_parameters():
            if parameter.grad is not None:
                self._silent[name] &= parameter.grad == 0

    @property
    def dead(self) -> dict[str, int]:
        """By name of parameter, how many are left, where any is."""
        left = {name: int(entries.sum()) for name, entries in self._silent.items()}
        return {name: count for name, count in left.items() if count}
