"""Bounds of growth, field by field, and the old block that each block of a grown model comes from.

    grows    d_model, num_layers, width of the neural kind and of an anchor, tape heads and d_mem,
             symbolic units, dials and reflections: never smaller
    appends  half_lives, tape.retention: the old list first
    free     router_z_loss, expert_output_penalty, balance_rate, balance_target, chunk_size,
             dropout, seed: they move no logit outside of training
    fixed    everything else, each for a reason that the error says

Fields of an expert kind that the model does not have are not compared. Machines with answers of
their own get no other beside them: it would take its share of every answer. Sizes of one family
share all fixed fields: a model that is meant to grow is built with those of the size that it will
have, and is small in the rest (:func:`related`).

``exact``: the old blocks keep their order, each goes to the lowest new block with the same kinds
that is free, and what is left over is new: with equal blocks that is on top. A new block adds
nothing to the stream, but one with a content head writes the shared tape: it erases what it sees
(``u = beta (v - seen^T k)``, also with v = 0), so it must stand above every old one that reads.

``stack``: the blocks repeat in order, 0 .. L-1, 0 .. L-1, ... (arXiv 2405.15319). Not exact.
"""

from __future__ import annotations

from collections.abc import Collection
from operator import attrgetter
from typing import Any

from prism.config import PrismConfig

METHODS = ("exact", "stack")
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
DIAL = "a dial chooses among all its steps, and its start is spread over all its positions"
WIDTH = "its answers are scaled by it, and no block depends on it"
ANSWERS = "machines that answer read codes of the tokens, others the network's embedding"
SHARE = "a machine more that answers takes a share of every answer"
LOOKUP = "a context that another size or length of the table would have found changes the answer"
REGISTER = "reflections act on all entries of a register"
FILTER = "growth adds units, not tokens that the filter of a unit spans"
CLOCK = "time on the bus depends on the token or it does not"
SKIP = "every block adds the embedding or none does"

FIXED = (
    ("vocab_size", None, TOKENS),
    ("expert_kinds", None, SOFTMAX),
    ("router_gates", None, SOFTMAX),
    ("topk", None, SOFTMAX),
    ("always_on", None, SOFTMAX),
    ("tie_embeddings", None, HEAD),
    ("holo_mode", None, FACTS),
    ("neural_taps", None, FILTER),
    ("bus_reset", None, CLOCK),
    ("token_skip", None, SKIP),
    ("tape.num_slots", "memory", PHASES),
    ("tape.scope", "memory", TAPE),
    ("symbolic.primitives", "symbolic", MACHINE),
    ("symbolic.moduli", "symbolic", MACHINE),
    ("symbolic.fade", "symbolic", MACHINE),
    ("symbolic.unit_input_rate", "symbolic", INPUTS),
    ("symbolic.answers", "symbolic", ANSWERS),
    ("symbolic.width", "answers", WIDTH),
    ("symbolic.reflection_width", "answers", WIDTH),
    ("symbolic.dial_positions", "symbolic", DIAL),
    ("symbolic.dial_reach", "symbolic", DIAL),
    ("symbolic.reflection_size", "symbolic", REGISTER),
    ("symbolic.suffixes", "symbolic", LOOKUP),
    ("symbolic.suffix_slots", "symbolic", LOOKUP),
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
    ("symbolic.dials", "symbolic"),
    ("symbolic.reflections", "symbolic"),
)
BESIDE = ("dials", "reflections")  # machines that a model has or has not
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
        if kind is None or kind in _parts(old):
            before, after = attrgetter(path)(old), attrgetter(path)(new)
            if before != after:
                refuse(path, after, f"{before!r}, the model's own: {reason}")
    for path, kind in GROWS:
        if kind is None or kind in old.expert_kinds:
            before, after = attrgetter(path)(old), attrgetter(path)(new)
            if (after or 0) < (before or 0):  # None: there is no such part
                refuse(path, after, f"at least {before}, the model's own: growth never shrinks")
    before, after = old.bus_half_lives, new.bus_half_lives
    if after[: len(before)] != before:
        allowed = f"{before} and then any others, listed in half_lives: rates that are there stay"
        refuse("half_lives", after, allowed)
    group = old.d_model // len(before)
    if new.d_model // len(after) < group:
        least = f"at least {len(after) * group}: {len(after)} rates of {group} channels"
        refuse("d_model", new.d_model, least)
    before, after = old.tape.retentions, new.tape.retentions
    if "memory" in old.expert_kinds and after[: len(before)] != before:
        allowed = f"{before} for the heads that are there, then one for each new content head"
        refuse("tape.retention", after, allowed)
    for name in BESIDE:
        before, after = getattr(old.symbolic, name), getattr(new.symbolic, name)
        if "answers" in _parts(old) and after and not before:
            refuse(f"symbolic.{name}", after, f"0, the model's own: {SHARE}")
    before, after = old.symbolic.units, new.symbolic.units
    counts = "symbolic" in old.expert_kinds and "count" in old.symbolic.primitives
    if counts and after % before:
        allowed = f"a multiple of {before}, the model's own: 'count' is a share of all units"
        refuse("symbolic.units", after, allowed)


