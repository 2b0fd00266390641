"""The loop of a scale run, from top to bottom.

read the lanes' next rows -> gradients of the global batch -> guard -> optimizer step
-> now and then: log, validate, save -> until the steps are done or a signal comes
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from prism.config import PrismConfig
from prism.data import RowBatch
from prism.engine.levers.weighting import weighting
from prism.engine.logs.meter import Meter
from prism.engine.loop import lanes_state
from prism.engine.loop.evaluate import evaluate
from prism.engine.loop.guard import Outliers, diagnose
from prism.engine.loop.lanes_state import LaneStates
from prism.engine.loop.optimizer import Optimizers
from prism.engine.loop.schedule import exploration, learning_rate
from prism.engine.loop.signals import Stop
from prism.engine.loop.step import accumulate, clip, gradient_norm
from prism.engine.parallel.world import World, sharded
from prism.engine.settings import Settings
from prism.engine.store import checkpoint
from prism.engine.store.rng import restore_rng, rng_state, seed_all
from prism.model.protocol import LanguageModel

MOMENTS = "optimizer."  # before the names of moments in a checkpoint
Write = Callable[[dict[str, Any]], None]


class Feed(Protocol):
    """The rows of a rank's lanes, step after step, from a position that can be saved."""

    def next(self) -> RowBatch:
        """The rows of the next step."""

    def state(self) -> dict[str, Any]:
        """Where every lane of this rank stands, by lane; JSON."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from there; ``state`` may hold other lanes too."""


@dataclass(frozen=True)
class Job:
    """What to train on what.

    Attributes:
        s: the settings.
        config: of the model, or of the PRISM model whose size a baseline has.
        make: builds the model on the CPU with its initial weights.
        carry: whether lanes carry their recurrent state.
        feed: the rows of this rank's lanes.
        held_out: this rank's rows for validation, batches that continue one another; equally
            many on every rank.
        identity: what has to be the same at a resume, e.g. the fingerprint of the data.
        reference: what token selection compares with, on its device.
        remarks: to be told before the first step.
        until: steps of the run at which this job ends because the model grows; None = at its last.
    """

    s: Settings
    config: PrismConfig
    make: Callable[[], LanguageModel]
    carry: bool
    feed: Feed
    held_out: Sequence[RowBatch]
    identity: dict[str, str]
    reference: LanguageModel | None = None
    remarks: tuple[str, ...] = ()
    until: int | None = None

    @property
    def end(self) -> int:
        """Steps of the run at which this job ends."""
        return self.s.steps if self.until is None else self.until


