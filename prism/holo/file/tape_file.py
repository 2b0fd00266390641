"""A tape as one safetensors file: accumulator, ledger, key texts and values as arrays, the rest as
JSON.

Nothing is ever unpickled, and nothing is allocated by what a header claims: shapes are compared
with the config first. ``path`` holds the old tape or the new one, never a part
(:mod:`prism.whole_file`). The header carries the format's version, the config and the fingerprint
of the codes; a checksum covers all of it (:mod:`prism.holo.file.layout`), and a file that disagrees
with itself is refused in one line. The accumulator's array is named ``register``. Format 1, which
had no checksum and its values and key texts as JSON, is still read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from prism import whole_file
from prism.holo.algebra.accumulator import DTYPES, Accumulator
from prism.holo.algebra.codes import hash_keys
from prism.holo.file import layout
from prism.holo.file.lock import locked
from prism.holo.keys.resolver import Resolver
from prism.holo.keys.texts import KeyTexts
from prism.holo.ledger import COLUMNS, FORGOTTEN, Ledger
from prism.holo.parts import HoloConfig, TapeParts
from prism.holo.vocabulary import Item, Vocabulary, to_json

FORMATS, KIND = (1, 2), "prism-holotape"
SPELLING = 2  # of keys; files of 1, which do not say so, had NFC before unseen marks were dropped
SIGNED = {np.dtype(np.uint64): np.int64, np.dtype(np.uint16): np.int16}  # what every torch has
Arrays = dict[str, np.ndarray]


class Stamp(NamedTuple):
    """Version of a file: it changes whenever the file is replaced."""

    inode: int
    size: int
    changed: int


Stamps = dict[Path, Stamp]  # by the file, links followed


def stamps_of(path: Path) -> Stamps:
    """The version of the file at ``path``, by that file; none if there is none."""
    target = whole_file.resolved(path)
    try:
        found = target.stat()
    except FileNotFoundError:
        return {}
    return {target: Stamp(found.st_ino, found.st_size, found.st_mtime_ns)}


def save(tape: TapeParts, path: Path, known: Stamps) -> Stamps:
    """Write ``tape`` to ``path``; the versions that are known now.

    Args:
        known: the versions that this tape was read from, or last written as at each place.

    Raises:
        ValueError: the file at ``path`` is not the version that is known any more, so that writing
            would undo what another has written.
        FileNotFoundError: there is no such folder.
        OSError: the file cannot be written, the disk is full; what was at ``path`` is still there.
    """
    with locked(path):
        now = stamps_of(path)
        if any(known.get(target, stamp) != stamp for target, stamp in now.items()):
            raise ValueError(
                f"{path}: was changed by another since this tape was read from it; load it again "
                "and repeat the change (HoloTape.edit does both under a lock)"
            )
        header, arrays = _content(tape)
        size = layout.size(header, arrays)
        with whole_file.replacing(path, size) as beside, beside.open("wb") as file:
            layout.write(file, header, arrays)
        return known | stamps_of(path)


def _content(tape: TapeParts) -> tuple[str, Arrays]:
    """The text and the arrays that describe a tape."""
    v = tape.vocabulary
    arrays: Arrays = {"register": tape.accumulator.numbers.detach().cpu().contiguous().numpy()}
    if v.items is not None:
        raw = json.dumps([to_json(item) for item in v.items]).encode()
        arrays["values"] = np.frombuffer(raw, np.uint8)
    if v.open:
        arrays["values.hash"] = v.codes.hashes.view(np.int64)  # type: ignore[attr-defined]
    if v.given:
        arrays["codes"] = v.codes.codes().numpy()  # type: ignore[attr-defined]
    if tape.ledger is not None:
        for name, column in tape.ledger.arrays().items():
            arrays[f"ledger.{name}"] = column.view(SIGNED.get(column.dtype, column.dtype))
    if tape.resolver is not None:
        blob, ends, codes = tape.resolver.known.arrays()
        arrays |= {"texts": blob, "texts.end": ends, "texts.hash": codes.view(np.int64)}
    header = {
        "kind": KIND,
        "format": FORMATS[-1],
        "config": tape.config.to_dict(),
        "fingerprint": tape.fingerprint,
        "values": {
            "open": v.open,
            "size": None if v.items is not None else v.size,
            "given": v.given,
        },
        "sources": tape.ledger.sources if tape.ledger is not None else None,
        "unlisted": tape.unlisted,
        "older_keys": bool(tape.door.older),
        "spelling": SPELLING,
    }
    return json.dumps(header), arrays


def load(path: Path, device: str | torch.device = "cpu") -> TapeParts:
    """The parts of the tape in ``path``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: truncated, foreign, of another version, damaged or inconsistent; says which.
    """
    if not path.is_file():
        wrong = "is not a file" if path.exists() else "no such file"
        raise FileNotFoundError(f"{path}: {wrong}")
    try:
        with path.open("rb") as file:
            texts, entries = layout.entries_of(file)
            header = json.loads(texts.get("prism", "null"))
            if not isinstance(header, dict) or header.get("kind") != KIND:
                raise Foreign(f"{path}: a safetensors file, but not a HoloTape")
            if header.get("format") not in FORMATS:
                allowed = " or ".join(map(str, FORMATS))
                raise Foreign(f"{path}: format {header.get('format')!r}: must be {allowed}")
            config = HoloConfig(**header["config"])
            _compare_shape(config, entries["register"])
            arrays = {name: layout.read(file, entry) for name, entry in entries.items()}
    except Foreign as error:
        raise ValueError(*error.args) from None
    except (layout.NotSafetensors, json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{path}: truncated or not a safetensors file ({error})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    said = texts.get("checksum")
    if said is None and header["format"] > 1:
        raise ValueError(f"{path}: damaged tape: its checksum is missing")
    if said is not None and said != layout.checksum(texts["prism"], arrays):
        raise ValueError(f"{path}: damaged tape: its bytes are not those of the checksum {said}")
    try:
        return _build(header, config, arrays, device)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error


class Foreign(Exception):
    """A file that is no tape of a known format."""


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = error.args[0] if error.args else error
    missing = f"no {reason!r}" if isinstance(error, KeyError) else reason
    return ValueError(f"{path}: damaged tape: {missing}")


def _compare_shape(config: HoloConfig, register: layout.Entry) -> None:
    """Raises ValueError where an array in a file cannot be the accumulator of a config."""
    wanted, kind = [config.banks, config.dim], layout.TYPES[config.dtype]
    found = layout.TYPES[register.dtype.name]
    if register.shape != wanted or found != kind:
        raise ValueError(f"accumulator of {register.shape} {found}: must be {wanted} {kind}")


def _build(
    header: dict[str, Any], config: HoloConfig, arrays: Arrays, device: str | torch.device
) -> TapeParts:
    numbers = torch.from_numpy(arrays.pop("register")).to(device, DTYPES[config.dtype])
    vocabulary = (_vocabulary if header["format"] > 1 else _older_vocabulary)(
        header["values"], config, arrays
    )
    ledger = resolver = None
    if config.ledger:
        ledger = _ledger(arrays, header["sources"], len(vocabulary))
    if config.resolver:
        resolver = Resolver(texts=_texts(header, config, arrays))
    parts = TapeParts(
        config,
        Accumulator.holding(numbers, config.dtype),
        vocabulary,
        ledger,
        resolver,
        int(header["unlisted"]),
    )
    if parts.fingerprint != header["fingerprint"]:
        raise ValueError(f"fingerprint {header['fingerprint']}: must be {parts.fingerprint}")
    parts.door.texts = True  # nobody knows what they were
    if resolver is not None:
        parts.door.learn_older(_perhaps_older(resolver, header), _values_of(parts))
    return parts


def _perhaps_older(resolver: Resolver, header: dict[str, Any]) -> list[str]:
    """The texts that may be listed in another than their one spelling."""
    if header.get("older_keys", header["format"] == 1):
        return resolver.texts()
    if header.get("spelling", 1) < SPELLING:
        return [text for text in resolver.texts() if not text.isascii()]
    return []


def _vocabulary(said: dict[str, Any], config: HoloConfig, arrays: Arrays) -> Vocabulary:
    items = None
    if "values" in arrays:
        items = [_from_json(value) for value in json.loads(bytes(arrays["values"]))]
    if said["open"]:
        vocabulary = Vocabulary(config.dim, None, config.sequence, config.seed)
        vocabulary.restore(items, arrays["values.hash"].view(np.uint64))  # type: ignore[arg-type]
        return vocabulary
    values: Any = torch.from_numpy(arrays["codes"]) if said["given"] else items or said["size"]
    return Vocabulary(config.dim, values, config.sequence, config.seed)


def _older_vocabulary(said: dict[str, Any], config: HoloConfig, arrays: Arrays) -> Vocabulary:
    values: Any = said["fixed"]
    if said["given"]:
        values = torch.from_numpy(arrays["codes"])
    elif isinstance(values, list):
        values = [_from_json(value) for value in values]
    vocabulary = Vocabulary(config.dim, values, config.sequence, config.seed)
    if values is None:
        vocabulary.extend([_from_json(value) for value in said["open"]])
    return vocabulary


def _texts(header: dict[str, Any], config: HoloConfig, arrays: Arrays) -> KeyTexts:
    if header["format"] > 1:
        codes = arrays["texts.hash"].view(np.uint64)
        return KeyTexts(arrays["texts"], arrays["texts.end"], codes)
    known = KeyTexts()
    keys = json.loads(bytes(arrays["texts"]))
    for code, key in zip(hash_keys(keys, config.seed).tolist(), keys, strict=True):
        known[code] = key
    return known


def _values_of(parts: TapeParts) -> Any:
    """A function from hashes uint64 [N] to ids int64 [N] of what is listed under them, or -1."""

    def values(hashes: np.ndarray) -> np.ndarray:
        rows = parts.ledger.find(hashes)
        return np.where(rows >= 0, parts.ledger.column("value")[rows], -1)

    return values


def _ledger(arrays: Arrays, sources: list[str | None], values: int) -> Ledger:
    """The ledger in the arrays; raises ValueError where a column cannot be one of it."""
    columns = {}
    for name, kind in COLUMNS.items():
        raw, kind = arrays[f"ledger.{name}"], np.dtype(kind)
        if raw.ndim != 1 or raw.dtype != SIGNED.get(kind, kind):
            raise ValueError(f"ledger column {name!r} is {raw.dtype} {raw.shape}")
        columns[name] = raw.view(kind)
    rows = len(columns["key"])
    if any(len(column) != rows for column in columns.values()):
        raise ValueError("the columns of the ledger have different lengths")
    for name, low, high in (
        ("value", 0, values),
        ("source", 0, len(sources)),
        ("superseded_by", FORGOTTEN, rows),
    ):
        column = columns[name]
        if rows and (column.min() < low or column.max() >= high):
            bad = column[(column < low) | (column >= high)][0]
            raise ValueError(f"ledger {name} {bad}: must be in {low}..{high - 1}")
    return Ledger.from_arrays(columns, sources)


def _from_json(value: Any) -> Item:
    """The inverse of :func:`prism.holo.vocabulary.to_json`."""
    return bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value
