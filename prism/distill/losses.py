"""Losses that learn from a teacher's distribution beside the text.

With t the target of a position, q the student's distribution, w the weight and T a temperature
(Hinton et al. 2015, arXiv 1503.02531),

    loss = (1 - w) (-log q(next token)) + w T^2 D(t_T, q_T),     x_T(v) ~ x(v)^(1/T),

and D one of

    full    KL(t || q) = sum_v t(v) log(t(v) / q(v))
    topk    the same over the k likeliest tokens of t and one bucket for all others
    rs      the same with t replaced by the counts of n draws from it, drawn anew at every step:
            an unbiased estimate, where a top k without a bucket is not (arXiv 2503.16870)

T changes t over its whole vocabulary before anything is left out, so the tail is exact. Where the
teacher says nothing (the first token of a document, text of other sources, masses that are not
known) the loss is the plain cross-entropy. Targets that are not learned, as in a prompt, have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.data import IGNORE
from prism.data.order import mix64
from prism.distill.marginal import UNKNOWN
from prism.distill.targets import StoreTargets
from prism.engine.loop.loss import Ahead, Logs, Loss, Rows, token_losses
from prism.model.norm import promote
from prism.model.protocol import PrismOutput

KINDS = ("full", "topk", "rs")
TINY = 1e-30


@dataclass(frozen=True)
class Recipe:
    """Settings of the loss.

    Attributes:
        kind: of ``KINDS``.
        weight: w in [0, 1].
        temperature: T > 0.
        top_k: k, of topk.
        draws: n, of rs.
        seed: of the draws.
    """

    kind: str
    weight: float = 0.5
    temperature: float = 1.0
    top_k: int = 50
    draws: int = 50
    seed: int = 0


class Distillation(Loss):
    """Cross-entropy and distance from the teacher, over the valid targets.

    Reports the cross-entropy as ``loss``, the distance ``distance`` (0 where there is no target),
    and ``taught``, 1 where there is one.

    Args:
        recipe: the settings.
        sources: of targets; the first that knows a document is asked.
    """

    def __init__(self, recipe: Recipe, sources: Sequence[StoreTargets]) -> None:
        self.recipe, self.sources = recipe, list(sources)

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        return (rows.targets != IGNORE).sum()

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        each = token_losses(output.logits, rows.targets)
        sums, distances, taught = [], [], []
        for r in range(len(each)):
            at, targets = self._known(rows, r)
            ce = each[r]
            if len(at) == 0:
                sums.append(ce.sum())
                distances.append(ce.new_zeros(()))
            else:
                keys = self._keys(rows, r, at, step)
                apart = self.distance(output.logits[r, at], targets.to(ce.device), keys)
                w = self.recipe.weight
                sums.append(ce.sum() + w * (apart.sum() - ce[at].sum()))
                distances.append(apart.detach().sum())
            taught.append(ce.new_tensor(float(len(at))))
        logs = {
            "loss": each.detach().sum(dim=1),
            "distance": torch.stack(distances),
            "taught": torch.stack(taught),
        }
        return torch.stack(sums), logs

    def _known(self, rows: Rows, r: int) -> tuple[Tensor, Tensor]:
        """Positions of row ``r`` with a target that is to be learned, and their targets."""
        positions, targets = [], []
        if rows.document is not None and rows.offset is not None:
            document, offset = rows.document[r].cpu(), rows.offset[r].cpu()
            learned = rows.targets[r].cpu() != IGNORE
            for source in self.sources:
                for known in source.row(document, offset):
                    keep = learned[known.positions] & (known.missing <= UNKNOWN)
                    learned[known.positions] = False  # the next source need not say it again
                    positions.append(known.positions[keep])
                    targets.append(known.targets[keep])
        if not positions:
            return torch.empty(0, dtype=torch.int64), torch.empty(0, 0)
        return torch.cat(positions), torch.cat(targets)

    def _keys(self, rows: Rows, r: int, at: Tensor, step: int) -> list[int]:
        """Seeds of the draws at positions ``at``: the same for any split into rows and ranks."""
        if self.recipe.kind != "rs" or rows.document is None or rows.offset is None:
            return []
        document, offset = rows.document[r].tolist(), rows.offset[r].tolist()
        return [mix64(self.recipe.seed, step, document[i], offset[i]) for i in at.tolist()]

    def distance(self, logits: Tensor, targets: Tensor, keys: Sequence[int]) -> Tensor:
        """``T^2 D`` of every position, ``[k]`` nats.

        Args:
            logits: ``[k, V]`` of the student; V may be above the width of the targets.
            targets: ``[k, V']`` distributions.
            keys: ``[k]`` seeds of the draws of rs.
        """
        r = self.recipe
        log_q = torch.log_softmax(promote(logits) / r.temperature, dim=-1)
        t = targets.to(log_q.dtype)
        if r.temperature != 1:
            t = torch.softmax(t.clamp(min=TINY).log() / r.temperature, dim=-1)
        if r.kind == "topk":
            apart = _buckets(t, log_q, r.top_k)
        else:
            t = t if r.kind == "full" else drawn(t, r.draws, keys)
            within = log_q[:, : t.shape[1]]
            apart = (torch.xlogy(t, t) - t * within).sum(dim=-1)
        return apart * r.temperature**2


def _buckets(t: Tensor, log_q: Tensor, k: int) -> Tensor:
    """KL over the ``k`` likeliest tokens of ``t`` and one bucket of all others."""
    best = t.topk(min(k, t.shape[1]), dim=-1)
    there = log_q.gather(1, best.indices)
    rest = (1 - best.values.sum(dim=-1)).clamp(min=0)
    others = log_q.scatter(1, best.indices, -torch.inf)
    alone = others.isneginf().all(dim=-1)  # no token is left for the bucket
    log_rest = torch.where(alone[:, None], 0.0, others).logsumexp(dim=-1)
    inside = (torch.xlogy(best.values, best.values) - best.values * there).sum(dim=-1)
    return inside + torch.where(alone, 0.0, torch.xlogy(rest, rest) - rest * log_rest)


def drawn(t: Tensor, draws: int, keys: Sequence[int]) -> Tensor:
    """Shares of ``draws`` draws from each of ``t [k, V']``, by inverting its running sum at numbers
    that depend on the key of the position only."""
    cumulative = t.double().cumsum(dim=-1)
    shares = torch.zeros_like(t)
    for row, key in enumerate(keys):
        generator = torch.Generator().manual_seed(key)
        u = torch.rand(draws, generator=generator, dtype=torch.float64).to(t.device)
        found = torch.searchsorted(cumulative[row], u * cumulative[row, -1], right=True)
        found = found.clamp(max=t.shape[1] - 1)
        shares[row].index_add_(0, found, torch.full_like(u, 1 / draws).to(t.dtype))
    return shares
