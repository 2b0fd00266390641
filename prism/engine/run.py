"""A run from its flags: which settings hold, where to begin, how to go on, what to print."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from prism.engine.builders import open_job, reference_of, stages_of
from prism.engine.cost import tables as cost
from prism.engine.cost.flops import count, device_peak
from prism.engine.levers.modular import modular_flags, starting_checkpoint, starts_from_parts
from prism.engine.levers.progressive import grown_checkpoint
from prism.engine.levers.stages import JUMP, Stage, stage_of
from prism.engine.levers.weighting_cost import weights_table
from prism.engine.logs.log import JsonLines, Sink, TensorBoard, Terminal, WandB
from prism.engine.logs.meter import Meter
from prism.engine.loop.guard import DivergedError
from prism.engine.loop.signals import Stop, stop_on_signals
from prism.engine.loop.trainer import Trainer
from prism.engine.parallel.meta import parameters_on_meta
from prism.engine.parallel.world import World, world
from prism.engine.settings import Settings, renewed
from prism.engine.smoke import smoke
from prism.engine.store import checkpoint, folder
from prism.engine.store.export import export

DIVERGED = 3  # exit code
GROWING = "growing.tmp"  # a folder that is there while a run crosses a growth point
STARTING = "starting.tmp"  # likewise while a modular phase takes over the trunk's weights


def run(flags: Mapping[str, Any]) -> int:
    """What the command line asks for; the exit code.

    Raises:
        ValueError: bad input, in one line.
    """
    s = settings_of(flags)
    if s.smoke:
        return smoke(s)
    if s.dry_run:
        return _dry_run(s)
    if s.export is not None:
        export(s.out_dir, s.export)
        print(f"written: {s.export}")
        return 0
    with world(s) as w:
        return _train(s, w)


def settings_of(flags: Mapping[str, Any]) -> Settings:
    """The settings of a new run, or those of the run to resume with what may change."""
    if "resume" in flags:
        where = Path(flags["resume"])
        s = renewed(_saved(where), flags)
        return Settings.from_dict({**s.to_dict(), "out_dir": str(where)})
    if "preset" in flags and flags.get("progressive", JUMP) != JUMP:
        raise ValueError(f"--preset {flags['preset']}: --progressive names the presets itself")
    if "init_from" in flags:
        start = folder.newest(Path(flags["init_from"]))
        flags = {**_model_of(start), **flags}
    return Settings.from_dict(modular_flags(flags))


def _model_of(start: Path) -> dict[str, Any]:
    """The flags that give the model of a checkpoint."""
    s = Settings.from_dict(checkpoint.read_run(start)["settings"])
    plan = stages_of(s)
    stage = plan[stage_of(plan, checkpoint.config(start))]
    return {"model": s.model, "tokenizer": s.tokenizer, "preset": stage.preset, "set": stage.set}


def _saved(run: Path) -> Settings:
    return Settings.from_dict(checkpoint.read_run(folder.newest(run))["settings"])


def _dry_run(s: Settings) -> int:
    terminal = Terminal(s.steps)
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    plan = stages_of(s)
    if int(os.environ.get("RANK", "0")) == 0:
        terminal.settings(s.to_dict() | {"data": s.mix})
        for table in (*cost.tables(s, plan, ranks), *_weights_tables(s, plan, ranks)):
            terminal.console.print(table)
    return 0


def _weights_tables(s: Settings, plan: Sequence[Stage], ranks: int) -> list[Table]:
    if not (s.token_selection or s.token_recycling):
        return []
    return [weights_table(s, plan, ranks, reference_of(s, torch.device("cpu")))]


def _train(s: Settings, w: World) -> int:
    run_folder, start = Path(s.out_dir), None
    if s.resume:
        start = folder.newest(run_folder)
    elif folder.complete(run_folder):
        raise ValueError(f"--out-dir {run_folder}: holds a run; --resume {run_folder} continues it")
    elif s.init_from:
        start = folder.newest(Path(s.init_from))
    w.barrier()
    run_folder.mkdir(parents=True, exist_ok=True)
    plan, terminal = stages_of(s), Terminal(s.steps)
    here = stage_of(plan, checkpoint.config(start)) if s.resume else 0
    if starts_from_parts(s):
        start = _started(s, w, terminal)
    trainer = Trainer(open_job(s, w, plan[here]), w, run_folder, start, resume=bool(s.resume))
    w.barrier()
    if w.first:
        shutil.rmtree(run_folder / STARTING, ignore_errors=True)
    sinks = _sinks(s, run_folder, trainer, terminal) if w.first else []
    if w.first and len(plan) > 1:
        terminal.console.print(cost.stages_table(s, plan))
    try:
        with stop_on_signals() as stop:
            return _fit(trainer, plan[here + 1 :], sinks, terminal, stop)
    finally:
        for sink in sinks:
            sink.close()


def _started(s: Settings, w: World, terminal: Terminal) -> Path:
    """The checkpoint of the weights that a modular phase starts from."""
    target = Path(s.out_dir) / STARTING
    if w.first:
        report = starting_checkpoint(s, target)
        (Path(s.out_dir) / f"{s.modular_phase}.txt").write_text(f"{report}\n", "utf-8")
        terminal.say(report.splitlines()[0])
    w.barrier()
    return target


def _fit(
    trainer: Trainer, ahead: Sequence[Stage], sinks: list[Sink], terminal: Terminal, stop: Stop
) -> int:
    """Train through the stages that are ``ahead`` too; the exit code."""

    def write(record: dict[str, Any]) -> None:
        for sink in sinks:
            sink.write(record)

    s, w = trainer.job.s, trainer.w
    try:
        finished = trainer.fit(_meter(trainer), write, stop)
        for stage in ahead:
            if not finished or w.any(stop.asked):
                break
            trainer = _grown(trainer, stage, terminal)
            finished = trainer.fit(_meter(trainer), write, stop)
    except DivergedError as error:
        if w.first:
            print(f"prism.run_scale: {error}; --resume {s.out_dir} goes back", file=sys.stderr)
        return DIVERGED
    if w.first:
        end = "done" if trainer.step >= s.steps else f"stopped; --resume {s.out_dir} goes on"
        terminal.say(f"{end}: step {trainer.step}, {trainer.tokens:,} tokens")
    return 0


def _grown(trainer: Trainer, stage: Stage, terminal: Terminal) -> Trainer:
    """The run that goes on at the size of ``stage``; ``trainer`` is of no use afterwards."""
    s, w, run_folder = trainer.job.s, trainer.w, Path(trainer.job.s.out_dir)
    target = run_folder / GROWING
    if w.first:
        report = grown_checkpoint(folder.newest(run_folder), target, s, stage).report
        (run_folder / f"grown-{trainer.step:08d}.txt").write_text(f"{report}\n", "utf-8")
        terminal.say(f"step {trainer.step}: grown to {stage.name}, {str(report).splitlines()[0]}")
    w.barrier()
    del trainer.model, trainer.optimizers, trainer.states, trainer.weighting  # make room
    gc.collect()
    grown = Trainer(open_job(s, w, stage), w, run_folder, target, resume=True)
    w.barrier()
    if w.first:
        shutil.rmtree(target)
    return grown


def _sinks(s: Settings, run: Path, trainer: Trainer, terminal: Terminal) -> list[Sink]:
    sinks: list[Sink] = [JsonLines(run, trainer.step), terminal]
    if s.tensorboard:
        sinks.append(TensorBoard(run))
    if s.wandb:
        wandb = WandB(run, s, trainer.notes.get("wandb"))
        trainer.notes["wandb"] = wandb.id
        sinks.append(wandb)
    folder.write_json(run / "settings.json", s.saved())
    terminal.settings(s.to_dict() | {"data": s.mix})
    size = trainer.model.num_parameters()
    terminal.say(f"{s.model}: {size:,} parameters on {trainer.w.size} x {trainer.w.device.type}")
    for remark in trainer.job.remarks:
        terminal.say(remark)
    return sinks


def _meter(trainer: Trainer) -> Meter:
    job = trainer.job
    with parameters_on_meta():
        flops = count(job.make(), job.s.seq_len)
    kinds = job.config.expert_kinds
    return Meter(trainer.w, kinds, flops.training, device_peak(trainer.w.device))
