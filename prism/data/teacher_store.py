"""A store of a teacher as a source of text: ``--data store:DIR``.

The folder is written by ``python -m prism.distill capture``: ``manifest.json`` and shards of
blocks (:mod:`prism.data.blocks`), one document each. Its text is in the section ``text``, zlib of
the parts in UTF-8 one after the other, whose lengths in bytes and whether they are learned the
header has as ``parts``. What the teacher said is in further sections, which are not read here.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

from prism.data.blocks import Block, Shards
from prism.data.document import Document
from prism.data.order import Window

MANIFEST = "manifest.json"
FORMAT = 1


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a store.

    Raises:
        ValueError: there is none, or not of this format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"store {folder}: has no {MANIFEST}; must be written by "
                         "python -m prism.distill capture")  # fmt: skip
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else manifest
        raise ValueError(f"{path}: format = {found!r}: must be {FORMAT}")
    return manifest


def open_shards(folder: Path, manifest: dict[str, Any]) -> Shards:
    """The shards of a complete store.

    Raises:
        ValueError: capture has not finished, or a shard is not as long as it was then.
    """
    if not manifest.get("complete"):
        raise ValueError(f"store {folder}: is not complete; the same command as before finishes it")
    shards = Shards(folder)
    sizes = shards.sizes()
    for i, (size, blocks) in enumerate(manifest["shards"]):
        if i >= len(sizes):
            raise ValueError(f"store {folder}: shard {i} is missing; must have {len(sizes) + 1}")
        if sizes[i] != [size, blocks]:
            raise ValueError(
                f"store {folder}: shard {i} has {sizes[i][0]:,} bytes, {sizes[i][1]:,} blocks: "
                f"must have {size:,} bytes, {blocks:,} blocks"
            )
    return shards


def document_of(block: Block, where: str) -> Document:
    """The text of a block."""
    raw = zlib.decompress(block.sections["text"])
    parts, at = [], 0
    for size, learned in block.header["parts"]:
        parts.append((raw[at : at + size].decode(), bool(learned)))
        at += size
    return Document(tuple(parts), where)


class StoreSource:
    """The documents of a store, one segment, in the order in which they were captured.

    Args:
        name: of the source.
        folder: of the store.

    Raises:
        ValueError: it is no complete store.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.manifest = read_manifest(folder)
        open_shards(folder, self.manifest)

    @cached_property
    def shards(self) -> Shards:
        """Its shards, mapped into memory."""
        return open_shards(self.folder, self.manifest)

    @property
    def size(self) -> int:
        """Bytes of text."""
        return int(self.manifest["text_bytes"])

    def segments(self) -> int:
        return 1

    def window(self, segment: int, cursor: int) -> Window:
        return Window(len(self.shards.places), self._document)

    def fingerprint(self) -> str:
        raw = json.dumps(self.manifest, sort_keys=True).encode()
        return hashlib.blake2b(raw, digest_size=16).hexdigest()

    def _document(self, i: int) -> Document:
        return document_of(self.shards.read(i), f"document {i} of {self.folder}")

    def __getstate__(self) -> dict[str, Any]:
        """Without the maps, which another process makes itself."""
        return {k: v for k, v in vars(self).items() if k != "shards"}
