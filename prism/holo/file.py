"""A tape as one safetensors file: accumulator, ledger and key texts as tensors, the rest as JSON.

Nothing is ever unpickled. ``path`` holds the old tape or the new one, never a part
(:mod:`prism.whole_file`). The header carries the format's version, the config and the fingerprint
of the codes, and a file that disagrees with itself is refused in one line. The accumulator's tensor
is named ``register``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from prism import whole_file
from prism.holo.ledger import COLUMNS, FORGOTTEN, Ledger
from prism.holo.parts import HoloConfig, TapeParts
from prism.holo.vocabulary import Item, to_json

FORMAT, KIND = 1, "prism-holotape"
SIGNED = {np.dtype(np.uint64): np.int64, np.dtype(np.uint16): np.int16}  # what every torch has


def save(tape: TapeParts, path: Path) -> None:
    """Write ``tape`` to ``path``.

    Raises:
        OSError: the folder is missing or full; what was at ``path`` is still there.
    """
    v = tape.vocabulary
    items = None if v.items is None else [to_json(x) for x in v.items]
    fixed = None if v.open or v.given else (items if items is not None else v.size)
    header = {
        "kind": KIND,
        "format": FORMAT,
        "config": tape.config.to_dict(),
        "fingerprint": tape.fingerprint,
        "values": {"open": items if v.open else None, "fixed": fixed, "given": v.given},
        "sources": tape.ledger.sources if tape.ledger is not None else None,
        "unlisted": tape.unlisted,
    }
    tensors = {"register": tape.accumulator.numbers.detach().cpu().contiguous()}
    if tape.ledger is not None:
        for name, column in tape.ledger.arrays().items():
            kind = SIGNED.get(column.dtype, column.dtype)
            tensors[f"ledger.{name}"] = torch.from_numpy(column.view(kind))
    if tape.resolver is not None:
        raw = json.dumps(tape.resolver.texts(), ensure_ascii=True).encode()
        tensors["texts"] = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
    if v.given:
        tensors["codes"] = v.codes.codes()  # type: ignore[attr-defined]
    content = to_bytes(tensors, {"prism": json.dumps(header)})
    whole_file.write(path, content)


def load(path: Path, device: str | torch.device = "cpu") -> TapeParts:
    """The parts of the tape in ``path``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: truncated, foreign, of another version, or inconsistent; says which.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("prism", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise ValueError(f"{path}: truncated or not a safetensors file ({error})") from error
    if not isinstance(header, dict) or header.get("kind") != KIND:
        raise ValueError(f"{path}: a safetensors file, but not a HoloTape")
    if header.get("format") != FORMAT:
        raise ValueError(f"{path}: format {header.get('format')!r}: must be {FORMAT}")
    try:
        return _build(header, tensors, device)
    except (KeyError, TypeError, ValueError) as error:
        reason = error.args[0] if error.args else error
        raise ValueError(f"{path}: damaged tape: {reason}") from error


def _build(header: dict[str, Any], tensors: dict[str, Tensor], device: Any) -> TapeParts:
    values = header["values"]["fixed"]
    if header["values"]["given"]:
        values = tensors["codes"]
    elif isinstance(values, list):
        values = [_from_json(v) for v in values]
    tape = TapeParts.empty(HoloConfig(**header["config"]), values, device)
    if values is None:
        tape.vocabulary.extend([_from_json(v) for v in header["values"]["open"]])
    if tape.fingerprint != header["fingerprint"]:
        raise ValueError(f"fingerprint {header['fingerprint']}: must be {tape.fingerprint}")
    wanted, stored = tape.accumulator.numbers, tensors["register"]
    if stored.shape != wanted.shape or stored.dtype != wanted.dtype:
        shapes = f"{tuple(stored.shape)} {stored.dtype}: must be {tuple(wanted.shape)}"
        raise ValueError(f"accumulator of {shapes} {wanted.dtype}")
    tape.accumulator.numbers = stored.to(device)
    tape.unlisted = int(header["unlisted"])
    if tape.ledger is not None:
        ledger = _ledger(tensors, header["sources"], len(tape.vocabulary))
        tape = replace(tape, ledger=ledger)
    if tape.resolver is not None:
        keys = json.loads(bytes(tensors["texts"].numpy()).decode("utf-8"))
        tape.resolver.add(keys, tape.hash(keys))
    return tape


def _ledger(tensors: dict[str, Tensor], sources: list[str | None], values: int) -> Ledger:
    """The ledger in the tensors; raises ValueError where a column cannot be one of it."""
    columns = {}
    for name, kind in COLUMNS.items():
        raw, kind = tensors[f"ledger.{name}"].numpy(), np.dtype(kind)
        if raw.ndim != 1 or raw.dtype != SIGNED.get(kind, kind):
            raise ValueError(f"ledger column {name!r} is {raw.dtype} {raw.shape}")
        columns[name] = raw.copy().view(kind)
    rows = len(columns["key"])
    if any(len(column) != rows for column in columns.values()):
        raise ValueError("the columns of the ledger have different lengths")
    for name, low, high in (
        ("value", 0, values),
        ("source", 0, len(sources)),
        ("superseded_by", FORGOTTEN, rows),
    ):
        wrong = (columns[name] < low) | (columns[name] >= high)
        if wrong.any():
            bad = columns[name][wrong][0]
            raise ValueError(f"ledger {name} {bad}: must be in {low}..{high - 1}")
    return Ledger.from_arrays(columns, sources)


def _from_json(value: Any) -> Item:
    """The inverse of :func:`prism.holo.vocabulary.to_json`."""
    return bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value
