"""What may change between a model's config and a larger one, field by field.

    grows    d_model, num_layers, width of the neural kind and of an anchor, tape heads and d_mem,
             symbolic units: never smaller
    appends  half_lives, tape.retention: the old list first
    free     router_z_loss, expert_output_penalty, balance_rate, balance_target, chunk_size, seed:
             they move no logit
    fixed    everything else, each for a reason that the error says

Parts of a kind that the model does not have are not compared.
"""

from __future__ import annotations

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
FIELD_NAMES = {"topk": "router_topk", "hidden": "neural_hidden"}


def check_bounds(old: PrismConfig, new: PrismConfig) -> None:
    """Nothing if a model of ``old`` can become one of ``new``; where its blocks go is checked in
    ``placement``.

    Raises:
        ValueError: names the first field that cannot change so, its value and what is allowed.
    """
    for path, kind, reason in FIXED:
        if kind is None or kind in old.expert_kinds:
            before, after = _value(old, path), _value(new, path)
            if before != after:
                _refuse(path, after, f"{before!r}, the model's own: {reason}")
    for path, kind in GROWS:
        if kind is None or kind in old.expert_kinds:
            before, after = _value(old, path), _value(new, path)
            if (after or 0) < (before or 0):  # None: there is no such part
                _refuse(path, after, f"at least {before}, the model's own: growth never shrinks")
    _check_rates(old, new)
    if "memory" in old.expert_kinds:
        _check_retentions(old, new)
    if "symbolic" in old.expert_kinds:
        _check_units(old, new)


def _check_rates(old: PrismConfig, new: PrismConfig) -> None:
    before, after = old.bus_half_lives, new.bus_half_lives
    if after[: len(before)] != before:
        allowed = f"{before} and then any others, listed in half_lives: rates that are there stay"
        _refuse("half_lives", after, allowed)
    group = old.d_model // len(before)
    if new.d_model // len(after) < group:
        least = f"at least {len(after) * group}: {len(after)} rates of {group} channels"
        _refuse("d_model", new.d_model, least)


def _check_retentions(old: PrismConfig, new: PrismConfig) -> None:
    before, after = old.tape.retentions, new.tape.retentions
    if after[: len(before)] != before:
        allowed = f"{before} for the heads that are there, then one for each new content head"
        _refuse("tape.retention", after, allowed)


def _check_units(old: PrismConfig, new: PrismConfig) -> None:
    before, after = old.symbolic.units, new.symbolic.units
    if "count" in old.symbolic.primitives and after % before:
        allowed = f"a multiple of {before}, the model's own: 'count' is a share of all units"
        _refuse("symbolic.units", after, allowed)


def _value(config: PrismConfig, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _refuse(path: str, value: object, allowed: str) -> None:
    raise ValueError(f"PrismConfig.{FIELD_NAMES.get(path, path)} = {value!r}: must be {allowed}")
