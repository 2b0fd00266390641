"""From settings to a model: a preset with overrides, or a baseline of the same size."""

from __future__ import annotations

import json
from typing import Any

from prism import presets
from prism.baselines import MODELS, build, grows_with_context
from prism.config import PrismConfig
from prism.engine.settings import Settings
from prism.former_names import current_fields
from prism.model.protocol import LanguageModel


def model_config(s: Settings, vocab_size: int) -> PrismConfig:
    """The preset of ``s`` with its overrides, for a vocabulary of ``vocab_size``.

    Raises:
        ValueError: an unknown preset or field, or a value that is not allowed.
    """
    values = {"vocab_size": vocab_size, "seed": s.seed, **current_fields(_overrides(s.set))}
    nested = {k: v for k, v in values.items() if "." in k}
    flat = {k: v for k, v in values.items() if "." not in k}
    unknown = sorted(set(flat) - set(PrismConfig.__dataclass_fields__))
    if unknown:
        known = ", ".join(sorted(PrismConfig.__dataclass_fields__))
        raise ValueError(f"--set {unknown[0]}: must be one of {known}")
    _check_vocab(s, values["vocab_size"], vocab_size)
    config = presets.get(s.preset, **flat).to_dict()
    for key, value in nested.items():
        part, _, field = key.partition(".")
        if not isinstance(config.get(part), dict) or field not in config[part]:
            raise ValueError(f"--set {key}: {s.preset} has no such field")
        config[part][field] = value
    return PrismConfig.from_dict(config)


def _check_vocab(s: Settings, asked: Any, needed: int) -> None:
    """Nothing if a model of ``asked`` ids knows all of the tokenizer's."""
    if not isinstance(asked, int) or asked < needed:
        raise ValueError(
            f"--set vocab_size={asked}: must be >= {needed}, the ids of --tokenizer {s.tokenizer}"
        )


def _overrides(pairs: tuple[str, ...]) -> dict[str, Any]:
    values = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair}: must be KEY=VALUE")
        try:
            values[key] = json.loads(text)
        except json.JSONDecodeError:
            raise ValueError(
                f"--set {pair}: the value must be JSON (a number, a list, ...)"
            ) from None
    return values


def make_model(name: str, config: PrismConfig) -> LanguageModel:
    """The model called ``name`` of the size of ``Prism(config)``, on the current device.

    Raises:
        ValueError: an unknown name, or a size that it cannot have.
    """
    if name not in MODELS:
        raise ValueError(f"--model {name}: must be one of {', '.join(MODELS)}")
    return build(name, config)


def carries(s: Settings) -> bool:
    """True if row streams carry their state from step to step.

    Raises:
        ValueError: asked for with a model whose state grows with the context.
    """
    grows = grows_with_context(s.model)
    if s.carry and grows:
        raise ValueError(f"--carry: the state of {s.model} grows with every step; use --no-carry")
    return not grows if s.carry is None else s.carry
