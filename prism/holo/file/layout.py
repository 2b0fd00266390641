"""Layout of a tape's file: safetensors, written without a copy and with a checksum.

    8 bytes        length of the header
    header         JSON: type, shape and place of each array; texts under ``__metadata__``
    arrays         one after the other, the widest types first, so that each is aligned

(https://github.com/huggingface/safetensors). The checksum is CRC-32 (ISO 3309) of the text
``prism`` of the metadata and of name, type, shape and bytes of every array in the order of the
file. It is proof against accidents, not against forgers.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

TYPES = {
    "int8": "I8",
    "uint8": "U8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float32": "F32",
    "float64": "F64",
}


def ordered(arrays: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Arrays in the order of the file."""
    return sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))


def checksum(header: str, arrays: dict[str, np.ndarray]) -> str:
    """The checksum of a file with this text and these arrays."""
    crc = zlib.crc32(header.encode())
    for name, array in ordered(arrays):
        crc = zlib.crc32(f"{name} {TYPES[array.dtype.name]} {list(array.shape)}".encode(), crc)
        crc = zlib.crc32(_raw(array), crc)
    return f"crc32:{crc:08x}"


def write(file: BinaryIO, header: str, arrays: dict[str, np.ndarray]) -> None:
    """Write a text and arrays to a file that is open for writing."""
    entries: dict[str, object] = {
        "__metadata__": {"checksum": checksum(header, arrays), "prism": header}
    }
    at = 0
    for name, array in ordered(arrays):
        end = at + array.nbytes
        kind, shape = TYPES[array.dtype.name], list(array.shape)
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    raw = json.dumps(entries, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    file.write(len(raw).to_bytes(8, "little") + raw)
    for _, array in ordered(arrays):
        file.write(_raw(array))


class NotSafetensors(ValueError):
    """A file that is no whole file of this layout."""


def entries_of(file: BinaryIO) -> tuple[dict[str, str], dict[str, Entry]]:
    """The texts and the entries of the arrays of a file that is open for reading; nothing is
    allocated for what they claim.

    Raises:
        NotSafetensors: truncated or foreign; the entries do not cover the file one after the other.
    """
    whole = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if whole < 8 or length > whole - 8:
        raise NotSafetensors(f"a header of {length:,} bytes in a file of {whole:,}")
    try:
        said = json.loads(file.read(length))
        texts = {str(k): str(v) for k, v in said.pop("__metadata__", {}).items()}
        entries = {name: Entry.of(8 + length, **entry) for name, entry in said.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NotSafetensors(f"header: {error}") from error
    at = 8 + length
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != at or entry.count * entry.dtype.itemsize != entry.stop - entry.start:
            raise NotSafetensors(f"array {name!r} does not lie where the one before it ends")
        at = entry.stop
    if at != whole:
        raise NotSafetensors(f"{whole:,} bytes, where its arrays end at {at:,}")
    return texts, entries


def read(file: BinaryIO, entry: Entry) -> np.ndarray:
    """The array of an entry, read without a second copy (a mapped file would count as one)."""
    file.seek(entry.start)
    array = np.fromfile(file, entry.dtype, entry.count)
    if len(array) != entry.count:
        raise NotSafetensors("the file became shorter while it was read")
    return array.reshape(entry.shape)


@dataclass(frozen=True)
class Entry:
    """Type, shape and place of an array in a file."""

    dtype: np.dtype
    shape: list[int]
    start: int
    stop: int

    @classmethod
    def of(cls, base: int, dtype: str, shape: list[int], data_offsets: list[int]) -> Entry:
        """An entry of a header; raises ValueError where it cannot be one."""
        kinds = {text: name for name, text in TYPES.items()}
        start, stop = data_offsets
        if dtype not in kinds or not all(type(n) is int and n >= 0 for n in (*shape, start, stop)):
            raise ValueError(f"entry {dtype!r} {shape!r} {data_offsets!r}")
        return cls(np.dtype(kinds[dtype]).newbyteorder("<"), shape, base + start, base + stop)

    @property
    def count(self) -> int:
        """Numbers in the array."""
        return math.prod(self.shape)


def size(header: str, arrays: dict[str, np.ndarray]) -> int:
    """Bytes of the arrays and the text, which is about what the file needs."""
    return len(header) + sum(array.nbytes for array in arrays.values())


def _raw(array: np.ndarray) -> memoryview | bytes:
    return memoryview(np.ascontiguousarray(array)).cast("B") if array.size else b""
