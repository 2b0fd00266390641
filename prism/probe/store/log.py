"""Append-only file of what a matrix did, in blocks with checksums.

    block    "PRSM" | kind (4 bytes) | first step u64 | steps u32 | payload bytes u64 | CRC-32 u32
    HEAD     JSON: matrix, shape, format, seed, ...
    INIT     the matrix before the first step: rows u32 (absent = all), bits
    STEP     some consecutive steps: streams, each a name, a length and bytes

The checksum covers the block's header and payload. Blocks are only appended, so a file that was cut
(a full disk, a killed process) is whole up to its last whole block; a reader goes so far and says
so. Equal runs give equal bytes: nothing of the place or the time is in the file.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.probe.store.events import Step, Streams, applied, decoded, deflated, inflated
from prism.probe.store.ordinal import FORMATS, Bits, Format

MAGIC, FORMAT = b"PRSM", 2
HEADER = struct.Struct("<4s4sQIQ")
CHECK = struct.Struct("<I")
STREAM = struct.Struct("<16sQ")
HEAD, INIT, STEP = b"HEAD", b"INIT", b"STEP"


@dataclass(frozen=True)
class Block:
    """Place of a block: its kind, the step it starts from, how many it holds, bytes in the file."""

    kind: bytes
    first: int
    count: int
    offset: int
    size: int


def block(kind: bytes, first: int, count: int, payload: bytes) -> bytes:
    """The bytes of a block."""
    head = HEADER.pack(MAGIC, kind, first, count, len(payload))
    return head + CHECK.pack(zlib.crc32(payload, zlib.crc32(head))) + payload


def joined(streams: Streams) -> bytes:
    """Named streams as one payload."""
    return b"".join(STREAM.pack(n.encode(), len(x)) + x for n, x in sorted(streams.items()))


def parted(payload: bytes) -> Streams:
    """The streams of :func:`joined`."""
    streams, at = {}, 0
    while at < len(payload):
        name, size = STREAM.unpack_from(payload, at)
        at += STREAM.size
        streams[name.rstrip(b"\0").decode()] = payload[at : at + size]
        at += size
    return streams


class Writer:
    """Appends to a log.

    Args:
        path: of the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(
        self, header: dict[str, Any], first: int, bits: Bits, rows: NDArray[Any] | None
    ) -> None:
        """Begin the file anew with the matrix before its first step.

        Args:
            header: must be the same for equal runs.
            first: steps done.
            bits: of the numbers of the rows that are recorded.
            rows: their numbers, increasing; None = all.
        """
        start = {"bits": deflated(bits.tobytes())}
        if rows is not None:
            start["rows"] = rows.astype("<u4").tobytes()
        said = json.dumps({"log": FORMAT, **header}, sort_keys=True).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        self._append(block(HEAD, first, 0, said) + block(INIT, first, 0, joined(start)))

    def steps(self, first: int, count: int, streams: Streams) -> None:
        """Append ``count`` steps, the first of which starts from step ``first``."""
        self._append(block(STEP, first, count, joined(streams)))

    def length(self) -> int:
        """Bytes on the disk."""
        return self.path.stat().st_size

    def cut(self, length: int) -> None:
        """Drop what lies behind ``length`` bytes.

        Raises:
            ValueError: the file is shorter, or gone.
        """
        found = self.path.stat().st_size if self.path.exists() else 0
        if found < length:
            raise ValueError(f"{self.path}: has {found:,} bytes; must have {length:,} to go on")
        os.truncate(self.path, length)

    def _append(self, raw: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())


