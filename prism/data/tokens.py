"""Tokenizers: text to ids and back, and how many bytes each id stands for.

Bits per byte compare models across tokenizers: with n_v the bytes that id v stands for,

    bits/byte = sum_t -log2 p(target_t) / sum_t n_{target_t},

where the end-of-document token is predicted but stands for no byte.

The default reads UTF-8 bytes: 256 ids and one that ends a document, no file, no dependency. A
trained one is a ``tokenizer.json`` of the tokenizers library; ``python -m prism.tokenizer`` makes
it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

END = "<|end|>"
BYTE_PIECE = re.compile("<0x([0-9A-F]{2})>")
OVER_CHARACTERS = {
    "type": "Sequence",
    "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}],
}
INSIDE = "tokenizer.json"  # key of a safetensors header
END_NAMES = (END, "<|endoftext|>", "</s>", "<|im_end|>")


class Tokenizer(Protocol):
    """Text to ids and back.

    Attributes:
        vocab_size: number of ids.
        end: the id that ends a document.
        byte_lengths: ``[vocab_size]`` int64, bytes that each id stands for; 0 for special ids.
    """

    vocab_size: int
    end: int
    byte_lengths: Tensor

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``, without ``end``. The name of a special id in a text is text."""

    def decode(self, ids: list[int]) -> str:
        """Text of ``ids``; bytes that are no UTF-8 become U+FFFD, special ids nothing."""

    def piece(self, token: int) -> bytes:
        """Bytes that one id stands for; those of ``end`` and other special ids are not text."""

    def fingerprint(self) -> str:
        """Equal for tokenizers that give equal ids."""


class ByteTokenizer:
    """UTF-8 bytes, and 256 for the end of a document."""

    vocab_size = 257
    end = 256

    def __init__(self) -> None:
        self.byte_lengths = torch.ones(257, dtype=torch.int64)
        self.byte_lengths[256] = 0

    def encode(self, text: str) -> list[int]:
        return list(well_formed(text).encode())

    def decode(self, ids: list[int]) -> str:
        return bytes(i for i in ids if i < 256).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        return bytes([token]) if token < 256 else b""

    def fingerprint(self) -> str:
        return "bytes"


