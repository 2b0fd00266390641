"""A model on disk: ``config.json`` beside ``model.safetensors``. Nothing is ever unpickled.

Each file appears whole or not at all, the config last, so a new folder that has a config is whole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from prism import whole_file
from prism.config import PrismConfig

if TYPE_CHECKING:
    from prism.model.prism import Prism

FORMAT = 1
Tensors = dict[str, torch.Tensor]
DTYPES = ("float32", "float64", "bfloat16", "float16")


def save(model: Prism, directory: str | Path) -> None:
    """Write ``model`` into ``directory``, which is made if needed.

    Tied weights are stored once.
    """
    folder = Path(directory)
    dtype = str(model.embedding.weight.dtype).removeprefix("torch.")
    config = model.config.to_dict()
    header = {"format": FORMAT, "model": "prism", "dtype": dtype, "config": config}
    weights = {k: v.contiguous() for k, v in _stored(model).items()}
    whole_file.write(folder / "model.safetensors", to_bytes(weights))
    whole_file.write(folder / "config.json", json.dumps(header, indent=2) + "\n")


def read_config(folder: Path) -> tuple[PrismConfig, torch.dtype]:
    """The config and the dtype of the model that :func:`save` wrote.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the config is not one of ours; names the field.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name}: no such file; is this a saved model?")
    try:
        header = json.loads((folder / "config.json").read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{folder / 'config.json'}: not JSON ({error})") from error
    for field, allowed in (("format", (FORMAT,)), ("model", ("prism",)), ("dtype", DTYPES)):
        value = header.get(field) if isinstance(header, dict) else None
        if value not in allowed:
            one = " or ".join(repr(x) for x in allowed)
            raise ValueError(f"{folder / 'config.json'}: {field} = {value!r}: must be {one}")
    if not isinstance(header.get("config"), dict):
        raise ValueError(f"{folder / 'config.json'}: config is missing")
    return PrismConfig.from_dict(header["config"]), getattr(torch, header["dtype"])


def read_weights(folder: Path, model: Prism) -> None:
    """Fill ``model``, made from :func:`read_config`, with the weights that :func:`save` wrote.

    Raises:
        ValueError: the weights do not belong to the config; names the tensor.
    """
    try:
        weights = load_file(folder / "model.safetensors")
    except SafetensorError as error:
        raise ValueError(f"{folder / 'model.safetensors'}: not a safetensors file") from error
    _check(weights, _stored(model), folder / "model.safetensors")
    model.load_state_dict(weights, strict=False)  # the tied head is not stored


def _stored(model: Prism) -> dict[str, torch.Tensor]:
    tensors = model.state_dict()
    if model.config.tie_embeddings:
        del tensors["head.weight"]
    return tensors


def _check(weights: Tensors, wanted: Tensors, path: Path) -> None:
    missing, extra = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing:
        raise ValueError(f"{path}: tensor {missing[0]!r} is missing ({len(missing)} in all)")
    if extra:
        raise ValueError(f"{path}: tensor {extra[0]!r} is unknown ({len(extra)} in all)")
    for name, tensor in wanted.items():
        if weights[name].shape != tensor.shape:
            shapes = f"{tuple(weights[name].shape)}: must be {tuple(tensor.shape)}"
            raise ValueError(f"{path}: shape of {name!r} is {shapes}, as config.json says")
        if weights[name].dtype != tensor.dtype:
            types = f"{weights[name].dtype}: must be {tensor.dtype}"
            raise ValueError(f"{path}: dtype of {name!r} is {types}")
