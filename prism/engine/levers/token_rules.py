"""Rules that weigh single targets: which of them are worth learning from.

Two rules, each a pure function of the losses of the whole global batch.

Excess loss (Rho-1, arXiv 2404.07965): with a reference that was trained on what one wants to learn,

    w = 1  on the share of targets with the largest   loss - loss of the reference,   else 0.

A target that the reference finds hard too is noise or not to be had; one that both find easy is
learned. What is left is what can be learned now.

Recycling: learn more from a target that is hard *for its own kind*. With the mean m_v and the
variance s_v^2 of the loss of token v, running over the steps before this one,

    z = (loss - m_v) / s_v,      w = clip(2^z, 1/4, 4),  then divided by its mean,

so the mean weight over the valid targets is exactly 1 and padding has none. Tokens seen rarely lean
on the moments of all tokens together.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

DECAY = 0.99  # of the running sums, per step
PRIOR = 32.0  # occurrences of "all tokens together" that every token's moments start from
LARGEST = 4.0  # weight before normalisation; its inverse is the smallest
SMALLEST_VARIANCE = 1e-6  # nats^2


def excess_weights(loss: Tensor, reference_loss: Tensor, valid: Tensor, share: float) -> Tensor:
    """1 for the targets to train on, 0 for the others: ``[n, T]`` in the dtype of ``loss``.

    Exactly ``round(share * number of valid targets)`` are chosen over all rows together, at least
    one if there is one; of equals the one that comes first.

    Args:
        loss: ``[n, T]`` nats, of the whole global batch.
        reference_loss: ``[n, T]`` nats, of the reference on the same targets.
        valid: ``[n, T]`` bool, False where there is no target.
        share: in (0, 1].

    Raises:
        ValueError: a share that is not.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share = {share}: must be in (0, 1]")
    total = int(valid.sum())
    keep = min(total, max(1, round(share * total)))
    excess = torch.where(valid, loss - reference_loss, -math.inf).flatten()
    order = excess.argsort(descending=True, stable=True)
    weights = torch.zeros_like(loss).flatten()
    weights[order[:keep]] = 1.0
    return weights.view_as(loss)


class RecyclingWeights:
    """Weights by how hard a target is for its own kind, and the statistics that say so.

    On the CPU, where sums have one order and so the same bits at every run.

    Args:
        vocab_size: V.

    Attributes:
        sums: ``[3, V]`` fp64, decayed sums of loss^0, loss^1, loss^2 of each token; all there is to
            save.
    """

    def __init__(self, vocab_size: int) -> None:
        self.sums = torch.zeros(3, vocab_size, dtype=torch.float64)

    def weights(self, loss: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
        """``[n, T]`` in the dtype of ``loss``: mean 1 over the valid targets, 0 elsewhere.

        All are 1 before the first :meth:`update`.

        Args:
            loss: ``[n, T]`` nats, of the whole global batch.
            targets: ``[n, T]`` int64, token ids; what stands at invalid places does not matter.
            valid: ``[n, T]`` bool, False where there is no target.
        """
        mean, deviation = self._moments()
        ids = targets.clamp(min=0)
        z = (loss.double() - mean[ids]) / deviation[ids]
        limit = math.log2(LARGEST)
        raw = torch.where(valid, torch.exp2(z.clamp(-limit, limit)), 0.0)
        total = raw.sum()
        scale = torch.where(total > 0, valid.sum() / total, 0.0)
        return (raw * scale).to(loss.dtype)

    def update(self, loss: Tensor, targets: Tensor, valid: Tensor) -> None:
        """Take the losses of a step, as in :meth:`weights`, into the statistics."""
        ids, losses = targets[valid], loss.detach()[valid].double()
        self.sums *= DECAY
        for power in range(3):
            self.sums[power].index_add_(0, ids, losses**power)

    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the loss of every token, ``[V]`` each."""
        if not self.sums[0].any():
            never = torch.zeros_like(self.sums[0])
            return never, torch.full_like(never, math.inf)
        pooled = self.sums.sum(dim=1, keepdim=True)
        sums = self.sums + PRIOR * pooled / pooled[0]
        mean, square = sums[1] / sums[0], sums[2] / sums[0]
        return mean, (square - mean**2).clamp(min=SMALLEST_VARIANCE).sqrt()
