"""Capture: a teacher reads documents, and its last hidden states go into a store.

A document is one block, and the next document depends on nothing but how many blocks there are, so
a capture that was killed goes on with the same command and ends with the same bytes. One position
in ``EVERY`` is decoded again and compared with what was encoded; the sums are in the block's
header, so they survive a kill as well.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prism.command import say
from prism.data.blocks import SHARD_BYTES, Shards, ShardWriter
from prism.data.document import Document
from prism.data.mix import Mix
from prism.data.order import mix64, stored
from prism.data.teacher_store import FORMAT, MANIFEST, read_manifest
from prism.distill.codec import Codec, States, measure
from prism.distill.fisher import fit
from prism.distill.store import TABLES, digest, id_type, open_codec
from prism.distill.teacher import Teacher, open_teacher
from prism.engine.store.lock import locked
from prism.record import write_json
from prism.whole_file import write

EVERY = 50  # one position in so many is measured
LEAD = 0.05  # nats; where the first token leads by less, its place is a matter of rounding
BODY = 512  # positions on which the body is compared with one in fp32
Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A capture to be made.

    Attributes:
        mix: the text.
        data: its name, for the manifest.
        codec: a name of ``CODECS``.
        tokens: of the teacher, about; None = all there are, once.
        context: tokens of a window of the teacher.
        shard_bytes: size from which on a shard is closed.
        max_kl: nats, of the codec fisher.
        calibration: tokens that the codec fisher is fitted on.
    """

    mix: Mix
    data: str
    codec: str
    tokens: int | None
    context: int
    shard_bytes: int = SHARD_BYTES
    max_kl: float = 6.8e-4
    calibration: int = 8192


@dataclass(frozen=True)
class Encoded:
    """A document in the teacher's ids: the last one its end; and of each part, its text and whether
    it is learned."""

    ids: list[int]
    parts: list[tuple[bytes, bool]]


def capture(job: Job, teacher: Teacher, folder: Path, say: Say = say) -> dict[str, Any]:
    """Capture into ``folder``, from where an earlier run of the same job stopped; the manifest.

    Raises:
        ValueError: the folder holds another store, a document cannot be written in the teacher's
            tokens, or another process is at work.
        OSError: the disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        manifest, codec = _begin(job, teacher, folder)
        if manifest["complete"]:
            return manifest
        writer = ShardWriter(folder, job.shard_bytes)
        try:
            _write(job, teacher, codec, writer, say)
        finally:
            writer.close()
        manifest |= _summary(Shards(folder)) | {"complete": True}
        write_json(folder / MANIFEST, manifest)
        return manifest


def documents(job: Job, teacher: Teacher) -> Iterator[Encoded]:
    """The documents of the job in order; those of each source until they reach its share of the
    tokens, so none is cut."""
    total = sum(s.weight for s in job.mix.sources)
    for weighted in job.mix.sources:
        budget = None if job.tokens is None else job.tokens * weighted.weight / total
        read = 0
        for document in stored(weighted.source):
            if budget is not None and read >= budget:
                break
            encoded = encode(document, teacher)
            if len(encoded.ids) > 1:
                read += len(encoded.ids)
                yield encoded


def encode(document: Document, teacher: Teacher) -> Encoded:
    """A document in the teacher's ids.

    Raises:
        ValueError: the tokenizer would lose a part of the text; names document and byte.
    """
    ids: list[int] = []
    parts = []
    for text, learned in document.parts:
        try:
            here = teacher.tokenizer.encode(text)
        except ValueError as error:
            raise ValueError(f"{document.where}: {error}") from error
        ids += here
        parts.append((text.encode("utf-8", "replace"), learned))
    return Encoded([*ids, teacher.tokenizer.end] if ids else [], parts)


def _begin(job: Job, teacher: Teacher, folder: Path) -> tuple[dict[str, Any], Codec]:
    """Manifest and codec of a store that is begun or gone on with."""
    wanted = {
        "format": FORMAT,
        "complete": False,
        "teacher": teacher.identity,
        "data": {"name": job.data, "fingerprint": job.mix.fingerprint(), "tokens": job.tokens},
        "context": job.context,
        "shard_bytes": job.shard_bytes,
    }
    asked = {"codec": job.codec, "dtype": teacher.dtype}
    if job.codec == "fisher":
        asked |= {"max_kl": job.max_kl, "calibration": job.calibration}
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        for name, value in {**wanted, "asked": asked}.items():
            if name != "complete" and manifest.get(name) != value:
                there = manifest.get(name)
                raise ValueError(f"--out {folder}: holds a store with {name} = {there}: must be "
                                 f"{value} to go on, or another folder")  # fmt: skip
        path = folder / TABLES
        tables = path.read_bytes() if path.is_file() else b""
        if digest(tables) != manifest["codec"]["tables"]:
            raise ValueError(f"{path}: is not the one that the store was begun with")
        return manifest, open_codec(job.codec, teacher.identity["d_model"], tables)
    if any(p.name != "run.lock" for p in folder.iterdir()):
        raise ValueError(f"--out {folder}: holds other files; must be empty, or a store")
    codec = _fitted(job, teacher)
    tables = codec.tables()
    if tables:
        write(folder / TABLES, tables)
    described = {"name": job.codec, "tables": digest(tables), "table_bytes": len(tables)}
    manifest = {**wanted, "asked": asked, "codec": described, "body": _body(job, teacher)}
    write_json(folder / MANIFEST, manifest)
    return manifest, codec


def _fitted(job: Job, teacher: Teacher) -> Codec:
    if job.codec != "fisher":
        return open_codec(job.codec, teacher.identity["d_model"], b"")
    states: list[States] = []
    read = 0
    for document in documents(job, teacher):
        states.append(teacher.hidden(document.ids[:-1], job.context).numpy())
        read += len(states[-1])
        if read >= job.calibration:
            break
    return fit(np.concatenate(states)[: job.calibration], teacher.head, job.max_kl)


def _body(job: Job, teacher: Teacher) -> dict[str, Any]:
    """KL of the teacher's body from one in fp32, on the first positions of the data."""
    if teacher.dtype == "fp32":
        return {"dtype": "fp32", "kl": 0.0, "top1": 1.0, "positions": 0}
    exact = open_teacher(teacher.name)
    kl, same, positions = 0.0, 0, 0
    for document in documents(job, teacher):
        ids = document.ids[:-1][: BODY - positions]
        pair = (t.hidden(ids, job.context).numpy() for t in (exact, teacher))
        error = measure(*pair, teacher.head)
        kl, same = kl + float(error.kl.sum()), same + int(error.agrees.sum())
        positions += len(ids)
        if positions >= BODY:
            break
    return {
        "dtype": teacher.dtype,
        "kl": kl / positions,
        "top1": same / positions,
        "positions": positions,
    }


