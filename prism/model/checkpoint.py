"""A model on disk: ``config.json`` beside ``model.safetensors``. Nothing is ever unpickled.

Each file appears whole or not at all, the config last, so a new folder that has a config is whole.
What :func:`load_into` would refuse, :func:`save` refuses to write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from prism import whole_file
from prism.config import PrismConfig
from prism.former_names import check_architecture

if TYPE_CHECKING:
    from prism.model.protocol import LanguageModel

FORMAT = 1
Tensors = dict[str, torch.Tensor]
DTYPES = ("float32", "float64", "bfloat16", "float16")
# a model of a config and, for a baseline, of the width of its MLP
Maker = Callable[[PrismConfig, int], "LanguageModel"]


def save(model: LanguageModel, directory: str | Path) -> None:
    """Write ``model`` into ``directory``, which is made if needed.

    Tied weights are stored once. The mode (training or evaluation) is not stored.

    Raises:
        ValueError: weights that are not those of ``model.config`` in one floating-point type, or
            have no memory. Nothing is written.
    """
    folder = Path(directory)
    dtype = str(model.embedding.weight.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise ValueError(f"{folder}: weights of {dtype}: must be one of {', '.join(DTYPES)}")
    with torch.device("meta"):
        wanted = _stored(model.remade().to(model.embedding.weight.dtype))
    weights = {k: v.contiguous() for k, v in _stored(model).items()}
    _check(weights, wanted, folder / "model.safetensors")
    unreal = [name for name, tensor in weights.items() if tensor.is_meta]
    if unreal:
        raise ValueError(f"{folder}: {unreal[0]!r} is on the meta device: must have values")
    header: dict[str, Any] = {"format": FORMAT, "model": model.kind, "dtype": dtype}
    if model.kind != "prism":
        header["hidden"] = model.hidden
    header["config"] = model.config.to_dict()
    whole_file.write(folder / "model.safetensors", to_bytes(weights))
    whole_file.write(folder / "config.json", json.dumps(header, indent=2) + "\n")


def load_into(
    makers: Mapping[str, Maker], folder: Path, device: str | torch.device = "cpu"
) -> LanguageModel:
    """The model that :func:`save` wrote, on ``device`` in evaluation mode.

    Args:
        makers: what builds a model, by its kind.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the files do not belong together; names the field or tensor.
    """
    header = _header(folder, tuple(makers))
    check_architecture(header["config"], folder / "config.json", header["model"])
    config = PrismConfig.from_dict(header["config"])
    with torch.device("meta"):
        model = makers[header["model"]](config, header.get("hidden", 0))
    model.to(getattr(torch, header["dtype"]))
    path = folder / "model.safetensors"
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file") from error
    _check(weights, _stored(model), path)
    model.to_empty(device=device)
    model.load_state_dict(weights, strict=False)  # the tied head is not stored
    return model.eval()


def _header(folder: Path, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Content of ``config.json``, checked."""
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name}: no such file; is this a saved model?")
    path = folder / "config.json"
    try:
        header = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    for field, allowed in (("format", (FORMAT,)), ("model", kinds), ("dtype", DTYPES)):
        value = header.get(field) if isinstance(header, dict) else None
        if value not in allowed:
            one = " or ".join(repr(x) for x in allowed)
            raise ValueError(f"{path}: {field} = {value!r}: must be {one}")
    if not isinstance(header.get("config"), dict):
        raise ValueError(f"{path}: config is missing")
    hidden = header.get("hidden")
    if header["model"] != "prism" and not (type(hidden) is int and hidden >= 1):
        raise ValueError(f"{path}: hidden = {hidden!r}: must be an integer >= 1")
    return header


def _stored(model: LanguageModel) -> Tensors:
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
        # the selection bias had the model's type before it was always fp32
        if weights[name].dtype != tensor.dtype and not name.endswith(".selection_bias"):
            types = f"{weights[name].dtype}: must be {tensor.dtype}"
            raise ValueError(f"{path}: dtype of {name!r} is {types}")
