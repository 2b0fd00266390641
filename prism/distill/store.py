"""A store: a teacher's last hidden states over documents, and all that is needed to use them.

    manifest.json          teacher, its hashes, tokenizer, data, codec, measured error, shards
    shard-00000.blocks     documents (:mod:`prism.data.blocks`), each with the sections
                               text     its parts in UTF-8, zlib
                               ids      of the teacher's tokenizer, 2 or 4 bytes each
                               hidden   the states of all ids but the last, as the codec has them
    codec.bin              tables of the codec, where it has some

State i of a document is the one after id i, so its distribution is that of id i + 1; nothing says
what the first id is. The last id is the end of the document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prism.data.blocks import Shards
from prism.data.document import Document
from prism.data.teacher_store import document_of, open_shards, read_manifest
from prism.distill.codec import ByteCodec, Codec, HalfCodec
from prism.distill.fisher import FisherCodec

TABLES = "codec.bin"
CODECS = ("fp16", "int8", "fisher")


def id_type(vocab_size: int) -> np.dtype[Any]:
    """The type in which ids are stored."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


def open_codec(name: str, width: int, tables: bytes) -> Codec:
    """The codec ``name`` of states of ``width`` numbers.

    Raises:
        ValueError: an unknown one, or tables that are not its own.
    """
    if name == "fp16":
        return HalfCodec(width)
    if name == "int8":
        return ByteCodec(width)
    if name == "fisher":
        return FisherCodec.from_tables(tables)
    raise ValueError(f"codec {name!r}: must be one of {', '.join(CODECS)}")


def digest(raw: bytes) -> str:
    """BLAKE2b of some bytes, 32 hex digits."""
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


class Store:
    """A complete store for reading.

    Args:
        folder: of the store.

    Attributes:
        manifest: what ``manifest.json`` says.

    Raises:
        ValueError: it is not complete, a shard is not as long as it was, or the codec's tables have
            changed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        open_shards(self.folder, self.manifest)
        self.teacher: Mapping[str, Any] = self.manifest["teacher"]

    @cached_property
    def shards(self) -> Shards:
        """Its shards, mapped into memory."""
        return open_shards(self.folder, self.manifest)

    @cached_property
    def codec(self) -> Codec:
        """Its codec."""
        said, path = self.manifest["codec"], self.folder / TABLES
        tables = path.read_bytes() if path.is_file() else b""
        if digest(tables) != said["tables"]:
            raise ValueError(f"{path}: has hash {digest(tables)}: must be {said['tables']}")
        return open_codec(said["name"], self.teacher["d_model"], tables)

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.shards.places)

    def document(self, index: int) -> Document:
        """The text of a document."""
        return document_of(self.shards.read(index), f"document {index} of {self.folder}")

    def ids(self, index: int) -> NDArray[np.int64]:
        """The teacher's ids of a document, ``[n]``, the last one its end."""
        raw = self.shards.read(index).sections["ids"]
        return np.frombuffer(raw, id_type(self.teacher["vocab_size"])).astype(np.int64)

    def states(self, index: int) -> Tensor:
        """The teacher's states of a document, ``[n - 1, D]`` fp32."""
        block = self.shards.read(index)
        n = block.header["tokens"] - 1
        return torch.from_numpy(self.codec.decode(block.sections["hidden"], n))

    def describe(self) -> list[str]:
        """Lines on what is in it and how exact it is."""
        m = self.manifest
        error, body = m["measured"], m["body"]
        each = m["bytes"] / max(m["tokens"], 1)
        return [
            f"{self.folder}: {m['documents']:,} documents, {m['tokens']:,} tokens of "
            f"{m['teacher']['name']}, {m['bytes']:,} bytes, {each:,.1f} a token",
            f"codec {m['codec']['name']}: KL {error['kl']:.2g} nats, same first token "
            f"{error['top1']:.4f}, where it leads by {error['lead']:g} nats "
            f"{error['top1_lead']:.4f}; on {error['positions']:,} positions",
            f"body {body['dtype']}: KL {body['kl']:.2g} nats from fp32, same first token "
            f"{body['top1']:.4f}; on {body['positions']:,} positions",
        ]