class Log:
    """A log that is read.

    Attributes:
        path: the file.
        header: of the log.
        format: of the numbers.
        width: columns D.
        rows: ``[R]`` numbers of the rows that are recorded.
        first: step that it begins from.
        last: step that it ends at.
        damage: what is wrong with the rest of the file, in a line; None if nothing is.

    Raises:
        ValueError: it is no log, or not whole up to its first step.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            found = "is a folder" if self.path.is_dir() else "no such file"
            raise ValueError(f"{self.path}: {found}; must be the log of a probe, FOLDER/NAME.probe")
        self.damage: str | None = None
        self.blocks = list(self._scan())
        if [b.kind for b in self.blocks[:2]] != [HEAD, INIT]:
            raise ValueError(f"{self.path}: not the log of a probe, or cut before its first step")
        self.header: dict[str, Any] = json.loads(self._payload(self.blocks[0]))
        if self.header["log"] != FORMAT:
            raise ValueError(f"{self.path}: format {self.header['log']}: must be {FORMAT}")
        self.format: Format = FORMATS[self.header["format"]]
        height, self.width = self.header["shape"]
        start = parted(self._payload(self.blocks[1]))
        self.rows = (
            np.frombuffer(start["rows"], "<u4").astype(np.int64)
            if "rows" in start
            else np.arange(height)
        )
        self._start = np.frombuffer(inflated(start["bits"]), self.format.bits)
        self.steps = self.blocks[2:]
        self.first = self.blocks[0].first
        self.last = self.first + sum(b.count for b in self.steps)

    def _scan(self) -> Iterator[Block]:
        """The whole blocks at the head of the file, their checksums verified."""
        at, end = 0, self.path.stat().st_size
        with self.path.open("rb") as file:
            while at < end:
                head = file.read(HEADER.size)
                check = file.read(CHECK.size)
                if len(head) < HEADER.size or len(check) < CHECK.size:
                    return self._stop(at, end)
                magic, kind, first, count, size = HEADER.unpack(head)
                payload = file.read(size) if magic == MAGIC and size <= end - at else b""
                if magic != MAGIC or len(payload) < size:
                    return self._stop(at, end)
                if zlib.crc32(payload, zlib.crc32(head)) != CHECK.unpack(check)[0]:
                    return self._stop(at, end)
                begin = at + HEADER.size + CHECK.size
                yield Block(kind, first, count, begin, size)
                at = begin + size
        return None

    def _stop(self, at: int, end: int) -> None:
        self.damage = f"{self.path}: cut or damaged at byte {at:,} of {end:,}; read up to there"

    def _payload(self, b: Block) -> bytes:
        with self.path.open("rb") as file:
            file.seek(b.offset)
            return file.read(b.size)

    def check(self, step: int) -> None:
        """Raises:
        ValueError: the log does not hold the matrix after ``step`` steps."""
        if not self.first <= step <= self.last:
            cut = f" ({self.damage})" if self.damage else ""
            raise ValueError(f"--step {step}: must be in {self.first}..{self.last}{cut}")

    def start(self) -> Bits:
        """Bits ``[R, D]`` before the first step; a copy."""
        return self._start.reshape(len(self.rows), self.width).copy()

    def movements(
        self, until: int | None = None, chosen: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[int, Step]]:
        """``(step, movement)`` of each step up to ``until``, steps counted when done, of the rows
        with indices ``chosen`` among those recorded, in their order, or of all; see
        :func:`prism.probe.store.events.decoded`."""
        size, place = len(self.rows) * self.width, None
        if chosen is not None:
            place = np.full((len(self.rows), self.width), -1)
            place[chosen] = np.arange(len(chosen) * self.width).reshape(-1, self.width)
            place = place.reshape(-1)
        for b in self.steps:
            if until is not None and b.first >= until:
                return
            streams = parted(self._payload(b))
            for i, step in enumerate(decoded(streams, b.count, size, place)):
                if until is not None and b.first + i >= until:
                    return
                yield b.first + i + 1, step

    def bits(self, step: int) -> Bits:
        """Bits ``[R, D]`` after ``step`` steps."""
        self.check(step)
        bits = self.start()
        flat = bits.reshape(-1)
        for _, movement in self.movements(step):
            applied(flat, movement)
        return bits

    @cached_property
    def records(self) -> dict[str, NDArray[np.float64]]:
        """Figures noted of each step beside the matrix, by name ``[steps]`` or ``[steps, D]``."""
        names: list[str] = self.header["records"]
        tables: dict[str, list[NDArray[np.float64]]] = {name: [] for name in (*names, "mean")}
        for b in self.steps:
            streams = parted(self._payload(b))
            table = np.frombuffer(inflated(streams["records"]), "<f8").reshape(b.count, -1)
            for i, name in enumerate(names):
                tables[name].append(table[:, i])
            mean = np.frombuffer(inflated(streams["mean"]), "<f4").reshape(b.count, -1)
            tables["mean"].append(mean.astype(np.float64))
        return {name: np.concatenate(x) for name, x in tables.items() if x}

    def counts(self, until: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """``(step, input, target)`` of each step up to ``until``: how often each id ``[V]`` was
        read, and was to be predicted."""
        vocabulary = self.header["shape"][0]
        for b in self.steps:
            if b.first >= until:
                return
            streams = parted(self._payload(b))
            lengths = np.frombuffer(streams["count_sizes"], "<u4").reshape(b.count, 2)
            flat = np.frombuffer(inflated(streams["counts"]), "<u4")
            at = 0
            for i, pair in enumerate(lengths):
                tables = []
                for n in pair:
                    ids, times = flat[at : at + n], flat[at + n : at + 2 * n]
                    tables.append(np.bincount(ids, times, minlength=vocabulary).astype(np.int64))
                    at += 2 * n
                if b.first + i < until:
                    yield b.first + i + 1, tables[0], tables[1]
