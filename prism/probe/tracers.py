"""Passive tracers: many optimizers of the same dead rows, driven by one live run.

A dead row has a gradient only through the softmax, ``dL/dw = (1/N) sum_n p_n h_n`` with
``p_n = exp(w h_n - logsumexp_n)``, and hardly acts on anything. So copies of some dead rows can be
updated by any optimizer on the h and logsumexp of the run without disturbing it, and one run gives
a whole ablation.

A copy in the dtype of the live weights takes the gradient that the live rows really got, as clipped
and rounded, plus the difference that its own place makes,

    g = g_live + (clip / N) sum_n (p_n - p_n,live) h_n,

so the copy with the optimizer of the run must equal the live rows to the bit; it is compared at
every step, and figures of a run where it ever differs are void. Others take ``(clip / N) sum p h``
directly in fp32. How well that formula gives the live gradient is recorded too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prism.data import IGNORE, RowBatch
from prism.engine.loop.loss import CrossEntropy
from prism.engine.loop.observer import Observer
from prism.engine.loop.step import Gradients
from prism.probe.glass import CAUSES, Glass
from prism.probe.readings.crystal import crystal
from prism.probe.readings.survival import SHARE, censored, curve, summary
from prism.probe.store.ordinal import bits_of
from prism.probe.variants import Variant
from prism.record import write_json

if TYPE_CHECKING:
    from prism.engine.loop.trainer import Trainer

LIVE = "live"
CAUSES_EVERY = 25  # steps
POINTS, WINDOWS = 100, 20  # of a curve; of causes, over the logarithm of the step


class Tracers(Observer):
    """The tracers of some rows of the head.

    Args:
        path: of the JSON file of figures, written at every checkpoint.
        rows: numbers of dead rows.
        variants: the first must be the optimizer of the run, called ``live``.
        seed: of rows that start elsewhere, and of stochastic rounding.
    """

    name = "tracers"

    def __init__(
        self, path: Path, rows: NDArray[np.int64], variants: Sequence[Variant], seed: int
    ) -> None:
        self.path, self.rows, self.seed = path, torch.from_numpy(rows), seed
        self.variants = list(variants)
        self.copies: list[Glass] = []
        self.saved: dict[str, Any] = {}
        self.unequal: int | None = None  # first step at which the live copy differed
        self.worst = 0.0  # largest relative error of the formula for the live gradient
        self.causes: dict[str, list[dict[str, float]]] = {v.name: [] for v in self.variants}
        self.watching = False

    def before_step(self, run: Trainer, batch: RowBatch) -> None:
        if not self.copies:
            self._begin(run)
        if not self.watching:
            run.model.register_forward_hook(self._see)
            self._optimizer(run).register_step_pre_hook(self._take)
            self.watching = True
        if torch.isin(batch.tokens, self.rows).any() or torch.isin(batch.targets, self.rows).any():
            raise ValueError(f"a batch holds one of the rows {self.rows.tolist()[:8]} ...")
        self._passes: list[tuple[Tensor, Tensor]] = []
        self._valid = (batch.targets != IGNORE).flatten()
        self._grad: Tensor | None = None
        self._run = run

    def after_backward(self, run: Trainer, gradients: Gradients, norm: float) -> None:
        largest = run.spec.s.grad_clip
        clip = min(largest / (norm + 1e-6), 1.0) if largest > 0 else 1.0
        self._scale = clip / max(gradients.targets, 1)

    def after_step(self, run: Trainer, gradients: Gradients, skipped: bool) -> None:
        if skipped or self._grad is None:
            return
        hidden = torch.cat([h for h, _ in self._passes])[self._valid]
        scale = torch.cat([s for _, s in self._passes])[self._valid]
        live, rate = self._grad.float(), self._rate
        direct, *grads = self._gradients(run, live, hidden, scale)
        error = (direct - live).norm() / live.norm().clamp(min=1e-30)
        self.worst = max(self.worst, error.item())
        noted = run.step % CAUSES_EVERY == 0
        for i, (variant, copy) in enumerate(zip(self.variants, self.copies, strict=True)):
            before = copy.p.detach().clone()
            said = copy.step(grads[i].to(copy.p.dtype), rate * variant.rate, noted)
            self.last[i][copy.p.detach() != before] = run.step
            if said is not None:
                self.causes[variant.name].append({"step": run.step, **said})
        if self.unequal is None and not torch.equal(self.copies[0].p, self._live(run)):
            self.unequal = run.step

    def _see(self, model: Any, args: Any, output: Any) -> None:
        if torch.is_grad_enabled() and hasattr(self, "_passes"):
            hidden = output.hidden.detach().flatten(0, -2)
            whole = output.logits.detach().flatten(0, -2).float().logsumexp(dim=-1)
            self._passes.append((hidden, whole))

    def _take(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Note rows, gradient and rate of the run just before its own step."""
        if not hasattr(self, "_run"):
            return
        p = _whole(self._run.model.head.weight)
        self._before = p[self.rows].clone()
        grad = _whole(self._run.model.head.weight.grad)
        self._grad = grad[self.rows].clone()
        self._rate = optimizer.param_groups[0]["lr"]

    def _gradients(self, run: Trainer, live: Tensor, hidden: Tensor, scale: Tensor) -> list[Tensor]:
        """The live rows' gradient by the formula, and that of each copy, ``[R, D]`` fp32.

        ``p_n`` of the rows of all copies is one product, in the dtype of the run: it takes half the
        time of a product for each.
        """
        rows = [self._before, *(copy.p.detach() for copy in self.copies)]
        stacked = torch.cat([w.to(hidden.dtype) for w in rows])
        chance = (hidden @ stacked.T).float().sub_(scale[:, None]).exp_()
        each = chance.unflatten(1, (len(rows), -1))
        near = [
            i
            for i, (variant, w) in enumerate(zip(self.variants, rows[1:], strict=True), start=1)
            if w.dtype == live_dtype(run) and variant.sigma is None
        ]
        direct = self._scale * (each[:, 0].T @ hidden.float())
        each[:, near] -= each[:, :1]
        found = list((self._scale * (chance.T @ hidden.float())).unflatten(0, (len(rows), -1)))
        for i in near:
            found[i] = live + found[i]
        return [direct, *found[1:]]

    def _live(self, run: Trainer) -> Tensor:
        return _whole(run.model.head.weight)[self.rows]

    def _optimizer(self, run: Trainer) -> torch.optim.Optimizer:
        return run.optimizers.members[0]

    def _begin(self, run: Trainer) -> None:
        if not isinstance(run.spec.losses[0], CrossEntropy):
            kind = type(run.spec.losses[0]).__name__
            raise ValueError(f"--tracers: the loss is {kind}; must be the cross-entropy of targets")
        start = self._live(run)
        source = torch.Generator().manual_seed(self.seed)
        lr = run.spec.s.lr
        for variant in self.variants:
            rows = start
            if variant.sigma is not None:
                rows = torch.randn(start.shape, generator=source) * variant.sigma
            maker = variant.optimizer(lr * variant.rate, self.seed)
            self.copies.append(Glass(rows.to(variant.weights), maker))
        self.first = run.step
        self.last = [torch.full(start.shape, run.step) for _ in self.variants]
        if self.saved:
            self._restore()

    def state_dict(self) -> dict[str, Any]:
        if not self.copies:
            return {}
        write_json(self.path, self.report(self._run.step))
        state: dict[str, Any] = {
            "unequal": self.unequal, "worst": self.worst, "causes": self.causes,
            "first": self.first, "steps": [copy.steps for copy in self.copies],
        }  # fmt: skip
        for i, copy in enumerate(self.copies):
            state[f"{i}.weights"] = copy.p.detach()
            state[f"{i}.last"] = self.last[i]
            for name, x in copy.optimizer.state[copy.p].items():
                state[f"{i}.state.{name}"] = x.reshape(1) if x.dim() == 0 else x
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.saved = state

    def on_resume(self, run: Trainer) -> None:
        if self.saved:
            self._begin(run)

    def _restore(self) -> None:
        state = self.saved
        self.unequal, self.worst, self.causes = state["unequal"], state["worst"], state["causes"]
        self.first = state["first"]
        for i, copy in enumerate(self.copies):
            copy.steps = state["steps"][i]
            if copy.steps:  # moments come to be with a step
                copy.step(torch.zeros_like(copy.p), 0.0)
                copy.steps -= 1
            copy.p.data.copy_(state[f"{i}.weights"])
            self.last[i] = state[f"{i}.last"]
            for name, x in copy.optimizer.state[copy.p].items():
                x.copy_(state[f"{i}.state.{name}"].view(x.shape))

    def report(self, step: int) -> dict[str, Any]:
        """The figures after ``step`` steps: curves and causes at steps spread over the logarithm,
        so that a long run's file stays small."""
        steps = step - self.first
        window = round(SHARE * steps)
        times, ends = log_spaced(steps, POINTS), [*log_spaced(steps, WINDOWS), steps - window]
        ends = sorted({x for x in ends if x >= CAUSES_EVERY})
        variants = {}
        for variant, copy, last in zip(self.variants, self.copies, self.last, strict=True):
            moved = last.numpy() - self.first
            lives = censored(moved, np.full((len(moved), 1), steps), window)
            survival = curve(lives.times.ravel(), lives.frozen.ravel())
            bits = bits_of(copy.p.detach())
            variants[variant.name] = {
                "freezing": summary(lives, self.seed),
                "curve": [round(float(survival[min(t, len(survival) - 1)]), 4) for t in times],
                "crystal": crystal(bits).summary(),
                "causes": counted(self.causes[variant.name], self.first, ends, moved.size),
                "sha256": hashlib.sha256(bits.tobytes()).hexdigest(),
            }
        return {
            "first": self.first,
            "step": step,
            "rows": self.rows.tolist(),
            "equal_to_the_bit": self.unequal is None,
            "first_unequal_step": self.unequal,
            "gradient_error": self.worst,
            "times": times,
            "windows": ends,
            "variants": variants,
        }


def log_spaced(steps: int, count: int) -> list[int]:
    """At most ``count`` whole numbers from 0 to ``steps``, evenly over the logarithm."""
    return sorted({0, *np.geomspace(1, max(steps, 1), count - 1).round().astype(int).tolist()})


def counted(
    noted: Sequence[dict[str, float]], first: int, ends: Sequence[int], numbers: int
) -> dict[str, list[int]]:
    """Numbers by cause, summed over the noted steps of each window ``(end before, end]``; and how
    many steps were noted."""
    place = np.searchsorted(ends, [x["step"] - first for x in noted])
    found = {"noted": np.bincount(place, minlength=len(ends))}
    for name in (*CAUSES, "latched", "decay_lost"):
        shares = [x.get(name, 0.0) for x in noted]
        found[name] = (numbers * np.bincount(place, shares, minlength=len(ends))).round()
    return {name: x.astype(int).tolist() for name, x in found.items()}


def live_dtype(run: Trainer) -> torch.dtype:
    """Dtype in which the run keeps its weights."""
    return run.model.head.weight.dtype


def _whole(x: Any) -> Tensor:
    found = x.full_tensor() if hasattr(x, "full_tensor") else x
    return found.detach()
