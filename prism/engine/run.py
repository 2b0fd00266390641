"""A run from its flags: which settings hold, what to open, where to begin, what to print."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prism.data import Lanes, held_out_batches, open_tokenizer, parse_mix
from prism.engine import checkpoint, cost, folder
from prism.engine.build import carries, make_model, model_config
from prism.engine.export import export
from prism.engine.flops import count, device_peak
from prism.engine.guard import DivergedError
from prism.engine.log import JsonLines, Sink, TensorBoard, Terminal, WandB
from prism.engine.meta import parameters_on_meta
from prism.engine.meter import Meter
from prism.engine.parallel import World, world
from prism.engine.settings import Settings, renewed
from prism.engine.signals import Stop, stop_on_signals
from prism.engine.smoke import smoke
from prism.engine.trainer import Job, Trainer

DIVERGED = 3  # exit code
OF_THE_MODEL = ("model", "preset", "set", "tokenizer")


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
    if "init_from" in flags:
        saved = _saved(Path(flags["init_from"])).to_dict()
        flags = {**{name: saved[name] for name in OF_THE_MODEL}, **flags}
    return Settings.from_dict(flags)


def _saved(run: Path) -> Settings:
    return Settings.from_dict(checkpoint.read_run(folder.newest(run))["settings"])


def _dry_run(s: Settings) -> int:
    terminal = Terminal(s.steps)
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    config = model_config(s, open_tokenizer(s.tokenizer).vocab_size)
    if int(os.environ.get("RANK", "0")) == 0:
        terminal.settings(s.to_dict() | {"data": s.mix})
        for table in cost.tables(s, config, ranks):
            terminal.console.print(table)
    return 0


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
    trainer = Trainer(open_job(s, w), w, run_folder, start, resume=s.resume is not None)
    terminal = Terminal(s.steps)
    sinks = _sinks(s, run_folder, trainer, terminal) if w.first else []
    try:
        with stop_on_signals() as stop:
            return _fit(trainer, sinks, terminal, stop)
    finally:
        for sink in sinks:
            sink.close()


def _fit(trainer: Trainer, sinks: list[Sink], terminal: Terminal, stop: Stop) -> int:
    def write(record: dict[str, Any]) -> None:
        for sink in sinks:
            sink.write(record)

    first = trainer.w.first
    try:
        finished = trainer.fit(_meter(trainer), write, stop)
    except DivergedError as error:
        if first:
            where = trainer.job.s.out_dir
            print(f"prism.run_scale: {error}; --resume {where} goes back", file=sys.stderr)
        return DIVERGED
    if first:
        end = "done" if finished else f"stopped; --resume {trainer.job.s.out_dir} goes on"
        terminal.say(f"{end}: step {trainer.step}, {trainer.tokens:,} tokens")
    return 0


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
    return sinks


def _meter(trainer: Trainer) -> Meter:
    job = trainer.job
    with parameters_on_meta():
        flops = count(job.make(), job.s.seq_len)
    kinds = job.config.expert_kinds
    return Meter(trainer.w, kinds, flops.training, device_peak(trainer.w.device))


def open_job(s: Settings, w: World) -> Job:
    """Model, data and tokenizer of the settings.

    Raises:
        ValueError: one of them cannot be had.
    """
    tokenizer, mix = open_tokenizer(s.tokenizer), parse_mix(s.mix)
    config = model_config(s, tokenizer.vocab_size)
    total = s.global_batch_size
    mine = w.lanes(total)
    return Job(
        s=s,
        config=config,
        make=lambda: make_model(s.model, config),
        carry=carries(s),
        feed=Lanes(mix, tokenizer, lanes=total, mine=mine, seq_len=s.seq_len, seed=s.seed),
        held_out=held_out_batches(
            mix, tokenizer, s.seq_len, lanes=total, mine=mine, tokens=s.eval_tokens
        ),
        identity={"tokenizer": tokenizer.fingerprint(), "data": mix.fingerprint()},
    )
