"""Append-only shards of blocks, each with a checksum; a writer that was killed goes on to the byte.

    shard  = block block ...                       shard-00000.blocks, then -00001, ...
    block  = MAGIC | CRC-32 of all that follows | bytes of the header | bytes of the sections
             | header: JSON, {"sections": {name: bytes, ...}, ...} | sections, one after the other

A shard is closed when it has reached a size, and the next begins. What a killed writer has left is
a whole number of blocks and maybe a part of one, which is cut off. Readers map the files into
memory and check the sum of each block that they read.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from prism import whole_file

MAGIC = b"PRISMBK1"
HEAD = struct.Struct("<8sIIQ")  # magic, CRC, bytes of the header, bytes of the sections
SHARD_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Place:
    """A block in a store: number of its shard, its own number there, first byte, length."""

    shard: int
    number: int
    begin: int
    length: int


@dataclass(frozen=True)
class Block:
    """Header and sections of a block; the sections are views of the file."""

    header: dict[str, Any]
    sections: dict[str, memoryview]


def shard_path(folder: Path, number: int) -> Path:
    """The file of a shard."""
    return folder / f"shard-{number:05d}.blocks"


def packed(header: Mapping[str, Any], sections: Mapping[str, bytes]) -> bytes:
    """The bytes of a block."""
    sizes = {name: len(part) for name, part in sections.items()}
    said = json.dumps({**header, "sections": sizes}, separators=(",", ":")).encode()
    body = b"".join([said, *sections.values()])
    after = struct.pack("<IQ", len(said), len(body) - len(said))
    crc = zlib.crc32(body, zlib.crc32(after))
    return HEAD.pack(MAGIC, crc, len(said), len(body) - len(said)) + body


class Shards:
    """The shards of a folder for reading, mapped into memory.

    Raises:
        ValueError: a shard is missing, or ends within a block; names shard, block and byte.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.maps: list[Any] = []
        self.places: list[Place] = []
        while (path := shard_path(folder, len(self.maps))).is_file():
            self.maps.append(_mapped(path))
            self.places += _places(path, self.maps[-1], len(self.maps) - 1)

    def sizes(self) -> list[list[int]]:
        """Bytes and blocks of every shard."""
        blocks = [sum(p.shard == i for p in self.places) for i in range(len(self.maps))]
        return [[len(m), n] for m, n in zip(self.maps, blocks, strict=True)]

    def read(self, index: int) -> Block:
        """Block ``index`` of all shards.

        Raises:
            ValueError: its checksum is wrong; names shard, block and byte.
        """
        place = self.places[index]
        return _opened(shard_path(self.folder, place.shard), self.maps[place.shard], place)


def read_blocks(path: Path) -> Iterator[Block]:
    """The blocks of one file.

    Raises:
        ValueError: one is damaged or cut off; names block and byte.
    """
    raw = _mapped(path)
    for place in _places(path, raw, 0):
        yield _opened(path, raw, place)


def _opened(path: Path, whole: Any, place: Place) -> Block:
    raw = memoryview(whole)[place.begin : place.begin + place.length]
    _, crc, head, _ = HEAD.unpack_from(raw)
    if zlib.crc32(raw[12:]) != crc:
        raise ValueError(f"{_at(path, place.number, place.begin)} is damaged: its checksum is "
                         f"{zlib.crc32(raw[12:]):08x}: must be {crc:08x}")  # fmt: skip
    header = json.loads(bytes(raw[HEAD.size : HEAD.size + head]))
    sections, at = {}, HEAD.size + head
    for name, size in header["sections"].items():
        sections[name] = raw[at : at + size]
        at += size
    return Block(header, sections)


def _mapped(path: Path) -> Any:
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _at(path: Path, number: int, begin: int) -> str:
    return f"{path}: block {number} at byte {begin:,}"


def _places(path: Path, raw: Any, shard: int) -> list[Place]:
    """The blocks of a shard, by their lengths.

    Raises:
        ValueError: it ends within a block, or no block begins where one must.
    """
    found: list[Place] = []
    begin = 0
    while begin < len(raw):
        length = _length(raw, begin)
        if length is None:
            raise ValueError(f"{_at(path, len(found), begin)}: no block begins here; must begin "
                             f"with {MAGIC.decode()}")  # fmt: skip
        if begin + length > len(raw):
            said = f"the shard ends at byte {len(raw):,}: must hold {begin + length:,}"
            raise ValueError(f"{_at(path, len(found), begin)} is cut off: {said}")
        found.append(Place(shard, len(found), begin, length))
        begin += length
    return found


def _length(raw: Any, begin: int) -> int | None:
    """Bytes of the block at ``begin``, as far as its head says; None where none begins."""
    if len(raw) - begin < HEAD.size:
        return HEAD.size if MAGIC.startswith(bytes(raw[begin : begin + 8])) else None
    magic, _, head, body = HEAD.unpack_from(raw, begin)
    return HEAD.size + head + body if magic == MAGIC else None


class ShardWriter:
    """Appends blocks to the shards of a folder, from where an earlier writer stopped.

    Args:
        folder: there already.
        shard_bytes: size from which on a shard is closed.

    Attributes:
        blocks: in all shards.
        size: bytes of all shards.

    Raises:
        ValueError: a block other than the last one is damaged.
    """

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder, self.shard_bytes = folder, shard_bytes
        self.blocks = self.size = self.shard = 0
        while shard_path(folder, self.shard + 1).is_file():
            self._count(shard_path(folder, self.shard))
            self.shard += 1
        last = shard_path(folder, self.shard)
        if last.is_file():
            keep = _whole(last)
            if keep < last.stat().st_size:
                os.truncate(last, keep)
            self._count(last)
        self.file: IO[bytes] = last.open("ab")

    def _count(self, path: Path) -> None:
        raw = _mapped(path)
        self.blocks += len(_places(path, raw, 0))
        self.size += len(raw)

    def append(self, header: Mapping[str, Any], sections: Mapping[str, bytes]) -> int:
        """Write a block; its bytes."""
        if self.file.tell() >= self.shard_bytes:
            self.close()
            self.shard += 1
            self.file = shard_path(self.folder, self.shard).open("ab")
        raw = packed(header, sections)
        self.file.write(raw)
        self.file.flush()
        self.blocks, self.size = self.blocks + 1, self.size + len(raw)
        return len(raw)

    def close(self) -> None:
        """Wait until all is on the disk."""
        if not self.file.closed:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            whole_file.sync(self.folder)


def _whole(path: Path) -> int:
    """Bytes of a shard up to the end of its last whole block.

    Raises:
        ValueError: a block is damaged that others follow.
    """
    raw, begin, number = _mapped(path), 0, 0
    while begin < len(raw):
        length = _length(raw, begin)
        if length is None or begin + length > len(raw):
            return begin
        crc = HEAD.unpack_from(raw, begin)[1]
        if zlib.crc32(memoryview(raw)[begin + 12 : begin + length]) != crc:
            if begin + length == len(raw):
                return begin
            raise ValueError(f"{_at(path, number, begin)} is damaged, and others follow; capture "
                             "into another folder")  # fmt: skip
        begin, number = begin + length, number + 1
    return begin
