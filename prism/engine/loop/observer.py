"""Hooks into every step of a run, for whoever records how training goes.

    before_step -> forward and backward passes -> after_backward -> optimizer -> after_step

An observer reads; what it draws, it draws from a generator of its own, so that a run with it is the
run without it. Every rank calls every hook, so a hook may put sharded tensors together
(``full_tensor``) or communicate, where all ranks do so alike.

State comes back at a resume, and a growth point of ``--progressive`` is a resume: the observer is
built anew, ``load_state_dict`` gives it what was saved, and ``on_resume`` says where the run
stands, so that what was recorded of steps that will be done again can be cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from prism.data import RowBatch
from prism.engine.loop.step import Gradients
from prism.engine.parallel.world import World
from prism.engine.store import checkpoint

if TYPE_CHECKING:
    from prism.engine.loop.trainer import Trainer

PREFIX = "observer."  # before the names of observers' tensors in a checkpoint


class Observer(Protocol):
    """Something that looks at every step. Subclasses override the hooks that they need.

    ``run.model``, ``run.optimizers``, ``run.states``, ``run.step`` (steps done) and ``run.w`` (the
    ranks) are there to be read.
    """

    name: str  # unique in a run; names the state in checkpoints, and errors

    def before_step(self, run: Trainer, batch: RowBatch) -> None:
        """The rows of the step are read; weights and states are those that it starts from."""

    def after_backward(self, run: Trainer, gradients: Gradients, norm: float) -> None:
        """The gradients of the global batch, of this norm, are in the parameters, before they are
        clipped. Not called in a step that stops the run because it is not finite."""

    def after_step(self, run: Trainer, gradients: Gradients, skipped: bool) -> None:
        """The weights are updated, unless the step was ``skipped`` as an outlier; the gradients are
        gone, and ``run.step`` counts the step."""

    def on_resume(self, run: Trainer) -> None:
        """Everything is restored, and ``run.step`` steps are done. Also called when the checkpoint
        holds no state of this observer."""

    def state_dict(self) -> dict[str, Any]:
        """Content for a checkpoint: tensors, and plain JSON values. The same on every rank."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that :meth:`state_dict` gave; tensors are whole and on the CPU."""


class ObserverError(Exception):
    """A hook raised; the message names the observer, the hook and the step."""


class Observers:
    """The observers of a run, called as one.

    Args:
        members: with distinct names.
        w: the ranks. An error on one of them stops all.

    Raises:
        ValueError: two of one name.
    """

    def __init__(self, members: Sequence[Observer], w: World) -> None:
        names = [x.name for x in members]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"observer {name!r}: there are two; names must differ")
        self.members, self.w = tuple(members), w

    def call(self, hook: str, run: Trainer, *args: Any) -> None:
        """Call ``hook`` of every observer.

        Raises:
            ObserverError: one raised, here or on another rank.
        """
        for observer in self.members:
            with self._guarded(observer, hook, run.step):
                getattr(observer, hook)(run, *args)

    @contextmanager
    def _guarded(self, observer: Observer, hook: str, step: int) -> Iterator[None]:
        error: Exception | None = None
        try:
            yield
        except Exception as raised:  # reported as the observer's, on every rank
            error = raised
        if self.w.any(error is not None):
            why = "failed on another rank"
            if error is not None:
                why = f"{type(error).__name__}: {error}"
            message = f"observer {observer.name}: {hook} at step {step}: {why}"
            raise ObserverError(message) from error

    def state(self, step: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """By observer the JSON values and the shapes of tensors; and the tensors by their names in
        a checkpoint."""
        values: dict[str, Any] = {}
        tensors: dict[str, Tensor] = {}
        for observer in self.members:
            with self._guarded(observer, "state_dict", step):
                state = observer.state_dict()
                shapes = {k: list(x.shape) for k, x in state.items() if isinstance(x, Tensor)}
                plain = {k: x for k, x in state.items() if k not in shapes}
                values[observer.name] = {"values": plain, "shapes": shapes}
                tensors |= {f"{PREFIX}{observer.name}.{k}": state[k] for k in shapes}
        return values, tensors

    def resume(self, run: Trainer, start: Path, saved: dict[str, Any]) -> None:
        """Give every observer its state from the checkpoint ``start``, whose values are ``saved``;
        one that it does not know starts anew."""
        for observer in self.members:
            if observer.name in saved:
                mine = saved[observer.name]
                names = {k: f"{PREFIX}{observer.name}.{k}" for k in mine["shapes"]}
                tensors = checkpoint.read_tensors(start, names.values()) if names else {}
                state = {k: tensors[n].view(mine["shapes"][k]) for k, n in names.items()}
                with self._guarded(observer, "load_state_dict", run.step):
                    observer.load_state_dict({**mine["values"], **state})
        self.call("on_resume", run)
