"""Controls of an experiment on training: labels without information, and wrong answers only.

    shuffled   the targets of a batch are permuted: the same ids as often, no relation to the text
    wrong      likewise, and where the right id comes out, the next id of the batch stands there

Ids that no batch has stay without use, and dead tokens stay dead. What is reported as the loss is
the cross-entropy of the changed targets.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from prism.data import IGNORE
from prism.engine.loop.loss import CrossEntropy, Logs, Rows
from prism.model.protocol import PrismOutput
from prism.splitmix import GAMMA, mix

LABELS = ("right", "shuffled", "wrong")


class ChangedLabels(CrossEntropy):
    """Cross-entropy of changed targets; those of a step depend on the seed, the step and the place
    of the micro-batch alone."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.seed = kind, seed

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        word = mix(mix(self.seed * GAMMA + step) * GAMMA + rows.first)
        targets = changed(rows.targets, self.kind, word >> 1)
        return super().__call__(replace(rows, targets=targets), output, head, step)


def changed(targets: Tensor, kind: str, seed: int) -> Tensor:
    """``targets``, permuted among the valid places; see above."""
    source = torch.Generator().manual_seed(seed)
    valid = targets != IGNORE
    right = targets[valid]
    order = torch.randperm(len(right), generator=source).to(targets.device)
    new = right[order]
    if kind == "wrong":
        ids = right.unique()
        if len(ids) < 2:
            raise ValueError("a batch of one id has no wrong answers")
        following = ids[(torch.searchsorted(ids, right) + 1) % len(ids)]
        new = torch.where(new == right, following, new)
    found = targets.clone()
    found[valid] = new
    return found
