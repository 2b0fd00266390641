"""Flags of a run that change nothing as the others stand, and are therefore refused.

A table: which flags, under which condition they have an effect, and what the error says they need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from prism.config import PrismConfig
from prism.engine.flags import Effect, check_effect, flag_name
from prism.engine.settings import Settings


def _explores(s: Settings, config: Callable[[], PrismConfig]) -> bool:
    if not s.model.startswith("prism"):
        return False
    if s.progressive is not None:
        return True  # each stage has a model of its own
    model = config()
    return model.topk < len(model.expert_kinds) or model.router_gates == "independent"


ALL = frozenset(f.name for f in dataclasses.fields(Settings))
EFFECTS = (
    Effect(
        ("decay",),
        lambda s, _: (
            s.schedule == "wsd"
            or any(part.startswith("anneal:") and "@" not in part for part in s.curriculum)
        ),
        "needs --schedule wsd, or --curriculum anneal:SOURCE=SHARE without a start",
    ),
    Effect(("mfu", "gpu"), lambda s, _: s.dry_run, "needs --dry-run"),
    Effect(
        ("exploration",),
        _explores,
        "needs a router that chooses: --set router_topk=K below the number of kinds, or "
        'router_gates="independent"',
    ),
    Effect(
        ("moments", "rounding"),
        lambda s, _: s.weights == "bf16",
        "needs --weights bf16; fp32 weights have fp32 moments, and are rounded to nearest",
    ),
    Effect(
        ("preset",),
        lambda s, _: s.progressive in (None, "jump"),
        "--progressive names the presets itself",
    ),
    Effect(
        ALL - {"smoke"}, lambda s, _: not s.smoke, "has no effect, --smoke has settings of its own"
    ),
    Effect(
        ALL - {"resume", "export"},
        lambda s, _: s.export is None,
        "has no effect, --export writes the weights and does nothing else",
    ),
)


FIELD_EFFECTS = (  # of the fields of the model's config that --set names
    Effect(
        ("num_rates", "half_life_min", "half_life_max"),
        lambda config: config.half_lives is None,
        "has no effect, half_lives are given",
    ),
    Effect(
        ("balance_rate", "balance_target"),
        lambda config: config.topk < len(config.expert_kinds),
        "needs router_topk below the number of kinds, all are on",
    ),
)


def check_effects(s: Settings, given: Mapping[str, Any], config: Callable[[], PrismConfig]) -> None:
    """Nothing if every flag that was ``given`` has an effect in a run of the settings ``s``.

    Args:
        given: the flags on the command line; what a resumed run was saved with is not among them.
        config: gives the config of the model of ``s``.

    Raises:
        ValueError: one has none; names it and what it needs.
    """
    for name, value in given.items():
        text = " ".join(map(str, value)) if isinstance(value, tuple) else value
        check_effect(EFFECTS, name, f"{flag_name(name)} {text}", s, config)
    pairs = [pair for pair in given.get("set", ()) if "=" in pair]
    fields = {name for effect in FIELD_EFFECTS for name in effect.names}
    for pair in pairs:
        if (name := pair.partition("=")[0]) in fields and s.progressive is None:
            check_effect(FIELD_EFFECTS, name, f"--set {pair}", config())
