"""Pairs of configs, a small one and a larger one that it can become exactly."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st

from prism import PrismConfig, SymbolicConfig, TapeConfig
from tests.model.families import VARIANTS, configs, shrunk

MACHINE = ("units", "dials", "reflections")
PARTS = ("width", "depth", "hidden", "anchor", "heads", "values", "rates", *MACHINE)
WIDTH = tuple(part for part in PARTS if part != "depth")


@st.composite
def pairs(draw: st.DrawFn, among: tuple[str, ...] = PARTS) -> tuple[PrismConfig, PrismConfig]:
    """Any config and any that is larger in some of the parts ``among``."""
    old = draw(configs())
    parts = draw(st.sets(st.sampled_from(among), min_size=1))
    return old, larger(old, parts, amount=draw(st.integers(1, 2)), seed=draw(st.integers(0, 99)))


def larger(
    old: PrismConfig, parts: object, amount: int = 1, seed: int | None = None
) -> PrismConfig:
    """``old`` with each of ``parts`` a little larger."""
    changes: dict[str, object] = {"seed": old.seed if seed is None else seed}
    lives = old.bus_half_lives
    group = old.d_model // len(lives)
    if "rates" in parts:
        lives += (3.0, 700.0)[:amount]
        changes["half_lives"] = lives
    changes["d_model"] = len(lives) * (group + amount * ("width" in parts))
    changes["neural_hidden"] = old.hidden + 3 * amount * ("hidden" in parts)
    if "anchor" in parts:  # None grows too: an anchor that was not there
        changes["anchor_hidden"] = (old.anchor_hidden or 0) + 2 * amount
    if "depth" in parts:
        changes |= _deeper(old, amount)
    changes["tape"] = _more_tape(old.tape, parts, amount)
    changes["symbolic"] = _more_machine(old.symbolic, parts, amount)
    return dataclasses.replace(old, **changes)


def _deeper(old: PrismConfig, amount: int) -> dict[str, object]:
    deeper: dict[str, object] = {"num_layers": old.num_layers + amount}
    if old.memory_layers is not None and "memory" in old.expert_kinds:
        deeper["memory_layers"] = (*old.memory_layers, old.num_layers + amount - 1)
    return deeper


def _more_tape(old: TapeConfig, parts: object, amount: int) -> TapeConfig:
    more = amount * ("heads" in parts)
    retention = old.retention
    if isinstance(retention, tuple):
        retention += (0.9,) * more
    return dataclasses.replace(
        old,
        content_heads=old.content_heads + more,
        position_heads=old.position_heads + more,
        d_mem=old.d_mem + 2 * amount * ("values" in parts),
        retention=retention,
    )


def _more_machine(old: SymbolicConfig, parts: object, amount: int) -> SymbolicConfig:
    # a share of all units can only be kept by whole copies of them
    more = amount * old.units if "count" in old.primitives else amount
    # machines that answer get no other beside them
    beside = {
        name: amount
        for name in ("dials", "reflections")
        if name in parts and (getattr(old, name) or not old.answers)
    }
    return dataclasses.replace(
        old,
        units=old.units + more * ("units" in parts),
        **{name: getattr(old, name) + grown for name, grown in beside.items()},
    )


SPARSE = VARIANTS["top1"]
ANSWERS = VARIANTS["answers"]
SOFT = shrunk("tiny", memory_layers=(0, 2))
