"""Loop of a scale run, from top to bottom.

read the next rows of the streams -> gradients of the global batch -> guard -> optimizer step
-> every so many steps: log, validate, save -> until the steps are done or a signal comes
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from prism.config import PrismConfig
from prism.data import RowBatch
from prism.engine.loop import stream_states
from prism.engine.loop.guard import Outliers, Stop, diagnose
from prism.engine.loop.loss import Loss
from prism.engine.loop.observer import Observer, Observers
from prism.engine.loop.optimizer import Optimizers, Roles, exploration, learning_rate
from prism.engine.loop.step import DEFAULT_LOSSES, accumulate, clip, gradient_norms
from prism.engine.loop.stream_states import StreamStates
from prism.engine.loop.validation import Progress, Remaining, evaluate, silent, times
from prism.engine.parallel.fsdp import sharded
from prism.engine.parallel.world import World
from prism.engine.settings import Settings
from prism.engine.store import checkpoint, room
from prism.model.protocol import LanguageModel

if TYPE_CHECKING:
    from prism.engine.logs.meter import Meter

MOMENTS = "optimizer."  # before the names of moments in a checkpoint
Write = Callable[[dict[str, Any]], None]


class Feed(Protocol):
    """Rows of a rank's streams, step after step, from a position that can be saved."""

    def next(self) -> RowBatch:
        """The rows of the next step."""

    def state(self) -> dict[str, Any]:
        """Position of every stream of this rank, by stream; JSON."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from there; ``state`` may hold other streams too."""

    def passes(self) -> dict[str, float]:
        """Passes over each source, by name; empty where that is not known."""


@dataclass(frozen=True)
class TrainSpec:
    """Model, data and loss of a run, or of one of its stages.

    Attributes:
        s: the settings.
        config: of the model, or of the PRISM model whose size a baseline has.
        make: builds the model on the CPU with its initial weights.
        carry: whether row streams carry their recurrent state.
        feed: the rows of this rank's streams.
        held_out: this rank's rows for validation, batches that continue one another; equally
            many on every rank.
        identity: what has to be the same at a resume, e.g. the fingerprint of the data.
        losses: the terms of the loss.
        observers: hooks into every step.
        flags: of extensions, to be saved with the run.
        remarks: to be printed before the first step.
        until: steps of the run at which this stage ends because the model grows; None = at its
            last.
        former: values of ``identity`` that an older version saved for the same things.
        data: the sources and their files (:meth:`prism.data.Mix.listing`).
        bad_rows: places of rows that this rank could not read and has left out; grows.
    """

    s: Settings
    config: PrismConfig
    make: Callable[[], LanguageModel]
    carry: bool
    feed: Feed
    held_out: Sequence[RowBatch]
    identity: dict[str, str]
    losses: Sequence[Loss] = DEFAULT_LOSSES
    observers: Sequence[Observer] = ()
    flags: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    until: int | None = None
    former: Mapping[str, str] = field(default_factory=dict)
    data: Sequence[dict[str, Any]] = ()
    bad_rows: set[str] = field(default_factory=set)

    @property
    def end(self) -> int:
        """Steps of the run at which this stage ends."""
        return self.s.steps if self.until is None else self.until