def _write(job: Job, teacher: Teacher, codec: Codec, writer: ShardWriter, say: Say) -> None:
    done = writer.blocks
    progress = Progress(job.tokens, say)
    kind = id_type(teacher.identity["vocab_size"])
    for number, document in enumerate(documents(job, teacher)):
        if number < done:
            progress.skip(len(document.ids))
            continue
        states = teacher.hidden(document.ids[:-1], job.context).numpy()
        raw = codec.encode(states)
        header = {
            "tokens": len(document.ids),
            "parts": [[len(text), int(learned)] for text, learned in document.parts],
            "measured": _measured(number, states, codec, raw, teacher),
        }
        text = b"".join(text for text, _ in document.parts)
        sections = {
            "text": zlib.compress(text, 9),
            "ids": np.array(document.ids).astype(kind).tobytes(),
            "hidden": raw,
        }
        writer.append(header, sections)
        progress.add(len(document.ids), writer.size)


def _measured(
    number: int, states: States, codec: Codec, raw: bytes, teacher: Teacher
) -> list[float]:
    """Of some positions of a document: how many, sum of KL, how often the first token is the same;
    and of those where it leads: how many, how often."""
    n = len(states)
    rows = [i for i in range(n) if i == n // 2 or mix64(number, i) % EVERY == 0]
    error = measure(states[rows], codec.decode(raw, n)[rows], teacher.head)
    leads = error.lead > LEAD
    return [
        len(rows),
        float(error.kl.sum()),
        int(error.agrees.sum()),
        int(leads.sum()),
        int((error.agrees & leads).sum()),
    ]


def _summary(shards: Shards) -> dict[str, Any]:
    """Entries of the manifest on the shards."""
    headers = [shards.read(i).header for i in range(len(shards.places))]
    positions, kl, same, leading, led = (sum(h["measured"][i] for h in headers) for i in range(5))
    sizes = shards.sizes()
    return {
        "documents": len(headers),
        "tokens": sum(h["tokens"] for h in headers),
        "text_bytes": sum(size for h in headers for size, _ in h["parts"]),
        "bytes": sum(size for size, _ in sizes),
        "hidden_bytes": sum(h["sections"]["hidden"] for h in headers),
        "measured": {
            "positions": positions,
            "kl": kl / max(positions, 1),
            "top1": same / max(positions, 1),
            "lead": LEAD,
            "top1_lead": led / max(leading, 1),
        },
        "shards": sizes,
    }


class Progress:
    """Tokens done, bytes, speed and time to go: a bar on a terminal, else a line now and then.

    Args:
        total: tokens; None = not known.
        say: prints a line.
    """

    PAUSE = 5.0  # seconds between lines

    def __init__(self, total: int | None, say: Say) -> None:
        self.total, self.say = total, say
        self.tokens = self.own = 0
        self.begin = self.last = time.monotonic()

    def skip(self, tokens: int) -> None:
        """Tokens that are in the store already."""
        self.tokens += tokens

    def add(self, tokens: int, size: int) -> None:
        """Tokens that were captured; ``size`` bytes are in the store now."""
        self.tokens, self.own = self.tokens + tokens, self.own + tokens
        now = time.monotonic()
        if now - self.last >= self.PAUSE:
            self.last = now
            self.say(self.line(now - self.begin, size))

    def line(self, seconds: float, size: int) -> str:
        """One line: share done, tokens, bytes, speed, time to go."""
        speed = self.own / max(seconds, 1e-9)
        if self.total is None:
            return f"{self.tokens:,} tokens, {size:,} bytes, {speed:,.0f} tokens/s"
        share = min(self.tokens / self.total, 1.0)
        bar = "#" * round(20 * share)
        left = max(self.total - self.tokens, 0) / max(speed, 1e-9)
        return (f"[{bar:<20}] {self.tokens:,} of {self.total:,} tokens, {size:,} bytes, "
                f"{speed:,.0f} tokens/s, {left:,.0f} s to go")  # fmt: skip


def check_job(tokens: int | None, context: int, calibration: int, max_kl: float) -> None:
    """Raises:
    ValueError: a number that is not allowed."""
    for name, value, low in (("tokens", tokens, 1), ("context", context, 8),
                             ("calibration", calibration, 64)):  # fmt: skip
        if value is not None and value < low:
            raise ValueError(f"--{name} {value}: must be >= {low}")
    if not (torch.tensor(max_kl).isfinite() and max_kl > 0):
        raise ValueError(f"--max-kl {max_kl}: must be > 0")
