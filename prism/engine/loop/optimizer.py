"""Optimizers and schedules: AdamW for everything, or Muon for the hidden matrices.

Matrices are decayed; vectors, scalars and tables are not (:func:`prism.recipe.decays`). Muon
(https://kellerjordan.github.io/posts/muon) orthogonalises the momentum of a matrix; its update is
scaled to the root mean square of AdamW's (arXiv 2502.16982), so one learning rate serves both. The
embedding, the head and parameters that are not matrices stay with AdamW. With ``--weights bf16``
there are no fp32 weights behind the bf16 ones (:mod:`prism.engine.loop.rounding`). AdamW works
element by element, so each rank runs it on its local shards; Muon needs whole matrices.

Learning rate and router exploration are functions of the step (:mod:`prism.recipe`): nothing to
save, nothing to drift.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from prism import recipe
from prism.engine.loop.rounding import RoundedAdamW
from prism.engine.parallel.fsdp import (
    from_local_shard,
    local_shards,
    parameters_on_meta,
    shard_number,
)
from prism.engine.settings import Settings
from prism.recipe import decays

BETA1 = 0.9
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Roles:
    """Names of the parameters by treatment, read off a model before it is sharded.

    Attributes:
        decayed: weight decay applies.
        hidden: matrices inside the blocks, for Muon.
    """

    decayed: frozenset[str]
    hidden: frozenset[str]

    @classmethod
    def of(cls, model: nn.Module) -> Roles:
        """The roles in ``model``, on any device (also meta)."""
        outer = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
        head = getattr(model, "head", None)
        outer |= {id(p) for p in head.parameters()} if isinstance(head, nn.Module) else set()
        decayed, hidden = set(), set()
        for name, p in model.named_parameters():
            if decays(name, p):
                decayed.add(name)
                if p.ndim == 2 and id(p) not in outer:
                    hidden.add(name)
        return cls(frozenset(decayed), frozenset(hidden))

    @classmethod
    def made_by(cls, make: Callable[[], nn.Module]) -> Roles:
        """The roles in the model that ``make`` builds; takes no memory for it."""
        with parameters_on_meta():
            return cls.of(make())


class Optimizers:
    """The optimizers of a run, used as one.

    Attributes:
        parameters: those of the model that are not frozen, by name.
        updated: what an optimizer updates in a parameter's place: itself, or this rank's
            shard.
    """

    def __init__(self, model: nn.Module, roles: Roles, s: Settings) -> None:
        self.parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        muon = roles.hidden if s.optimizer == "muon" else frozenset()
        here = zip(self.parameters.items(), local_shards(self.parameters.values()), strict=True)
        self.updated = {n: p if n in muon else nn.Parameter(mine) for (n, p), mine in here}
        self.partial = [n for n in self.parameters if n not in muon]
        groups = [
            self._group([n for n in self.partial if n in roles.decayed], s.weight_decay),
            self._group([n for n in self.partial if n not in roles.decayed], 0.0),
        ]
        groups = [group for group in groups if group["params"]]
        self.members: list[Optimizer] = [self._adamw(groups, s)]
        if muon:
            matrices = self._group([n for n in self.parameters if n in muon], s.weight_decay)
            self.members.append(
                torch.optim.Muon([matrices], lr=s.lr, momentum=0.95, adjust_lr_fn="match_rms_adamw")
            )

    def _adamw(self, groups: list[dict[str, object]], s: Settings) -> Optimizer:
        betas = (BETA1, s.beta2)
        moments = DTYPES[s.moments or s.weights]
        if s.rounding == "nearest" and moments == DTYPES[s.weights]:
            return AdamW(groups, lr=s.lr, betas=betas, fused=True)
        shard = shard_number(self.parameters.values())
        return RoundedAdamW(groups, s.lr, betas, s.rounding, moments, s.seed, shard)

    def _group(self, names: Sequence[str], weight_decay: float) -> dict[str, object]:
        return {"params": [self.updated[n] for n in names], "weight_decay": weight_decay}

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        for optimizer in self.members:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def step(self) -> None:
        """One step on the gradients that are there."""
        self._follow()
        for optimizer in self.members:
            optimizer.step()

    def _follow(self) -> None:
        """Give the local shards the gradients of the parameters, and their present memory: the
        first forward may move a shard, to pad it."""
        spread = [(self.parameters[n], self.updated[n]) for n in self.partial]
        for (_, mine), now in zip(spread, local_shards(p for p, _ in spread), strict=True):
            mine.data = now
        arrived = [(mine, p.grad) for p, mine in spread if p.grad is not None]
        for (mine, _), grad in zip(arrived, local_shards(g for _, g in arrived), strict=True):
            mine.grad = grad

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for p in (*self.parameters.values(), *self.updated.values()):
            p.grad = None

    def prepare(self, names: Collection[str] | None = None) -> None:
        """Make the moments exist, to be overwritten by those of a checkpoint.

        Args:
            names: those that the checkpoint has, as :meth:`tensors` calls them; a parameter that
                never had a gradient has none. None = those of all parameters.
        """
        known = None if names is None else {name.rpartition(".")[0] for name in names}
        for name, p in self.parameters.items():
            if known is None or name in known:
                p.grad = torch.zeros_like(p)
        self.set_rate(0.0)
        self.step()
        self.zero_grad()

    def tensors(self) -> dict[str, Tensor]:
        """All moments, ``"parameter.moment"`` to the tensor that the next step uses."""
        return dict(self._moments())

    def _moments(self) -> Iterable[tuple[str, Tensor]]:
        for name, p in self.parameters.items():
            mine = self.updated[name]
            for optimizer in self.members:
                for moment, value in optimizer.state.get(mine, {}).items():
                    partial = mine is not p and value.shape == mine.shape
                    yield f"{name}.{moment}", from_local_shard(value, p) if partial else value


def learning_rate(step: int, s: Settings) -> float:
    """Rate of step ``step`` in 0..steps-1, see :mod:`prism.recipe`."""
    warm_up = round(s.warmup * s.steps)
    if s.schedule == "cosine":
        return recipe.cosine(step, s.steps, s.lr, warm_up, s.min_lr_ratio)
    decay = max(1, round(s.decay * s.steps))
    return recipe.wsd(step, s.steps, s.lr, warm_up, decay, s.min_lr_ratio)


def exploration(step: int, s: Settings) -> float:
    """Weight that kinds which lost a token still get: from 1 down to 0."""
    return recipe.exploration(step, s.steps, s.exploration)


def schedule_change(before: Settings, now: Settings, step: int) -> str | None:
    """The change of learning rate and exploration that other ``--steps`` make, in a line; None if
    they go on as they were.

    Args:
        before: settings with which the run was saved.
        now: settings with which it goes on.
        step: steps done.
    """
    if step == 0 or before.steps == now.steps:
        return None
    was, will = learning_rate(step - 1, before), learning_rate(step, now)
    last = learning_rate(now.steps - 1, now)
    line = (
        f"learning rate: was {was:.3g} at step {step:,} of {before.steps:,}; with --steps "
        f"{now.steps} it is {will:.3g} and ends at {last:.3g} ({now.schedule})"
    )
    explored, explores = exploration(step - 1, before), exploration(step, now)
    if abs(explored - explores) > 0.01:
        line += f"; router exploration: was {explored:.2f}, is {explores:.2f}"
    return line
