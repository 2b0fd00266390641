"""Bounds of growth: what may differ between a config and a larger one, field by field.

    grows    d_model, num_layers, width of the neural kind and of an anchor, tape heads and d_mem,
             symbolic units: never smaller
    appends  half_lives, tape.retention: the old list first
    free     router_z_loss, expert_output_penalty, balance_rate, balance_target, chunk_size, seed:
             they move no logit
    fixed    everything else, each for a reason that the error says

Fields of an expert kind that the model does not have are not compared. Sizes of one family share
all fixed fields: a model that is meant to grow is built with those of the size that it will have,
and is small in the rest (:func:`related`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from prism.config import PrismConfig

TOKENS = "growth adds capacity, not tokens"
SOFTMAX = "another kind or another choice among kinds changes every weight of the router"
HEAD = "the head is the embedding table or it is not"
FACTS = "asking a tape is a head of its own, trained with its own loss"
PHASES = (
    "position heads read by phases at S/2 frequencies that all move with S, and new slots of a "
    "content head stay dead"
)
TAPE = "it decides which writes a layer reads"
INPUTS = "it scales the unit inputs that are there"
MACHINE = "a unit chooses among all primitives, and steps snap to all moduli"

FIXED = (
    ("vocab_size", None, TOKENS),
    ("expert_kinds", None, SOFTMAX),
    ("router_gates", None, SOFTMAX),
    ("topk", None, SOFTMAX),
    ("always_on", None, SOFTMAX),
    ("tie_embeddings", None, HEAD),
    ("holo_mode", None, FACTS),
    ("tape.num_slots", "memory", PHASES),
    ("tape.scope", "memory", TAPE),
    ("symbolic.primitives", "symbolic", MACHINE),
    ("symbolic.moduli", "symbolic", MACHINE),
    ("symbolic.unit_input_rate", "symbolic", INPUTS),
)
GROWS = (
    ("d_model", None),
    ("num_layers", None),
    ("hidden", "neural"),
    ("anchor_hidden", None),
    ("tape.content_heads", "memory"),
    ("tape.position_heads", "memory"),
    ("tape.d_mem", "memory"),
    ("symbolic.units", "symbolic"),
)
RATES = ("half_lives", "num_rates", "half_life_min", "half_life_max")
RETENTION = "tape.retention"
ROUTING = ("balance_target",)  # one per kind, and their sum is the number that runs
FIELD_NAMES = {"topk": "router_topk", "hidden": "neural_hidden"}


def check_bounds(old: PrismConfig, new: PrismConfig) -> None:
    """Nothing if a model of ``old`` can become one of ``new``; where its blocks go is checked by
    :func:`prism.growth.layer_mapping`.

    Raises:
        ValueError: names the first field that cannot change so, its value and what is allowed.
    """
    for path, kind, reason in FIXED:
        if kind is None or kind in old.expert_kinds:
            before, after = _value(old, path), _value(new, path)
            if before != after:
                refuse(path, after, f"{before!r}, the model's own: {reason}")
    for path, kind in GROWS:
        if kind is None or kind in old.expert_kinds:
            before, after = _value(old, path), _value(new, path)
            if (after or 0) < (before or 0):  # None: there is no such part
                refuse(path, after, f"at least {before}, the model's own: growth never shrinks")
    _check_rates(old, new)
    before, after = old.tape.retentions, new.tape.retentions
    if "memory" in old.expert_kinds and after[: len(before)] != before:
        allowed = f"{before} for the heads that are there, then one for each new content head"
        refuse("tape.retention", after, allowed)
    before, after = old.symbolic.units, new.symbolic.units
    counts = "symbolic" in old.expert_kinds and "count" in old.symbolic.primitives
    if counts and after % before:
        allowed = f"a multiple of {before}, the model's own: 'count' is a share of all units"
        refuse("symbolic.units", after, allowed)


def _check_rates(old: PrismConfig, new: PrismConfig) -> None:
    before, after = old.bus_half_lives, new.bus_half_lives
    if after[: len(before)] != before:
        allowed = f"{before} and then any others, listed in half_lives: rates that are there stay"
        refuse("half_lives", after, allowed)
    group = old.d_model // len(before)
    if new.d_model // len(after) < group:
        least = f"at least {len(after) * group}: {len(after)} rates of {group} channels"
        refuse("d_model", new.d_model, least)


def _value(config: PrismConfig, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def refuse(path: str, value: object, allowed: str) -> None:
    """Raise a ValueError that names the field ``path``, its value and what is allowed."""
    raise ValueError(f"PrismConfig.{FIELD_NAMES.get(path, path)} = {value!r}: must be {allowed}")


def related(
    small: PrismConfig, large: PrismConfig, own: Collection[str] = ()
) -> tuple[PrismConfig, dict[str, Any]]:
    """``small`` with the fields that growth cannot change as in ``large``.

    Args:
        own: fields that stay as they are, such as ``tape.num_slots``; one of half_lives, num_rates,
            half_life_min, half_life_max keeps all four.

    Returns:
        The config, and the fields that changed with their values.

    Raises:
        ValueError: no config of the family is that small, e.g. fewer channels than rates.
    """
    paths = [FIELD_NAMES.get(path, path) for path, _, _ in FIXED]
    taken = [path for path in (*paths, *ROUTING, RETENTION) if path not in own]
    if not set(RATES) & set(own):
        taken += RATES
    values, wanted, changed = small.to_dict(), large.to_dict(), {}
    if isinstance(large.tape.retention, tuple):  # one for each content head
        wanted["tape"]["retention"] = large.tape.retention[: small.tape.content_heads]
    for path in taken:
        part, _, field = path.rpartition(".")
        here, there = (values[part], wanted[part]) if part else (values, wanted)
        if here[field] != there[field]:
            here[field] = changed[path] = there[field]
    return PrismConfig.from_dict(values), changed