class Trainer:
    """A run in progress.

    Args:
        job: what to train on what.
        w: the ranks.
        run: folder of the run.
        start: checkpoint whose weights to start from; None = the config's seed.
        resume: whether ``start`` is of this run and everything else goes on from there too.
    """

    def __init__(
        self, job: Job, w: World, run: Path, start: Path | None = None, resume: bool = False
    ) -> None:
        self.job, self.w, s = job, w, job.s
        self.model, roles = sharded(job.make, s, w, weights=start is None)
        self.optimizers = Optimizers(self.model, roles, s)
        lanes = w.lanes(s.global_batch_size)
        self.states = LaneStates(lanes, s.micro_batch_size or len(lanes), job.carry)
        self.weighting = weighting(s, job.config.vocab_size, job.reference, self.states, w)
        self.outliers = Outliers(s.skip_outliers)
        self.saver = checkpoint.Saver(run, w, s.keep, s.async_save)
        self.step, self.tokens = 0, 0
        self.notes: dict[str, str] = {}
        seed_all(s.seed, w.rank)
        if start is not None and resume:
            self._resume(start)
        elif start is not None:
            checkpoint.load_tensors(start, checkpoint.persistent(self.model))

    def fit(self, meter: Meter, write: Write, stop: Stop) -> bool:
        """Train until the job's steps are done (True) or ``stop`` is asked for (False); saves
        both times.

        Args:
            meter: measures.
            write: takes the records of logging and validation.

        Raises:
            DivergedError: a loss or gradient is not finite.
        """
        stopping = False
        try:
            while self.step < self.job.end and not stopping:
                self._train_step(meter)
                self.saver.poll()
                stopping = self.w.any(stop.asked)
                self._now_and_then(meter, write, stopping)
        finally:
            self.saver.wait()  # also when a step raises: what was begun is the last good state
        self.w.barrier()
        return self.step >= self.job.end  # after --steps at a resume it may be past it

    def _now_and_then(self, meter: Meter, write: Write, stopping: bool) -> None:
        s = self.job.s
        last = self.step == self.job.end
        if last or self.step % s.log_every == 0:
            rate = learning_rate(self.step - 1, s)
            write(meter.record(self.step, rate, s.steps - self.step))
        if last or (s.eval_every and self.step % s.eval_every == 0):
            with meter.timed("validation"):
                write(self.validate())
        if last or stopping or self.step % s.save_every == 0:
            with meter.timed("saving"):
                self.save()

    def _train_step(self, meter: Meter) -> None:
        s = self.job.s
        with meter.timed("data"):
            batch = self.job.feed.next()
        self.model.set_exploration(exploration(self.step, s))
        before = list(self.states.states)
        with meter.timed("gradients"):
            found = accumulate(self.model, batch, self.states, self.w, self.weighting)
            norm = gradient_norm(self.model)
            size = norm.item()
        if found.any_bad or not math.isfinite(size):
            self.states.states = before
            raise diagnose(self.model, batch, self.states, self.w, self.step + 1)
        skip = self.outliers.is_outlier(size)
        if not skip:
            with meter.timed("optimizer"):
                clip(self.model, norm, s.grad_clip)
                self.optimizers.set_rate(learning_rate(self.step, s))
                self.optimizers.step()
                self.model.after_step(found.loads)
        self.optimizers.zero_grad()
        self.step += 1
        self.tokens += found.real
        meter.add(found, size, skip)

    def validate(self) -> dict[str, Any]:
        """Held-out numbers as a record; every rank must call this."""
        epsilon = exploration(self.step, self.job.s)
        self.model.set_exploration(0.0)
        found = evaluate(self.model, self.job.held_out, self.job.carry, self.w)
        self.model.set_exploration(epsilon)
        record: dict[str, Any] = {"step": self.step, "tokens": self.tokens}
        record |= {"held_out_loss": found.loss, "held_out_bits_per_byte": found.bits_per_byte}
        if found.rates is not None:
            lives = self.job.config.bus_half_lives
            record["half_life_use"] = {
                f"{life:.4g}": x for life, x in zip(lives, found.rates, strict=True)
            }
        return record

    def save(self) -> None:
        """Begin a checkpoint of this moment; every rank must call this."""
        common = {
            "settings": self.job.s.saved(),
            "config": self.job.config.to_dict(),
            "identity": self.job.identity,
            "tokens": self.tokens,
            "norms": list(self.outliers.history),
            "carries": self.states.started,
            "notes": self.notes,
            "world_size": self.w.size,
        }
        mine = {"rank": self.w.rank, "lanes": self.job.feed.state(), "rng": rng_state()}
        lanes = self.states.tensors()
        weights = {} if self.weighting is None else self.weighting.tensors()
        self.saver.save(self.step, self._tensors() | lanes | weights, common, mine)

    def _tensors(self) -> dict[str, Tensor]:
        moments = {f"{MOMENTS}{k}": v for k, v in self.optimizers.tensors().items()}
        return checkpoint.persistent(self.model) | moments

    def _resume(self, start: Path) -> None:
        run, ranks = checkpoint.read_run(start), checkpoint.read_ranks(start)
        for what, value in self.job.identity.items():
            saved = run["identity"].get(what)
            if saved != value:
                raise ValueError(f"{start}: {what} was {saved}, is now {value}; must be the same")
        kept = checkpoint.names(start)
        self.optimizers.prepare([n.removeprefix(MOMENTS) for n in kept if n.startswith(MOMENTS)])
        checkpoint.load_tensors(start, self._tensors())
        if run["carries"]:  # their shapes come from a forward, which needs the weights
            template = lanes_state.template(self.model, self.w.device)
            rows = lanes_state.empty_rows(self.states.lanes, template)
            checkpoint.load_tensors(start, rows)
            self.states.load(rows, template)
        if self.weighting is not None:
            self.weighting.restore(start, run["carries"])
        self.step, self.tokens, self.notes = run["step"], run["tokens"], run["notes"]
        self.outliers.history.extend(run["norms"])
        self.job.feed.load({k: v for rank in ranks for k, v in rank["lanes"].items()})
        if len(ranks) == self.w.size:
            restore_rng(ranks[self.w.rank]["rng"])
