"""Named sizes, as functions that return a :class:`PrismConfig`, and :func:`get` by name.

Parameter counts (within 5%) at the default vocabulary of 50,304, by the name that a user types:
tiny 7M, 300m 320M, 350m 370M, 700m 700M, 1b 1.0B; and flannel, of the study of training dynamics,
0.78M at its own vocabulary of 10,000, which brings a recipe. Every field can be overridden:
``presets.tiny(vocab_size=256)``, ``presets.get("350m", seed=1)``. Deep presets hold memory in a few
blocks, because reading the lower layers' writes costs in proportion to the number of memory layers
below.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from prism.config import PrismConfig, SymbolicConfig, TapeConfig

VOCABULARY = 50_304
# Each machine that answers costs the logits of a whole vocabulary, which is nothing at 256 ids and
# more than the network's own memory at 50 thousand: in these sizes they serve the network alone.
READ_ONLY = SymbolicConfig(answers=False, units=16, dials=0, reflections=0)
LARGE = dataclasses.replace(READ_ONLY, units=32, suffix_slots=4096)


def tiny(**overrides: Any) -> PrismConfig:
    """7M parameters, most of them the embedding: for tests and laptops."""
    tape = TapeConfig(num_slots=32, d_mem=32)
    values = {
        "vocab_size": VOCABULARY,
        "d_model": 128,
        "num_layers": 4,
        "tape": tape,
        "symbolic": READ_ONLY,
    }
    return PrismConfig(**(values | overrides))


def m300(**overrides: Any) -> PrismConfig:
    """320M parameters: the first recipe, 8 rates, 64 slots, top-2, a trimmed neural kind."""
    return _large(
        overrides,
        d_model=896,
        num_layers=36,
        router_topk=2,
        neural_hidden=1792,
        half_life_max=4096.0,
        tape=TapeConfig(num_slots=64, d_mem=64),
    )


def m350(**overrides: Any) -> PrismConfig:
    """370M parameters."""
    return _large(overrides, d_model=1024, num_layers=24, neural_hidden=3144)


def m700(**overrides: Any) -> PrismConfig:
    """700M parameters."""
    return _large(overrides, d_model=1536, num_layers=20, neural_hidden=5056)


def b1(**overrides: Any) -> PrismConfig:
    """1.0B parameters."""
    return _large(overrides, d_model=1792, num_layers=24, neural_hidden=5104)


def flannel(**overrides: Any) -> PrismConfig:
    """A vocabulary of 10,000 and a width of 64: a cloud of tokens small enough to record whole."""
    tape = TapeConfig(num_slots=32, d_mem=32)
    values = {
        "vocab_size": 10_000,
        "d_model": 64,
        "num_layers": 2,
        "tape": tape,
        "symbolic": READ_ONLY,
    }
    return PrismConfig(**(values | overrides))


BY_NAME = {"flannel": flannel, "tiny": tiny, "300m": m300, "350m": m350, "700m": m700, "1b": b1}


# flags of a scale run that a preset brings, where they are not given: a Transformer kept in bf16,
# and AdamW at a constant rate without decay
RECIPES: dict[str, dict[str, Any]] = {
    "flannel": {
        "model": "transformer",
        "seq_len": 128,
        "global_batch_size": 32,
        "steps": 1000,
        "lr": 1e-3,
        "min_lr_ratio": 1.0,
        "warmup": 0.0,
        "weight_decay": 0.0,
        "beta2": 0.999,
        "grad_clip": 0.0,
        "dtype": "bf16",
        "weights": "bf16",
    }
}


def get(name: str, **overrides: Any) -> PrismConfig:
    """The preset called ``name``: tiny, 300m, 350m, 700m, 1b or flannel.

    Raises:
        ValueError: an unknown name.
    """
    if name not in BY_NAME:
        raise ValueError(f"preset = {name!r}: must be one of {sorted(BY_NAME)}")
    return BY_NAME[name](**overrides)


def _large(overrides: dict[str, Any], **values: Any) -> PrismConfig:
    """Four blocks hold memory, evenly spread, whatever ``num_layers`` is overridden to."""
    layers = overrides.get("num_layers", values["num_layers"])
    quarter = max(layers // 4, 1)
    shared = {
        "vocab_size": VOCABULARY,
        "half_life_max": 8192.0,
        "tape": TapeConfig(content_heads=4, position_heads=4, num_slots=64, d_mem=64),
        "symbolic": LARGE,
        "memory_layers": tuple(range(layers % quarter + quarter // 2, layers, quarter)),
    }
    return PrismConfig(**(shared | values | overrides))
