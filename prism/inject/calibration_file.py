"""Calibrations on disk, one for every model, text and set of probes, and the text they are made on.

One safetensors file per combination; its name is the hash of all three, so another model, text or
version never finds it. Nothing is unpickled. The default text is part of every Python: the prose of
its language reference.
"""

from __future__ import annotations

import hashlib
import json
import os
import pydoc_data.topics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import nn

from prism import whole_file
from prism.data.tokens import Tokenizer
from prism.inject.calibration import HEADS, NEIGHBOUR, Calibration, calibrate
from prism.inject.layer_selection import KEPT, KEPT_FLOOR, KEPT_NOUNS
from prism.inject.probes import PROBES, SUBJECTS
from prism.inject.relation_space import COMPETITION, RIDGE, WITHIN, LayerWhitening, Whitening

FORMAT = 2
TENSORS = ("mean", "whiten", "competitors", "text", "named", "named_relation")
NUMBERS = ("layers", "floor", "spoken", "share")
CALIBRATION = slice(100_000, 130_000)  # characters of the manual
Progress = Callable[[str], None]


def manual() -> str:
    """The prose of Python's language reference."""
    topics = pydoc_data.topics.topics
    return "\n\n".join(topics[name] for name in sorted(topics))


def calibration_text() -> str:
    """The part of the manual that thresholds are found on."""
    return manual()[CALIBRATION]


def calibration_folder() -> Path:
    """Where calibrations are kept unless a folder is named: ``$XDG_CACHE_HOME/prism/calibration``,
    by default in ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "prism" / "calibration"


def say(line: str) -> None:
    """Print one line of progress on stderr."""
    print(f"calibration: {line}", file=sys.stderr, flush=True)


def calibrated(
    model: nn.Module,
    tokenizer: Tokenizer,
    text: str,
    folder: str | Path | None,
    progress: Progress | None = None,
) -> Calibration:
    """The calibration kept in ``folder``, made and kept if it is not there; None = not kept.

    Raises:
        ValueError: the file is there and is none of ours.
    """
    if folder is None:
        return calibrate(model, tokenizer, text, progress=progress)
    path = Path(folder) / f"calibration-{fingerprint(model, text)}.safetensors"
    if path.is_file():
        return load(path)
    if progress is not None:
        progress(f"of this model, once; a minute or two; kept as {path}")
    found = calibrate(model, tokenizer, text, progress=progress)
    save(found, path)
    return found


def fingerprint(model: nn.Module, text: str) -> str:
    """Hex digits that change with the weights, the text, the probes and the constants."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy())
    chosen = (WITHIN, RIDGE, COMPETITION, KEPT, KEPT_FLOOR, KEPT_NOUNS, NEIGHBOUR, HEADS)
    digest.update(repr((FORMAT, PROBES, SUBJECTS, chosen)).encode())
    digest.update(text.encode())
    return digest.hexdigest()


def save(found: Calibration, path: Path) -> None:
    """Write ``found``; the file appears whole or not at all."""
    tensors = {
        "mean": torch.stack([s.mean for s in found.space.layers]),
        "whiten": torch.stack([s.whiten for s in found.space.layers]),
        "competitors": found.competitors,
        "text": found.text,
        "named": found.named,
        "named_relation": found.named_relation,
    }
    numbers = {name: getattr(found, name) for name in NUMBERS}
    header = {"format": str(FORMAT), "numbers": json.dumps(numbers | {"heads": found.heads})}
    whole_file.write(path, to_bytes({k: v.contiguous() for k, v in tensors.items()}, header))


def load(path: Path) -> Calibration:
    """What :func:`save` wrote.

    Raises:
        ValueError: not such a file.
    """
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file; delete it to calibrate again") from error
    if header.get("format") != str(FORMAT) or set(tensors) != set(TENSORS):
        raise ValueError(f"{path}: not a calibration of format {FORMAT}; delete it")
    numbers = json.loads(header["numbers"])
    heads = [(block, head) for block, head in numbers.pop("heads")]
    maps = zip(tensors.pop("mean"), tensors.pop("whiten"), strict=True)
    space = Whitening([LayerWhitening(*m) for m in maps])
    return Calibration(space=space, heads=heads, **tensors, **numbers)
