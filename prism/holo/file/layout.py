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
import zlib
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


def size(header: str, arrays: dict[str, np.ndarray]) -> int:
    """Bytes of the arrays and the text, which is about what the file needs."""
    return len(header) + sum(array.nbytes for array in arrays.values())


def _raw(array: np.ndarray) -> memoryview | bytes:
    return memoryview(np.ascontiguousarray(array)).cast("B") if array.size else b""