def _parts(config: PrismConfig) -> tuple[str, ...]:
    """Kinds of expert, and ``answers`` where the symbolic one has answers of its own."""
    own = "symbolic" in config.expert_kinds and config.symbolic.answers
    return (*config.expert_kinds, "answers") if own else config.expert_kinds


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
    if "answers" in _parts(large):
        sizes = [(name, getattr(small.symbolic, name) > 0) for name in BESIDE]
        other = [name for name, has in sizes if has != (getattr(large.symbolic, name) > 0)]
        taken += [path for path in (f"symbolic.{name}" for name in other) if path not in own]
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


def layer_mapping(old: PrismConfig, new: PrismConfig, method: str = "exact") -> list[int | None]:
    """Old block of each block of ``new``, or None for one that is new.

    Raises:
        ValueError: an unknown method, or a model of ``old`` cannot become one of ``new``; names
            the field, its value and what is allowed.
    """
    check_bounds(old, new)
    if method not in METHODS:
        raise ValueError(f"method = {method!r}: must be one of {METHODS}")
    if method == "exact":
        return _in_order(old, new)
    sources = [layer % old.num_layers for layer in range(new.num_layers)]
    wanted = tuple(i for i, source in enumerate(sources) if source in _memory(old))
    if "memory" in old.expert_kinds and _memory(new) != wanted:
        refuse("memory_layers", _memory(new), f"{wanted}, the model's own repeated")
    return list(sources)


def _in_order(old: PrismConfig, new: PrismConfig) -> list[int | None]:
    """The mapping ``exact``: the old blocks in their order."""
    sources: list[int | None] = []
    following = 0
    for layer in range(new.num_layers):
        fits = following < old.num_layers and old.kinds_at(following) == new.kinds_at(layer)
        sources.append(following if fits else None)
        following += fits
    if following < old.num_layers:
        have = f"the model's blocks hold memory in {_memory(old)} of {old.num_layers}"
        refuse("memory_layers", _memory(new), f"such that they fit in, in order: {have}")
    old_tops = [i for i, s in enumerate(sources) if s is not None and i in _memory(new)]
    if old.tape.scope == "shared" and old.tape.content_heads and old_tops:
        for layer in _memory(new):
            if sources[layer] is None and layer < old_tops[-1]:
                above = f"above block {old_tops[-1]}, the last that is there"
                refuse(
                    "memory_layers",
                    _memory(new),
                    f"such that new ones come {above}: block {layer} would erase below it",
                )
    return sources


def _memory(config: PrismConfig) -> tuple[int, ...]:
    return tuple(i for i in range(config.num_layers) if "memory" in config.kinds_at(i))
