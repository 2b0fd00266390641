"""A run from its flags: which settings hold, where to begin, how to go on, what to print.

flags -> settings_of -> _train: stages, first checkpoint -> build_spec -> Trainer -> _fit
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from prism import presets
from prism.data import open_tokenizer
from prism.engine import origin
from prism.engine.builders import BUILT_IN, build_spec
from prism.engine.cost.cards import device_peak
from prism.engine.cost.flops import count
from prism.engine.cost.tables import (
    cost_tables,
    stages_table,
    validation_remark,
    weights_table,
)
from prism.engine.effects import check_effects
from prism.engine.extension import Extension, flag_fields, renewed_flags
from prism.engine.flags import as_flags, check_not_empty, spelled_flag
from prism.engine.levers.modular import BACKBONE, modular_flags, starting_checkpoint
from prism.engine.levers.progressive import Stage, grown_checkpoint, stage_of, stages
from prism.engine.levers.token_weights import open_reference
from prism.engine.logs.clock import Clock, shares, spelled
from prism.engine.logs.log import JsonLines, Sink, TensorBoard, WandB
from prism.engine.logs.meter import Meter, Nobody
from prism.engine.logs.terminal import Terminal
from prism.engine.loop.guard import DivergedError, Stop, stop_on_signals
from prism.engine.loop.observer import ObserverError
from prism.engine.loop.optimizer import schedule_change
from prism.engine.loop.trainer import Trainer
from prism.engine.models import model_config
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.parallel.world import World, world
from prism.engine.settings import WHAT, Settings, renewed
from prism.engine.smoke import smoke
from prism.engine.store import checkpoint, folder, room
from prism.engine.store.export import export
from prism.engine.store.lock import locked
from prism.record import write_json

DIVERGED, HOOK_FAILED, LOST_RANK = 3, 4, 5  # exit codes
GROWING = "growing.tmp"  # a folder that is there while a run crosses a growth point
STARTING = "starting.tmp"  # likewise while a modular phase takes over the backbone's weights


def run(flags: Mapping[str, Any], extensions: Sequence[Extension] = BUILT_IN) -> int:
    """Do what the flags ask for; the exit code.

    Args:
        flags: those that were given, by field name of the settings or of an extension.
        extensions: may change data and loss, and add observers.

    Raises:
        ValueError: bad input, in one line.
    """
    for name, value in flags.items():
        check_not_empty(name, value)
    theirs = flag_fields(extensions)
    own = {k: v for k, v in flags.items() if k in theirs}
    s = settings_of({k: v for k, v in flags.items() if k not in theirs})
    if s.resume:
        saved = checkpoint.read_run(folder.newest(Path(s.out_dir), tensors=False))
        own = renewed_flags(saved.get("flags", {}), own, theirs)
    if s.smoke:
        return smoke(s)
    if s.dry_run:
        return _dry_run(s)
    if s.export is not None:
        export(folder.newest(Path(s.out_dir), _warn), s.export)
        print(f"written: {s.export}")
        return 0
    with world(s) as w:
        return _Run(s, w, extensions, own).train()


def settings_of(flags: Mapping[str, Any]) -> Settings:
    """The settings of a new run, or those of the run to resume with what may change.

    Raises:
        ValueError: a bad value, a flag that would make it another run, or one without effect.
    """
    if "resume" in flags:
        where = Path(flags["resume"])
        saved = checkpoint.read_run(folder.newest(where, tensors=False))
        s = renewed(Settings.from_dict(saved["settings"]), flags)
        s = origin.from_anywhere(s, saved, flags)
        s = Settings.from_dict({**s.to_dict(), "out_dir": str(where)})
    else:
        values = {**presets.RECIPES.get(flags.get("preset", ""), {}), **flags}
        if "init_from" in flags:
            values = {**_model_of(folder.newest(Path(flags["init_from"]), tensors=False)), **flags}
        s = Settings.from_dict(modular_flags(values))
    check_effects(s, flags, lambda: model_config(s, open_tokenizer(s.tokenizer).vocab_size))
    return s


def _model_of(start: Path) -> dict[str, Any]:
    """The flags that give the model of a checkpoint."""
    s = Settings.from_dict(checkpoint.read_run(start)["settings"])
    plan = stages(s)
    stage = plan[stage_of(plan, checkpoint.config(start))]
    return {"model": s.model, "tokenizer": s.tokenizer, "preset": stage.preset, "set": stage.set}


def _dry_run(s: Settings) -> int:
    if int(os.environ.get("RANK", "0")) != 0:
        return 0
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    terminal, plan = Terminal(s.steps), stages(s)
    terminal.settings(as_flags(s, {WHAT}, s.show_settings), s.show_settings)
    for table in cost_tables(s, plan, ranks):
        terminal.show(table)
    if s.token_selection or s.token_recycling:
        reference = None
        if s.reference is not None:
            tokenizer = open_tokenizer(s.tokenizer)
            reference = open_reference(s.reference, tokenizer, s.dtype, torch.device("cpu"))
        terminal.show(weights_table(s, plan, ranks, reference))
    return 0


@dataclass(frozen=True)
class _Run:
    """A run on the ranks that there are.

    Attributes:
        s: the settings.
        w: the ranks.
        extensions: may change data and loss, and add observers.
        flags: those of extensions that were given.
    """

    s: Settings
    w: World
    extensions: Sequence[Extension]
    flags: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return Path(self.s.out_dir)

    def train(self) -> int:
        """Train from where the settings say to the end, with the run's folder for these ranks
        alone; the exit code."""
        with ExitStack() as stack:
            self.w.on_first(lambda: stack.enter_context(locked(self.folder)))
            return self._train(self.w.on_first(self._start))

    def _start(self) -> Path | None:
        """The checkpoint to start from, after the run's folder has been cleared of what killed
        processes left; for the first rank."""
        s, start = self.s, None
        if s.resume:
            start = folder.newest(self.folder, _warn)
            checkpoint.check_steps(start, s.steps)
        elif folder.complete(self.folder):
            raise ValueError(
                f"--out-dir {self.folder}: holds a run; --resume {self.folder} continues it"
            )
        elif s.init_from:
            start = folder.newest(Path(s.init_from), _warn)
        folder.tidy(self.folder, start if s.resume else None)
        return start

    def _train(self, start: Path | None) -> int:
        s, w = self.s, self.w
        plan, terminal = stages(s), Terminal(s.steps)
        here = stage_of(plan, checkpoint.config(start)) if s.resume and start else 0
        if s.modular_phase not in (None, BACKBONE) and not s.resume:  # begins with their weights
            start = self._write_start(terminal)
        sinks: list[Sink] = []
        try:
            w.on_first(lambda: sinks.extend(self._services(start)))  # before there is a model
            trainer = self._trainer(plan[here], start, resume=bool(s.resume), remove=STARTING)
            w.on_first(lambda: sinks.extend(self._sinks(trainer, terminal, tuple(sinks))))
            if w.first and len(plan) > 1:
                terminal.show(stages_table(s, plan))
            with stop_on_signals() as stop:
                return self._fit(trainer, plan[here + 1 :], sinks, terminal, stop)
        finally:
            for sink in sinks:
                sink.close()

    def _trainer(self, stage: Stage, start: Path | None, resume: bool, remove: str) -> Trainer:
        """A trainer of ``stage`` on every rank; then the temporary folder it may have started from
        goes."""
        spec = build_spec(self.s, self.w, stage, self.extensions, self.flags)
        if resume and start is not None:
            origin.check(self.folder, start, spec)
        trainer = Trainer(spec, self.w, self.folder, start, resume)
        self.w.barrier()
        self.w.on_first(lambda: shutil.rmtree(self.folder / remove, ignore_errors=True))
        saves = -(-(self.s.steps - trainer.step) // self.s.save_every)
        need = trainer.checkpoint_bytes()
        self.w.on_first(lambda: room.check(self.folder, need, saves))
        return trainer

    def _write_start(self, terminal: Terminal) -> Path:
        """The checkpoint of the weights that a modular phase starts from."""
        target = self.folder / STARTING
        if self.w.first:
            report = starting_checkpoint(self.s, target)
            (self.folder / f"{self.s.modular_phase}.txt").write_text(f"{report}\n", "utf-8")
            terminal.say(report.splitlines()[0])
        self.w.barrier()
        return target

    def _fit(
        self,
        trainer: Trainer,
        ahead: Sequence[Stage],
        sinks: Iterable[Sink],
        terminal: Terminal,
        stop: Stop,
    ) -> int:
        """Train through the stages that are ``ahead`` too; the exit code."""

        def write(record: dict[str, Any]) -> None:
            for sink in sinks:
                sink.write(record)

        s, w = self.s, self.w
        clock = Clock()
        if w.first:
            terminal.begin(trainer.step)
        try:
            meter = _meter(trainer, clock, terminal)
            finished = trainer.fit(meter, write, stop)
            for stage in ahead:
                if not finished or w.any(stop.asked):
                    break
                trainer = self._grown(trainer, stage, terminal)
                meter = _meter(trainer, clock, terminal)
                finished = trainer.fit(meter, write, stop)
            write(meter.closing(trainer.step))
        except (DivergedError, ObserverError) as error:
            if w.first:
                terminal.close()
                saved = folder.complete(self.folder)
                way = f"--resume {s.out_dir} goes back" if saved else "nothing is saved yet"
                print(f"prism.run_scale: {error}; {way}", file=sys.stderr)
            return DIVERGED if isinstance(error, DivergedError) else HOOK_FAILED
        bad = w.union(trainer.spec.bad_rows)
        if w.first:
            terminal.close()
            if bad:
                terminal.say(f"{len(bad):,} rows were skipped as they cannot be read")
            end = "done" if trainer.step >= s.steps else f"stopped; --resume {s.out_dir} goes on"
            terminal.say(f"{end}: step {trainer.step}, {trainer.tokens:,} tokens")
            terminal.say(f"time {spelled(clock.wall)}: {shares(clock.total)}")
        return 0

    def _grown(self, trainer: Trainer, stage: Stage, terminal: Terminal) -> Trainer:
        """The run that goes on at the size of ``stage``; ``trainer`` is of no use afterwards."""
        target, step = self.folder / GROWING, trainer.step
        if self.w.first:
            report = grown_checkpoint(folder.newest(self.folder), target, self.s, stage).report
            (self.folder / f"grown-{step:08d}.txt").write_text(f"{report}\n", "utf-8")
            terminal.say(f"step {step}: grown to {stage.name}, {str(report).splitlines()[0]}")
        self.w.barrier()
        vars(trainer).clear()  # make room
        gc.collect()
        return self._trainer(stage, target, resume=True, remove=GROWING)

    def _services(self, start: Path | None) -> list[Sink]:
        """The destinations that must be there, or be reached, before anything is built."""
        sinks: list[Sink] = []
        if self.s.tensorboard:
            sinks.append(TensorBoard(self.folder))
        if self.s.wandb:
            notes = checkpoint.read_run(start)["notes"] if self.s.resume and start else {}
            sinks.append(WandB(self.folder, self.s, notes.get("wandb")))
        return sinks

    def _sinks(self, trainer: Trainer, terminal: Terminal, services: Iterable[Sink]) -> list[Sink]:
        s = self.s
        sinks: list[Sink] = [JsonLines(self.folder, trainer.step), terminal]
        for sink in services:
            if isinstance(sink, WandB):
                trainer.notes["wandb"] = sink.id
        write_json(self.folder / "settings.json", s.saved())
        origin.record(self.folder, trainer.spec)
        theirs = [spelled_flag(name, value) for name, value in self.flags.items()]
        flags = as_flags(s, {WHAT}, s.show_settings) + theirs
        terminal.settings(flags, s.show_settings)
        size = trainer.model.num_parameters()
        where = f"{self.w.size} x {self.w.device.type}, {s.dtype}"
        name = f"{s.model} {trainer.spec.s.preset}"
        terminal.say(f"{name}: {size:,} parameters on {where}; data {s.mix}")
        for remark in (*trainer.spec.remarks, *self._schedule(trainer)):
            terminal.say(remark)
        return sinks

    def _schedule(self, trainer: Trainer) -> Iterator[str]:
        """Remarks on the steps to come: validation, and what a resume changes."""
        s, step = self.s, trainer.step
        if s.resume:
            saved = checkpoint.read_run(folder.newest(self.folder, tensors=False))["settings"]
            change = schedule_change(Settings.from_dict(saved), s, step)
            yield from [change] if change else []
        yield validation_remark(s, step, trainer.held_out_tokens)


def _warn(line: str) -> None:
    print(f"prism.run_scale: {line}", file=sys.stderr)


def _meter(trainer: Trainer, clock: Clock, terminal: Terminal) -> Meter:
    spec, w = trainer.spec, trainer.w
    with parameters_on_meta():
        flops = count(spec.make(), spec.s.seq_len)
    peak = device_peak(w.device, spec.s.dtype)
    display = terminal if w.first else Nobody()
    return Meter(w, spec.config.expert_kinds, flops.training, peak, clock, display)
