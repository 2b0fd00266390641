"""A trained model out of a run: from any checkpoint of any number of ranks, in one process.

A checkpoint is read tensor by tensor into a plain model; an export is one safetensors file whose
header holds the config and the tokenizer, so that it needs nothing beside it.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from prism import whole_file
from prism.baselines import load_saved
from prism.config import PrismConfig
from prism.data.tokens import INSIDE, FileTokenizer
from prism.engine.models import make_model
from prism.engine.store import checkpoint, folder
from prism.former_names import check_architecture
from prism.model.protocol import LanguageModel

FORMAT = 1
KEY = "prism"
SINGLE = dict.fromkeys(("fp32", "tf32", "bf16"), torch.float32)
DTYPES = SINGLE | {"fp64": torch.float64}  # of the masters
MATRIX = 2  # dimensions from which a tensor is rounded; rates and norms are few and stay exact


def find(path: Path) -> Path:
    """The checkpoint that ``path`` names: itself, or the newest whole one of the run in it; warns
    if a newer one is damaged.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    if (path / folder.MARK).is_file():
        folder.verify(path)
        return path
    return folder.newest(path, lambda line: warnings.warn(line, stacklevel=4))


def load_checkpoint(path: str | Path) -> LanguageModel:
    """The model of a run's newest checkpoint, or of one checkpoint, on the CPU in evaluation mode.

    Raises:
        ValueError: no complete checkpoint, or it does not fit the model that it names.
    """
    where = find(Path(path))
    run = checkpoint.read_run(where)
    s = run["settings"]
    model = make_model(s["model"], PrismConfig.from_dict(run["config"])).to(DTYPES[s["dtype"]])
    checkpoint.load_tensors(where, checkpoint.persistent(model), alone=True)
    return model.eval()


def load_trained(path: str | Path) -> LanguageModel:
    """The model of a run, a checkpoint, an export or a saved folder, on the CPU.

    Raises:
        FileNotFoundError: there is nothing there.
        ValueError: what is there is not a whole model.
    """
    where = Path(path)
    if where.is_file():
        return load_export(where)
    if (where / folder.MARK).is_file() or any(where.glob(f"step-*/{folder.MARK}")):
        return load_checkpoint(where)
    return load_saved(where)


def export(path: str | Path, file: str | Path, half: bool = False) -> None:
    """Write the weights of a run or checkpoint to one file of tensors, its tokenizer inside.

    Args:
        path: of the run or checkpoint.
        file: to write; an export that is there is replaced.
        half: round matrices to bf16, half the bytes; they are read back as fp32.

    Warns if the run's tokenizer is gone or is another one now; the export is then without it.

    Raises:
        ValueError: there is no whole checkpoint, or ``file`` is there and no export of ours.
    """
    where = find(Path(path))
    if Path(file).is_file():
        _check_replaceable(Path(file))
    run, model = checkpoint.read_run(where), load_checkpoint(where)
    tokenizer, fingerprint = run["settings"].get("tokenizer"), run["identity"]["tokenizer"]
    header = {
        "format": FORMAT,
        "model": run["settings"]["model"],
        "dtype": run["settings"]["dtype"],
        "config": run["config"],
        "tokenizer": fingerprint,
        "tokenizer_file": tokenizer,
        "step": run["step"],
    }
    tensors = {k: v.contiguous() for k, v in checkpoint.persistent(model).items()}
    if half:
        tensors = {k: v.bfloat16() if _rounded(v) else v for k, v in tensors.items()}
    header["contents"] = _contents(tensors)
    metadata = {KEY: json.dumps(header)} | _tokenizer(tokenizer, fingerprint)
    with whole_file.replacing(Path(file)) as beside:
        save_file(tensors, beside, metadata=metadata)


def _rounded(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and tensor.ndim >= MATRIX


def _tokenizer(name: str | None, fingerprint: str) -> dict[str, str]:
    """The entry of the header that holds the run's tokenizer; none for bytes."""
    if fingerprint == "bytes" or name is None:
        return {}
    try:
        spoken = FileTokenizer(name)
        if spoken.fingerprint() != fingerprint:
            raise ValueError(f"tokenizer {name}: is not the run's any more")
    except ValueError as error:
        warnings.warn(f"{error}; the export is without it", stacklevel=3)
        return {}
    return {INSIDE: spoken.content.decode()}


def _check_replaceable(file: Path) -> None:
    try:
        with safe_open(str(file), framework="pt") as f:
            ours = KEY in (f.metadata() or {})
    except SafetensorError:
        ours = False
    if not ours:
        raise ValueError(f"{file}: is there and no export of a run; must be another file")


def load_export(file: str | Path) -> LanguageModel:
    """The model that :func:`export` wrote, on the CPU in evaluation mode.

    Raises:
        ValueError: not such a file; names what is wrong.
    """
    try:
        with safe_open(str(file), framework="pt") as f:
            header = _header(file, f.metadata() or {})
            check_architecture(header["config"], file, header["model"])
            model = make_model(header["model"], PrismConfig.from_dict(header["config"]))
            model.to(DTYPES[header["dtype"]])
            wanted = checkpoint.persistent(model)
            if set(f.keys()) != set(wanted):
                raise ValueError(f"{file}: its tensors are not those of its config")
            read = {name: f.get_tensor(name) for name in wanted}
            if _contents(read) != header.get("contents", _contents(read)):
                raise ValueError(f"{file}: is damaged: its tensors are not those that were saved")
            for name, tensor in wanted.items():
                tensor.copy_(read[name])
    except SafetensorError as error:
        raise ValueError(f"{file}: not a safetensors file ({error})") from error
    return model.eval()


def tokenizer_of(path: Path) -> tuple[str | None, str | None]:
    """The ``--tokenizer`` of a run, checkpoint or export, and that tokenizer's fingerprint; None
    where it was not kept, and for anything else. An export that holds its tokenizer names itself.
    """
    if path.is_file():
        with safe_open(str(path), framework="pt") as f:
            metadata = f.metadata() or {}
        header = _header(path, metadata)
        name = str(path) if INSIDE in metadata else header.get("tokenizer_file")
        return name, str(header["tokenizer"])
    if not ((path / folder.MARK).is_file() or folder.complete(path)):
        return None, None
    run = checkpoint.read_run(find(path))
    return run["settings"].get("tokenizer"), run["identity"].get("tokenizer")


def _contents(tensors: Mapping[str, torch.Tensor]) -> str:
    """BLAKE2b of the tensors in the order of their names; older exports have none."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        flat = tensors[name].detach().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def _header(file: str | Path, metadata: dict[str, str]) -> dict[str, Any]:
    if KEY not in metadata:
        raise ValueError(f"{file}: no {KEY!r} in its header; must be written by --export")
    header = json.loads(metadata[KEY])
    if header.get("format") != FORMAT:
        raise ValueError(f"{file}: format = {header.get('format')!r}: must be {FORMAT}")
    return header
