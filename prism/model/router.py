"""The polymorphic router: choice and weight of the expert kinds for each token.

    p = softmax(W x)                     in at least fp32
    chosen = top-k of (p + bias)         bias selects, p weighs; k = E runs every kind
    weight_e = E p_e                     1 at the start; carries the router's gradient at k = 1

With ``router_gates="independent"`` every kind has a gate of its own, so that a kind more or less
changes no other kind's weight: parts that were trained apart can be put together by their rows.

    p_e = sigmoid(w_e x + b_e)           the choice is the same
    weight_e = 2 p_e                     1 at the start

Token choice, dropless: a token's choice depends on that token's features alone. The selection bias
is moved only by :meth:`Router.balance`, after an optimiser step, toward *target* loads measured on
batches that are already past (arXiv 2408.15664); a forward never touches it. It is fp32 in a model
of any type: in bf16 small steps would stop moving it. ``epsilon`` in [0, 1] lets the kinds that
lost run at that fraction of their weight while training, so a run can anneal from a soft mixture
(1) to a hard choice (0). The z-loss of a token, ``logsumexp(logits)^2``, keeps logits small
(arXiv 2202.08906). With independent gates the penalty is computed in ``prism.model.block`` from
what the experts add to the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from prism.config import PrismConfig
from prism.model.norm import promote


@dataclass
class Decision:
    """``probability``, ``weight``: ``[B, T, E]``; ``chosen``: ``[B, T, E]`` bool, or None when
    every kind runs; ``load``: ``[E]`` share of real tokens per kind; ``penalty``: ``[B, T]``,
    the z-loss or, of independent gates, the output-norm penalty, which the block sets."""

    probability: Tensor
    weight: Tensor
    chosen: Tensor | None
    load: Tensor
    penalty: Tensor

    @property
    def ran(self) -> Tensor:
        """``[B, T, E]`` bool, the kinds that run for a token."""
        every = self.chosen is None
        return torch.ones_like(self.weight, dtype=torch.bool) if every else self.chosen


def nothing_to_decide(x: Tensor) -> Decision:
    """The decision about ``x [B, T, D]`` of a block without kinds."""
    none = promote(x).new_zeros(*x.shape[:2], 0)
    return Decision(none, none, None, none.new_zeros(0), none.new_zeros(x.shape[:2]))


def mean_of_real(each: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of ``each [B, T, ...]`` over the tokens that are not padding (``valid [B, T]``), 0 if
    there is none."""
    if valid is None:
        return each.mean(dim=(0, 1))
    real = valid.to(each.dtype)
    total = (each * real.view(*real.shape, *[1] * (each.dim() - 2))).sum(dim=(0, 1))
    return total / real.sum().clamp(min=1)


class Router(nn.Module):
    """Args: ``config``; ``kinds`` of this block (E of them)."""

    def __init__(self, config: PrismConfig, kinds: tuple[str, ...]) -> None:
        super().__init__()
        self.kinds = kinds
        self.topk = min(config.topk, len(kinds))
        self.rate = config.balance_rate
        self.epsilon = 0.0
        self.independent = config.router_gates == "independent"
        self.score = nn.Linear(config.d_model, len(kinds), bias=self.independent)
        nn.init.normal_(self.score.weight, std=0.1 * config.d_model**-0.5)
        if self.independent:
            nn.init.zeros_(self.score.bias)
        # constants are no buffers: those would be lost with the meta device's memory
        self.forced = tuple(i for i, kind in enumerate(kinds) if kind in config.always_on)
        self.target = self._targets(config)
        self.register_buffer("selection_bias", torch.zeros(len(kinds), dtype=torch.float32))

    @property
    def exploring(self) -> float:
        """The exploration that holds now: none in evaluation mode."""
        return self.epsilon if self.training else 0.0

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        before = self.selection_bias
        super()._apply(fn, recurse)
        self._keep_fp32(before)
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._keep_fp32(self.selection_bias)  # with assign=True the saved tensor takes its place

    def _keep_fp32(self, values: Tensor) -> None:
        """Make the bias fp32 again, with ``values``, if it was cast."""
        if self.selection_bias.dtype != torch.float32:
            device = self.selection_bias.device
            self.selection_bias = values.to(device=device, dtype=torch.float32)

    def _targets(self, config: PrismConfig) -> tuple[float, ...]:
        """Wanted load per kind, summing to k: the config's, or equal among the kinds that
        compete."""
        count, forced = len(self.kinds), sum(kind in config.always_on for kind in self.kinds)
        if config.balance_target is not None and self.kinds == config.expert_kinds:
            return config.balance_target
        share = (self.topk - forced) / max(count - forced, 1)
        return tuple(1.0 if k in config.always_on else share for k in self.kinds)

    def forward(self, x: Tensor, valid: Tensor | None) -> Decision:
        """Decide for ``x [B, T, D]``; padding (``valid [B, T]`` False) is not in the load."""
        logits = promote(self.score(x))
        if self.independent:
            probability = logits.sigmoid()
            weight = probability * 2
            penalty = torch.zeros_like(logits[..., 0])
        else:
            probability = logits.softmax(dim=-1)
            weight = probability * len(self.kinds)
            penalty = logits.logsumexp(dim=-1).square()
        chosen = None
        if self.topk == len(self.kinds) and valid is None:
            load = logits.new_ones(len(self.kinds))
            return Decision(probability, weight, None, load, penalty)
        if self.topk == len(self.kinds):
            ran = torch.ones_like(probability, dtype=torch.bool)
        else:
            preference = probability.detach() + self.selection_bias
            for i in self.forced:
                preference[..., i] = torch.inf
            best = preference.topk(self.topk, dim=-1).indices
            ran = torch.zeros_like(probability, dtype=torch.bool).scatter(-1, best, True)
            chosen = ran
            if self.exploring > 0:
                weight = torch.where(ran, weight, self.exploring * weight)
                chosen = None
        load = mean_of_real(ran.to(penalty.dtype), valid)
        return Decision(probability, weight, chosen, load.detach(), penalty)

    @torch.no_grad()
    def balance(self, load: Tensor) -> None:
        """Move the selection bias one step toward the target loads.

        Args:
            load: ``[E]`` loads of the batch just trained on. A row that does not sum to k, a sum
                over batches, is first divided by what makes it; one of zeros, of a batch without
                a real token, moves nothing.
        """
        if self.topk == len(self.kinds):
            return
        target = self.selection_bias.new_tensor(self.target)
        load = load.to(target)
        total = load.sum()
        # rows that sum to k but for rounding stay as they are, to the bit
        off = (total - self.topk).abs() > 1e-3 * self.topk
        load = torch.where(off, load * (self.topk / total.clamp(min=1e-12)), load)
        delta = torch.sign(target - load) * self.rate
        delta[list(self.forced)] = 0.0
        self.selection_bias += torch.where(total > 0, delta - delta.mean(), 0.0)
