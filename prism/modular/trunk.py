"""The trunk: everything that all kinds share, with an anchor in the place of the kinds.

    x = x + bus(norm(x));   x = x + anchor(norm(x))

It is trained on everything, then frozen. The anchor is a neural expert that every token gets, so a
trunk is a language model of its own, and a kind that has nothing to say about a token may say
nothing. This is the frozen public expert of FlexOlmo (arXiv 2507.07024) beside kinds of expert that
differ.

Gates are independent here, and once exploration is over speaking costs something
(``SPEECH_COST``, the weight of their loudness, and more on data that is not the part's own): a part
speaks where it pays, and leaves the rest of the stream to the parts that it will meet. The lanes of
a symbolic part learn slowly (``LANE_RATE``): its writer starts at zero, and until it is heard, what
the lanes learn from is noise. The fields of a kind (width, tape, machine) are its own part's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from prism.config import PrismConfig, SymbolicConfig
from prism.modular.owners import KINDS

SPEECH_COST = 0.03
LANE_RATE = 1 / 128
FIELDS = {
    "neural": ("neural_hidden",),
    "memory": ("tape", "memory_layers"),
    "symbolic": ("symbolic",),
}


def trunk_config(config: PrismConfig) -> PrismConfig:
    """The trunk of a model of ``config``: no kinds, and an anchor as wide as the neural kind,
    unless ``anchor_hidden`` says otherwise."""
    return _with_kinds(config, (), {"symbolic": _slow(config.symbolic)})


def part_config(trunk: PrismConfig, kind: str, like: PrismConfig | None = None) -> PrismConfig:
    """A model of ``trunk`` and ``kind``, whose own fields are those of ``like``."""
    return assembled_config(trunk, {kind: trunk if like is None else like})


def assembled_config(trunk: PrismConfig, parts: Mapping[str, PrismConfig]) -> PrismConfig:
    """A model of ``trunk`` and these kinds, each with the fields of its own part."""
    kinds = tuple(kind for kind in KINDS if kind in parts)
    fields = {name: getattr(parts[kind], name) for kind in kinds for name in FIELDS[kind]}
    if "symbolic" in fields:
        fields["symbolic"] = _slow(fields["symbolic"])
    return _with_kinds(trunk, kinds, fields)


def _slow(config: SymbolicConfig) -> SymbolicConfig:
    """``config``, whose lanes learn slowly unless it says how fast."""
    if config.unit_input_rate is not None:
        return config
    return dataclasses.replace(config, unit_input_rate=LANE_RATE)


def _with_kinds(
    config: PrismConfig, kinds: tuple[str, ...], fields: Mapping[str, object]
) -> PrismConfig:
    changes = {
        "expert_kinds": kinds,
        "anchor_hidden": config.hidden if config.anchor_hidden is None else config.anchor_hidden,
        "router_gates": "independent",
        "router_topk": None,
        "always_on": (),
        "balance_target": None,
        "memory_layers": None,
        "neural_hidden": config.hidden,
        "expert_output_penalty": SPEECH_COST,
    }
    return dataclasses.replace(config, **{**changes, **fields})


def check_trunk(config: PrismConfig) -> None:
    """Nothing if a model of ``config`` is a trunk.

    Raises:
        ValueError: it has kinds, or no anchor.
    """
    if config.expert_kinds or config.anchor_hidden is None:
        raise ValueError(
            f"modular trunk: expert_kinds = {config.expert_kinds!r}, anchor_hidden = "
            f"{config.anchor_hidden!r}: must be a model of --modular-phase trunk, which has an "
            "anchor and no kinds"
        )