class FileTokenizer:
    """A ``tokenizer.json`` of the tokenizers library, over bytes, or over characters with bytes for
    those that it does not know.

    Args:
        path: of the file, or a name for errors where there is ``content``.
        content: of the file; None = read it.

    Attributes:
        content: of the file.

    Raises:
        ValueError: the file is missing or broken, the library is not installed, the tokenizer is of
            another kind (then ids stand for no fixed bytes), or it has no end token, one of
            ``END_NAMES``.
    """

    def __init__(self, path: str | Path, content: bytes | None = None) -> None:
        self.path = Path(path)
        if content is None and not self.path.is_file():
            raise ValueError(f"tokenizer {self.path}: no such file; must be a tokenizer.json")
        library = tokenizers_library()
        raw = self.content = self.path.read_bytes() if content is None else content
        try:
            self._inner = library.Tokenizer.from_buffer(raw)
        except ValueError as error:
            raise ValueError(f"tokenizer {self.path}: not a tokenizer.json ({error})") from error
        self._inner.encode_special_tokens = True  # "<|end|>" in a text is text, not the end
        self._digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
        self.vocab_size = self._inner.get_vocab_size()
        ends = [i for i in map(self._inner.token_to_id, END_NAMES) if i is not None]
        if not ends:
            raise ValueError(f"tokenizer {self.path}: has no end token; must have one: {END_NAMES}")
        self.end = ends[0]
        self._over_bytes = type(self._inner.decoder) is library.decoders.ByteLevel
        if not self._over_bytes and json.loads(raw).get("decoder") != OVER_CHARACTERS:
            raise ValueError(
                f"tokenizer {self.path}: decoder must be ByteLevel, or ByteFallback and Fuse"
            )
        self.byte_lengths = self._byte_lengths()
        self._unwritable = self._bytes_without_token()

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``.

        Raises:
            ValueError: the vocabulary lacks a byte of it, which the library would leave out.
        """
        text = well_formed(text)
        if self._unwritable:
            self._check_writable(text.encode())
        return self._inner.encode(text, add_special_tokens=False).ids

    def description(self) -> dict[str, Any]:
        """The JSON object of the file, as the library writes it."""
        return json.loads(self._inner.to_str())

    def decode(self, ids: list[int]) -> str:
        return self._inner.decode(ids, skip_special_tokens=True)

    def piece(self, token: int) -> bytes:
        text = self.piece_text(token)
        return bytes_of_piece(text) if self._over_bytes else bytes_of_characters(text)

    def piece_text(self, token: int) -> str:
        """The entry of one id as it stands in the vocabulary."""
        return self._inner.id_to_token(token)

    def special(self, name: str) -> int | None:
        """The id of a special token; None if there is none of that name."""
        found = self._inner.token_to_id(name)
        return found if found is not None and self.byte_lengths[found] == 0 else None

    def fingerprint(self) -> str:
        return self._digest

    def _bytes_without_token(self) -> bytes:
        """The byte values that no id writes alone; over characters, there must be none."""
        known = self._inner.get_vocab()
        if self._over_bytes:
            return bytes(b for c, b in byte_of_character().items() if c not in known)
        lacking = [b for b in range(256) if f"<0x{b:02X}>" not in known]
        if lacking or not json.loads(self._inner.to_str())["model"].get("byte_fallback"):
            lost = f"<0x{lacking[0]:02X}>" if lacking else "byte_fallback"
            raise ValueError(
                f"tokenizer {self.path}: is over characters without {lost}; must have all 256 "
                "bytes, or characters that it does not know would be lost"
            )
        return b""

    def _check_writable(self, raw: bytes) -> None:
        rest = raw.translate(None, self._unwritable)
        if len(rest) < len(raw):
            at = next(i for i, byte in enumerate(raw) if byte in self._unwritable)
            raise ValueError(
                f"tokenizer {self.path}: has no token for byte 0x{raw[at]:02x}, number {at:,} of "
                "the text; must have one, or the byte would be lost"
            )

    def _byte_lengths(self) -> Tensor:
        special = self._inner.get_added_tokens_decoder()
        lengths = torch.zeros(self.vocab_size, dtype=torch.int64)
        for token, i in self._inner.get_vocab().items():
            if i in special:
                lengths[i] = 0 if special[i].special else len(token.encode())
            elif self._over_bytes:
                lengths[i] = len(token)  # one printable character per byte
            else:
                lengths[i] = len(bytes_of_characters(token))
        return lengths


def well_formed(text: str) -> str:
    """``text`` with ``?`` for every half of a surrogate pair, which UTF-8 cannot write."""
    return text.encode("utf-8", "replace").decode("utf-8")


def bytes_of_piece(piece: str) -> bytes:
    """The bytes of one entry of a byte-level vocabulary; a special one is its own text."""
    table = byte_of_character()
    return bytes(table[c] for c in piece) if all(c in table for c in piece) else piece.encode()


def bytes_of_characters(piece: str) -> bytes:
    """The bytes of one entry of a vocabulary of characters: ``<0xE0>`` is a byte."""
    byte = BYTE_PIECE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.encode()


@cache
def byte_of_character() -> dict[str, int]:
    """The byte each character of a byte-level vocabulary stands for.

    Printable Latin-1 characters stand for themselves, the other bytes, in order, for the
    characters from U+0100 on (the convention of GPT-2).
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(0x100 + i): b for i, b in enumerate(rest)}


def tokenizers_library() -> Any:
    """The tokenizers library.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return importlib.import_module("tokenizers")
    except ImportError as error:
        raise ValueError(
            "a tokenizer.json needs the tokenizers library: pip install 'prism-lm[tokenizers]'"
        ) from error


def open_tokenizer(name: str) -> Tokenizer:
    """``"bytes"``, or the path of a ``tokenizer.json``, of the folder that holds it or of an export
    that has it inside."""
    if name == "bytes":
        return ByteTokenizer()
    path = Path(name)
    if path.suffix == ".safetensors" and path.is_file():
        return FileTokenizer(path, _inside(path))
    return FileTokenizer(path / "tokenizer.json" if path.is_dir() else path)


def _inside(path: Path) -> bytes:
    """The tokenizer.json in the header of an export."""
    try:
        with safe_open(str(path), framework="pt") as file:
            content = (file.metadata() or {}).get(INSIDE)
    except SafetensorError as error:
        raise ValueError(f"tokenizer {path}: not a safetensors file ({error})") from error
    if content is None:
        raise ValueError(f"tokenizer {path}: has no {INSIDE} in its header; must be a run's export")
    return content.encode()
