"""Flags of ``run_scale`` for the probe: ``--probe embedding`` records every step of a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prism.engine.extension import Extension, Parts
from prism.engine.flags import flag
from prism.engine.loop.trainer import TrainSpec
from prism.engine.parallel.fsdp import parameters_on_meta
from prism.engine.parallel.world import World
from prism.probe.recorder import Recorder

PROBE = "training dynamics"


@dataclass(frozen=True)
class ProbeFlags:
    """Flags of the probe."""

    probe: tuple[str, ...] = flag(
        (), PROBE, "record every step of matrices: embedding, head or a parameter's name",
        metavar="MATRIX",
    )  # fmt: skip


def _build(flags: ProbeFlags, spec: TrainSpec, w: World) -> Parts:
    if not flags.probe:
        return Parts()
    if spec.s.progressive:
        raise ValueError("--probe: needs a matrix of one size; --progressive grows it")
    if spec.s.dtype == "fp64":
        raise ValueError("--probe: records bf16, fp16 and fp32 weights; --dtype fp64 has others")
    header = {
        "seed": spec.s.seed,
        "settings": {k: getattr(spec.s, k) for k in ("model", "preset", "steps", "lr", "beta2")},
        **{k: spec.identity[k] for k in ("tokenizer", "data")},
    }
    observers, remarks = [], []
    for matrix in matrices(flags.probe, spec):
        path = Path(spec.s.out_dir) / f"{matrix}.probe"
        observers.append(Recorder(path, matrix, header))
        remarks.append(f"probe: every step of {matrix} goes to {path}")
    return Parts(observers=observers, remarks=remarks)


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
