"""Flags of ``run_scale`` for the probe.

``--probe embedding`` records every step of a matrix, ``--tracers causes`` drives variants of the
optimizer with the run, ``--labels shuffled`` is a control.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from prism.data import open_tokenizer
from prism.data.bpe.characters import used_ids
from prism.engine.extension import Extension, Parts
from prism.engine.flags import check, flag
from prism.engine.levers.modular import data_of
from prism.engine.loop.optimizer import DTYPES
from prism.engine.loop.trainer import TrainSpec
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.parallel.world import World
from prism.probe.labels import LABELS, ChangedLabels
from prism.probe.store.recorder import Recorder
from prism.probe.tracers import LIVE, Tracers
from prism.probe.variants import Variant, names_of, parsed

PROBE = "training dynamics"
ROWS = ("all", "dead")


@dataclass(frozen=True)
class ProbeFlags:
    """Flags of the probe.

    Raises:
        ValueError: a value that is not allowed.
    """

    probe: tuple[str, ...] = flag(
        (), PROBE, "record every step of matrices: embedding, head or a parameter's name",
        metavar="MATRIX",
    )  # fmt: skip
    probe_rows: str = flag("all", PROBE, "of --probe: all, or dead (in no document)", choices=ROWS)
    tracers: tuple[str, ...] = flag(
        (), PROBE, "variants of the optimizer on dead rows: causes, ablation, starts, or names",
        metavar="PLAN",
    )  # fmt: skip
    tracer_rows: int = flag(128, PROBE, "dead rows of every variant", low=1)
    labels: str = flag("right", PROBE, "control: right, shuffled or wrong", choices=LABELS)

    def __post_init__(self) -> None:
        for field in self.__dataclass_fields__.values():
            check(ProbeFlags, field, getattr(self, field.name))
        if self.probe_rows != "all" and not self.probe:
            raise ValueError(f"--probe-rows {self.probe_rows}: needs --probe")
        if self.tracer_rows != 128 and not self.tracers:
            raise ValueError(f"--tracer-rows {self.tracer_rows}: needs --tracers")


def _build(flags: ProbeFlags, spec: TrainSpec, w: World) -> Parts:
    if not (flags.probe or flags.tracers):
        return _labelled(flags, spec, [], [])
    _check(flags, spec, w)
    dead = np.zeros(0, np.int64)
    if flags.tracers or flags.probe_rows == "dead":
        dead = dead_ids(spec)
    observers: list[Recorder | Tracers] = []
    remarks: list[str] = []
    header = {
        "seed": spec.s.seed,
        "settings": {k: getattr(spec.s, k) for k in ("model", "preset", "steps", "lr", "beta2")},
        **{k: spec.identity[k] for k in ("tokenizer", "data")},
    }
    folder = Path(spec.s.out_dir)
    for matrix in matrices(flags.probe, spec):
        rows = dead if flags.probe_rows == "dead" else None
        path = folder / f"{matrix}.probe"
        observers.append(Recorder(path, matrix, header, rows))
        what = "every row" if rows is None else f"{len(rows):,} dead rows"
        remarks.append(f"probe: every step of {what} of {matrix} goes to {path}")
    if flags.tracers:
        rows = dead[np.linspace(0, len(dead) - 1, min(flags.tracer_rows, len(dead))).astype(int)]
        variants = _variants(flags, spec)
        observers.append(Tracers(folder / "tracers.json", rows, variants, spec.s.seed))
        remarks.append(
            f"tracers: {len(variants)} variants of {len(rows)} of {len(dead):,} dead rows"
        )
    return _labelled(flags, spec, observers, remarks)


def _labelled(
    flags: ProbeFlags,
    spec: TrainSpec,
    observers: list[Recorder | Tracers],
    remarks: list[str],
) -> Parts:
    if flags.labels == "right":
        return Parts(observers=observers, remarks=remarks)
    loss = ChangedLabels(flags.labels, spec.s.seed)
    return Parts(loss=loss, observers=observers, remarks=(*remarks, f"labels: {flags.labels}"))


def _check(flags: ProbeFlags, spec: TrainSpec, w: World) -> None:
    s = spec.s
    name = "--probe" if flags.probe else "--tracers"
    if s.progressive:
        raise ValueError(f"{name}: needs a matrix of one size; --progressive grows it")
    if s.dtype == "fp64":
        raise ValueError(f"{name}: reads bf16, fp16 and fp32 weights; --dtype fp64 has others")
    if flags.tracers and w.size > 1:
        raise ValueError(f"--tracers: needs one rank, there are {w.size}")
    if flags.tracers and (s.token_selection or s.token_recycling):
        raise ValueError("--tracers: needs the cross-entropy of all targets")
    if flags.tracers and (s.rounding == "stochastic" or s.optimizer != "adamw"):
        raise ValueError("--tracers: needs AdamW without chance, to compare a copy with the run")


def dead_ids(spec: TrainSpec) -> NDArray[np.int64]:
    """Ids that no document of the run's data has; reads all of it.

    Raises:
        ValueError: there is none.
    """
    tokenizer = open_tokenizer(spec.s.tokenizer)
    used = used_ids(tokenizer, data_of(spec.s))
    dead = np.array(sorted(set(range(tokenizer.vocab_size)) - used), np.int64)
    if len(dead) == 0:
        raise ValueError(
            f"--tokenizer {spec.s.tokenizer}: the data use all of its ids, none is dead"
        )
    return dead


def _variants(flags: ProbeFlags, spec: TrainSpec) -> list[Variant]:
    s = spec.s
    kept = torch.float32 if s.weights == "fp32" else torch.bfloat16
    moments = DTYPES[s.moments or s.weights]
    live = Variant(LIVE, kept, moments, s.rounding, s.beta2, s.weight_decay)
    names: list[str] = []
    for word in flags.tracers:
        names += names_of(word) if word in ("causes", "ablation", "starts") else [word]
    return [live, *(parsed(name, live) for name in dict.fromkeys(names))]


def matrices(names: tuple[str, ...], spec: TrainSpec) -> list[str]:
    """Names of the parameters that ``names`` mean.

    Raises:
        ValueError: the model has no such matrix; names those that it has.
    """
    with parameters_on_meta():
        model = spec.make()
    known = {n: p for n, p in model.named_parameters() if p.ndim == 2}
    found = []
    for name in names:
        full = name if name in known else f"{name}.weight"
        if full == "head.weight" and full not in known:
            raise ValueError("--probe head: this model's head is its embedding; use embedding")
        if full not in known:
            few = ", ".join(list(known)[:8])
            raise ValueError(f"--probe {name}: must be one of the matrices {few}, ...")
        found.append(full)
    return found


EXTENSION = Extension("probe", ProbeFlags, build=_build)
