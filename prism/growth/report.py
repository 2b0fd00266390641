"""Report of growth: the change of every tensor and of its moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from prism.growth.rules import TensorGrowth


@dataclass(frozen=True)
class TensorReport:
    """One tensor.

    Attributes:
        name: in the grown model.
        how: ``"copied"`` (no new entries), ``"padded"`` (some are new) or ``"fresh"`` (all are).
        source: the tensor that it comes from; None if fresh.
        before, after: shapes; ``before`` is None if fresh.
        scale: factors of the old entries, each once.
        added: number of new entries.
        note: what the new entries are.
        moments: what became of the optimiser's moments; empty without an optimiser.
    """

    name: str
    how: str
    source: str | None
    before: tuple[int, ...] | None
    after: tuple[int, ...]
    scale: tuple[float, ...] = ()
    added: int = 0
    note: str = ""
    moments: str = ""

    def line(self) -> str:
        """One line of text."""
        shape = "x".join(map(str, self.after))
        if self.before is not None and self.before != self.after:
            shape = f"{'x'.join(map(str, self.before))} -> {shape}"
        parts = [f"{self.how:6}  {self.name}  {shape}"]
        if self.source not in (None, self.name):
            parts.append(f"from {self.source}")
        if self.scale not in ((), (1.0,)):
            parts.append("times " + ", ".join(f"{s:.6g}" for s in self.scale))
        parts += [text for text in (self.note, self.moments) if text]
        return "; ".join(parts)


@dataclass(frozen=True)
class GrowthReport:
    """All tensors, and what may be said of the whole.

    Attributes:
        method: ``"exact"`` or ``"stack"``.
        exact: the grown model computes the same function.
        parameters: trainable numbers before and after.
        blocks: old block of each new block, None for a new one.
        tensors: in the order of the grown model.
        warm_up_bound: largest ratio of a new entry's update to the learning rate while its moments
            fill up, for the optimiser's betas; None without an Adam.
    """

    method: str
    exact: bool
    parameters: tuple[int, int]
    blocks: tuple[int | None, ...]
    tensors: tuple[TensorReport, ...]
    warm_up_bound: float | None = None

    def __str__(self) -> str:
        before, after = self.parameters
        kept = "the same function" if self.exact else "NOT the same function: blocks were repeated"
        lines = [f"{self.method}: {before:,} -> {after:,} parameters, {kept}"]
        if self.warm_up_bound is not None:
            times = f"{self.warm_up_bound:.2g} times the learning rate"
            lines.append(f"updates of new entries reach {times} while their moments fill up")
        return "\n".join([*lines, *(tensor.line() for tensor in self.tensors)])


def starts_at_zero(name: str) -> bool:
    """True if the tensor ``name`` of a part that was not there is 0, so that the part adds nothing:
    output projections, and the weight of the symbolic machine in a new block."""
    return name.endswith((".write.weight", ".symbolic.weight", ".skip.weight"))


def tensors_report(
    tensors: Mapping[str, TensorGrowth],
    old: nn.Module,
    new: nn.Module,
    optimizer: Optimizer | None,
) -> tuple[TensorReport, ...]:
    """Change of every tensor of ``new``; ``optimizer`` is that of ``old``."""
    before, after = old.state_dict(), new.state_dict()
    parameters = dict(old.named_parameters())
    rows = []
    for name, growth in tensors.items():
        shape, source, rule = tuple(after[name].shape), growth.source, growth.rule
        if source is None or rule is None:
            note = "zero" if starts_at_zero(name) else "as in a new model"
            moments = "" if optimizer is None else "no moments yet"
            rows.append(
                TensorReport(
                    name, "fresh", None, None, shape, (), after[name].numel(), note, moments
                )
            )
            continue
        added = after[name].numel() - before[source].numel()
        scale = torch.as_tensor(rule.scale).unique().tolist()
        state = {} if optimizer is None else optimizer.state.get(parameters.get(source), {})
        rows.append(
            TensorReport(
                name,
                "padded" if added else "copied",
                source,
                tuple(before[source].shape),
                shape,
                tuple(scale),
                added,
                rule.note if added else "",
                _moments(state, added),
            )
        )
    return tuple(rows)


def _moments(state: Mapping[str, object], added: int) -> str:
    """Change of one parameter's optimiser ``state``, in words."""
    if not state:
        return ""
    text = "moments moved, 0 for new entries" if added else "moments moved"
    step = state.get("step")
    count = step.item() if isinstance(step, Tensor) else step
    return text if count is None else f"{text}, step {count:.0f} goes on"
