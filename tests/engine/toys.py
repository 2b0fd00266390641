"""Toy extension for the tests: a loss of its own, a term beside it, a recorder of every step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prism.data import IGNORE, Mix, parse_mix
from prism.engine.extension import Extension, Parts
from prism.engine.flags import flag
from prism.engine.loop.loss import Ahead, Logs, Loss, Rows, token_losses
from prism.engine.loop.observer import Observer
from prism.engine.loop.step import Gradients
from prism.engine.loop.trainer import Trainer, TrainSpec
from prism.engine.parallel.world import World
from prism.model.protocol import PrismOutput


class FromHidden(Loss):
    """The cross-entropy from hidden states and the head's weight; no logits are looked at."""

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        return (rows.targets != IGNORE).sum()

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        assert output.hidden is not None
        sums = token_losses(output.hidden @ head.T, rows.targets).sum(dim=1)
        return sums, {"loss": sums.detach()}


class EveryThird(Loss):
    """Squares of the first four hidden channels at every third position of a document."""

    def _places(self, rows: Rows) -> Tensor:
        assert rows.document is not None and rows.offset is not None
        return (rows.offset % 3 == 0) & (rows.document >= 0) & (rows.segments >= 0)

    def count(self, rows: Rows, step: int, ahead: Ahead) -> Tensor:
        return self._places(rows).sum()

    def __call__(
        self, rows: Rows, output: PrismOutput, head: Tensor, step: int
    ) -> tuple[Tensor, Logs]:
        assert output.hidden is not None
        each = output.hidden[..., :4].square().sum(dim=-1) * self._places(rows)
        return each.sum(dim=1), {"third": each.detach().sum()}


class Recorder(Observer):
    """Records the last norm's weights of every step, exactly, and what the hooks were given."""

    name = "recorder"

    def __init__(self, file: Path | None = None, fail: str | None = None) -> None:
        self.file, self.fail = file, fail
        self.series: list[Tensor] = []
        self.seen: list[list[Any]] = []
        self.resumed: list[int] = []

    def matrix(self, run: Trainer) -> Tensor:
        p = run.model.get_parameter("head.weight")
        return (p.full_tensor() if hasattr(p, "full_tensor") else p).detach().cpu().clone()

    def before_step(self, run: Trainer, batch: Any) -> None:
        if not self.series:
            self.series.append(self.matrix(run))
        assert torch.equal(self.matrix(run), self.series[-1])
        assert all(p.grad is None for p in run.model.parameters())

    def after_backward(self, run: Trainer, found: Gradients, norm: float) -> None:
        assert any(p.grad is not None for p in run.model.parameters())
        self.seen.append([run.step, norm, found.loss])

    def after_step(self, run: Trainer, found: Gradients, skipped: bool) -> None:
        self.series.append(self.matrix(run))
        if self.fail == f"{run.step}:{run.w.rank}":
            raise KeyError("no such thing")
        if self.file is not None and run.w.first:
            with self.file.open("a") as out:
                out.write(f"{run.step} {self.series[-1].double().sum().item()!r}\n")

    def on_resume(self, run: Trainer) -> None:
        self.resumed.append(run.step)
        if self.file is not None and run.w.first:
            kept = self.file.read_text().splitlines(keepends=True)[: run.step]
            self.file.write_text("".join(kept))

    def state_dict(self) -> dict[str, Any]:
        return {
            "series": torch.stack(self.series),
            "last": self.series[-1].sum(),
            "seen": self.seen,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert state["last"].shape == ()
        self.series, self.seen = list(state["series"]), state["seen"]


@dataclass(frozen=True)
class ToyFlags:
    toy_loss: bool = flag(False, "toy", "loss from hidden states")
    toy_record: str | None = flag(None, "toy", "file of the recorder", metavar="FILE", renew=True)
    toy_fail: str | None = flag(None, "toy", "STEP:RANK at which a hook fails", renew=True)
    toy_data: str | None = flag(None, "toy", "other data", metavar="MIX")


def _data(flags: ToyFlags, mix: Mix) -> Mix:
    return mix if flags.toy_data is None else parse_mix(flags.toy_data)


def _build(flags: ToyFlags, spec: TrainSpec, w: World) -> Parts:
    observers = []
    if flags.toy_record is not None or flags.toy_fail is not None:
        file = Path(flags.toy_record) if flags.toy_record is not None else None
        observers.append(Recorder(file, flags.toy_fail))
    return Parts(
        loss=FromHidden() if flags.toy_loss else None,
        terms=(EveryThird(),) if flags.toy_loss else (),
        observers=observers,
        identity={"toy": "1"} if flags.toy_loss else {},
        remarks=("toy loss",) if flags.toy_loss else (),
    )


TOY = Extension("toy", ToyFlags, _data, _build)