class Trainer:
    """A run in progress.

    Args:
        spec: what to train on what.
        w: the ranks.
        run: folder of the run.
        start: checkpoint whose weights to start from; None = the config's seed.
        resume: whether ``start`` is of this run and everything else goes on from there too.
    """

    def __init__(
        self, spec: TrainSpec, w: World, run: Path, start: Path | None = None, resume: bool = False
    ) -> None:
        self.spec, self.w, s = spec, w, spec.s
        self.model = sharded(spec.make, s, w, weights=start is None)
        self.optimizers = Optimizers(self.model, Roles.made_by(spec.make), s)
        self.states = StreamStates.of(s, w, spec.carry)
        self.observers = Observers(spec.observers, w)
        self.outliers = Outliers(s.skip_outliers)
        self.saver = checkpoint.Saver(run, w, s.keep, s.async_save)
        self.step, self.tokens = 0, 0
        self.notes: dict[str, str] = {}
        checkpoint.seed_all(s.seed, w.rank)
        if start is not None and resume:
            self._resume(start)
        elif start is not None:
            checkpoint.load_tensors(start, checkpoint.persistent(self.model))

    def fit(self, meter: Meter, write: Write, stop: Stop) -> bool:
        """Train until the steps of the spec are done (True) or ``stop`` is asked for (False); saves
        both times.

        Args:
            meter: measures.
            write: takes the records of logging and validation.

        Raises:
            DivergedError: a loss or gradient is not finite.
            ObserverError: a hook raised.
        """
        stopping = False
        try:
            while self.step < self.spec.end and not stopping:
                self._train_step(meter)
                stopping = self.w.any(stop.asked or self.saver.failed)
                self._log_validate_save(meter, write, stopping)
            self.saver.settle()
        finally:
            with meter.timed("saving"):
                self.saver.wait()  # also when a step raises: what was begun is the last good state
        self.w.barrier()
        return self.step >= self.spec.end  # after --steps at a resume it may be past it

    def _log_validate_save(self, meter: Meter, write: Write, stopping: bool) -> None:
        s = self.spec.s
        last = self.step == self.spec.end
        if last or self.step % s.log_every == 0:
            rate = learning_rate(self.step - 1, s)
            write(meter.record(self.step, rate, self._ahead(), self.spec.feed.passes()))
        if last or (s.eval_every and self.step % s.eval_every == 0):
            begin = time.perf_counter()
            with meter.timed("validation"):
                record = self.validate(meter.display.validating)
            write(record | {"validation_seconds": time.perf_counter() - begin})
        if last or stopping or self.step % s.save_every == 0:
            with meter.timed("saving"):
                self.save()

    def _train_step(self, meter: Meter) -> None:
        s = self.spec.s
        with meter.timed("data"):
            batch = self._next_rows()
        self.model.set_exploration(exploration(self.step, s))
        before = list(self.states.states)
        self.observers.call("before_step", self, batch)
        with meter.timed("gradients"):
            losses = self.spec.losses
            gradients = accumulate(self.model, batch, self.states, self.w, losses, self.step)
            norms = gradient_norms(self.model)
            size = norms.norm().item()
        if gradients.any_bad or not math.isfinite(size):
            self.states.states = before
            raise diagnose(self, batch, gradients)
        self.observers.call("after_backward", self, gradients, size)
        skip = self.outliers.is_outlier(size)
        if not skip:
            with meter.timed("optimizer"):
                clip(self.model, norms, s.grad_clip)
                self.optimizers.set_rate(learning_rate(self.step, s))
                self.optimizers.step()
                self.model.after_step(gradients.loads)
        self.optimizers.zero_grad()
        self.step += 1
        self.tokens += gradients.real
        meter.add(gradients, size, skip)
        self.observers.call("after_step", self, gradients, skip)

    def _next_rows(self) -> RowBatch:
        """The rows of the next step. Where the data of a rank cannot be read any more, all ranks
        save what is trained, with the positions before these rows, and raise."""
        place, failed, batch = self.spec.feed.state(), None, None
        try:
            batch = self.spec.feed.next()
        except ValueError as error:
            failed = error
        if not self.w.any(failed is not None):
            assert batch is not None
            return batch
        self.save(place)
        self.saver.settle()
        if failed is not None and self.step > 0:
            failed = ValueError(f"{failed}; step {self.step} is saved, --resume {self.saver.run} "
                                "goes on once the data can be read")  # fmt: skip
        self.w.agree(failed)
        raise AssertionError("some rank has failed")

    def _ahead(self) -> Remaining:
        """Work to go, with the validation and the checkpoint of this very step."""
        s, before = self.spec.s, self.step - 1
        return Remaining(
            steps=s.steps - self.step,
            validations=times(before, s.steps, s.eval_every),
            saves=times(before, s.steps, s.save_every),
            validation_tokens=self.held_out_tokens,
        )

    @property
    def held_out_tokens(self) -> int:
        """Tokens of a validation on all ranks."""
        return self.w.size * sum(batch.tokens.numel() for batch in self.spec.held_out)

    def validate(self, progress: Progress = silent) -> dict[str, Any]:
        """Held-out numbers as a record; every rank must call this."""
        epsilon = exploration(self.step, self.spec.s)
        self.model.set_exploration(0.0)
        spec, micro = self.spec, self.spec.s.micro_batch_size
        held_out = evaluate(self.model, spec.held_out, spec.carry, self.w, micro, progress)
        self.model.set_exploration(epsilon)
        record: dict[str, Any] = {"step": self.step, "tokens": self.tokens}
        record |= {"held_out_loss": held_out.loss, "held_out_bits_per_byte": held_out.bits_per_byte}
        if held_out.rates is not None:
            lives = self.spec.config.bus_half_lives
            record["half_life_use"] = {
                f"{life:.4g}": x for life, x in zip(lives, held_out.rates, strict=True)
            }
        return record

    def save(self, place: dict[str, Any] | None = None) -> None:
        """Begin a checkpoint of this moment; every rank must call this.

        Args:
            place: position of the data; None = that of the feed.
        """
        observers, tensors = self.observers.state(self.step)
        common = {
            "settings": self.spec.s.saved(),
            "flags": self.spec.flags,
            "config": self.spec.config.to_dict(),
            "identity": self.spec.identity,
            "tokens": self.tokens,
            "norms": list(self.outliers.history),
            "carries": self.states.started,
            "notes": self.notes,
            "world_size": self.w.size,
            "working_folder": str(Path.cwd()),
            "observers": observers,
        }
        rng = checkpoint.rng_state()
        mine = {"rank": self.w.rank, "lanes": place or self.spec.feed.state(), "rng": rng}
        tensors |= self._tensors() | self.states.tensors()
        for loss in self.spec.losses:
            tensors |= loss.tensors()
        self.saver.save(self.step, tensors, common, mine)

    def checkpoint_bytes(self) -> int:
        """Bytes of a checkpoint of weights and moments; before the first step the moments are
        those that every trainable parameter will have."""
        moments = self.optimizers.tensors()
        if moments:
            return room.size_of(self._tensors())
        learned = {k: p for k, p in self.model.named_parameters() if p.requires_grad}
        s = self.spec.s
        each = (2 if s.optimizer == "adamw" else 1) * (2 if s.moments == "fp32" else 1)
        each += s.rounding == "kahan"
        return room.size_of(self._tensors()) + each * room.size_of(learned)

    def _tensors(self) -> dict[str, Tensor]:
        moments = {f"{MOMENTS}{k}": v for k, v in self.optimizers.tensors().items()}
        return checkpoint.persistent(self.model) | moments

    def _resume(self, start: Path) -> None:
        run, ranks = checkpoint.read_run(start), checkpoint.read_ranks(start)
        for what, value in self.spec.identity.items():
            saved = run["identity"].get(what)
            if saved not in (value, self.spec.former.get(what, value)):
                raise ValueError(f"{start}: {what} was {saved}, is now {value}; must be the same")
        kept = checkpoint.names(start)
        self.optimizers.prepare([n.removeprefix(MOMENTS) for n in kept if n.startswith(MOMENTS)])
        checkpoint.load_tensors(start, self._tensors())
        if run["carries"]:  # their shapes come from a forward, which needs the weights
            stream_states.restore(self.states, self.model, self.w.device, start)
        for loss in self.spec.losses:
            loss.restore(start)
        self.step, self.tokens, self.notes = run["step"], run["tokens"], run["notes"]
        self.saver.last = self.step
        self.outliers.history.extend(run["norms"])
        self.spec.feed.load({k: v for rank in ranks for k, v in rank["lanes"].items()})
        self.observers.resume(self, start, run.get("observers", {}))
        if len(ranks) == self.w.size:
            checkpoint.restore_rng(ranks[self.w.rank]["rng"])
