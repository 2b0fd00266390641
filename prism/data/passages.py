"""Plain text as documents: passages of files, opened at any place without an index, and the text
that Python carries.

A file is divided by byte number, and a document belongs to the division in which it begins. That is
decided by looking at bytes near the border only, so a file needs to be neither read nor indexed
before its middle can be opened.

- Text: a passage begins in every ``PASSAGE`` bytes, after the first blank line there, else at the
  first line, word or character. A shorter file is one document.
- Text with lines ``<|endoftext|>``: division k of ``LINES`` bytes holds the documents that begin in
  it, after such a line and nowhere else.

A file that ends in ``.gz`` is unpacked into memory when it is opened.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import re
import struct
import zlib
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from prism.data.document import BadRowError, Document
from prism.data.formats import Format
from prism.data.order import Window

PASSAGE = 16 * 1024
PASSAGES = 16  # to a segment
PIECES, SHORT = 8, 2048  # of a file that is all of its source, is no longer than a passage, and
# has at least so many bytes
LINES = 1024 * 1024
PIECE = 2000  # characters of a document of the manual
LARGEST_GZ = 256 * 1024 * 1024
GZIP, SMALLEST_GZ = b"\x1f\x8b", 18  # how a packed file begins, and bytes of an empty one

SEPARATOR = b"<|endoftext|>"
SEPARATED = re.compile(rb"^<\|endoftext\|>\s*$", re.MULTILINE)

BREAKS = (
    re.compile(rb"(?<=\n\n)[^\n]|(?<=\n\r\n)[^\r\n]"),
    re.compile(rb"(?<=\n)."),
    re.compile(rb"(?<= )."),
    re.compile(rb"[^\x80-\xbf]"),  # not the inside of a character
)
HEAD = 1024 * 1024  # where the first separator is looked for


class StoredBytes:
    """The bytes of a file of a source, unpacked if it ends in ``.gz``.

    Attributes:
        size: number of them, found without unpacking.

    Raises:
        ValueError: a packed file that does not fit into memory.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self._packed = path.suffix.lower() == ".gz"
        self.size = _unpacked_size(path) if self._packed else path.stat().st_size

    def document(self, start: int, raw: bytes) -> Document:
        """The UTF-8 text ``raw``, which begins at byte ``start``, as a document that is learned."""
        where = f"{self.path} at byte {start}"
        try:
            text = raw.decode("utf-8-sig" if start == 0 else "utf-8").strip("\r\n")
        except UnicodeDecodeError as error:
            said = f"source {self.name}: {where}: not UTF-8 ({error.reason})"
            raise BadRowError(said) from error
        return Document(((text, True),), where)

    def open(self) -> BinaryIO:
        """A stream that can be read and sought in.

        Raises:
            ValueError: the file has become shorter since.
            OSError: it cannot be opened.
        """
        if self._packed:
            return io.BytesIO(_unpacked(self.path, self.size))
        there = self.path.stat().st_size
        if there < self.size:
            raise ValueError(f"source {self.name}: {self.path}: had {self.size:,} bytes when it "
                             f"was opened, has {there:,}")  # fmt: skip
        return self.path.open("rb")


def _unpacked_size(path: Path) -> int:
    """Bytes of a packed file when unpacked, as its last four bytes say.

    Raises:
        ValueError: it is not packed, is cut short, or does not fit into memory.
    """
    with path.open("rb") as file:
        if file.read(2) != GZIP:
            raise ValueError(f"{path}: not packed by gzip, though its name ends in .gz")
        if file.seek(0, io.SEEK_END) < SMALLEST_GZ:
            raise ValueError(f"{path}: cannot be unpacked (it is cut short)")
        file.seek(-4, io.SEEK_END)
        size = struct.unpack("<I", file.read(4))[0]
    if size <= LARGEST_GZ:
        return size
    try:  # so large, or cut short, so that these bytes say nothing
        with gzip.open(path) as file:
            while file.read(1 << 20):
                if file.tell() > LARGEST_GZ:
                    break
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be unpacked ({error})") from error
    raise ValueError(f"{path}: {size:,} bytes unpacked: unpack it first")


@lru_cache(maxsize=4)
def _unpacked(path: Path, size: int) -> bytes:
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be unpacked ({error})") from error
    if len(raw) != size:  # the size at the end of the file is that of its last member only
        raise ValueError(f"{path}: holds several packed files: unpack it first")
    return raw


class TextFile:
    """Passages of a text file."""

    def __init__(self, name: str, path: Path, format: Format) -> None:
        self.path = path
        self._bytes = StoredBytes(name, path)
        self._passage = PASSAGE  # bytes

    def divide(self) -> None:
        """Cut a file that would be one document into ``PIECES``, so that there is text to learn and
        text to validate on."""
        if SHORT <= self._bytes.size <= PASSAGE:
            self._passage = -(-self._bytes.size // PIECES)

    def segments(self) -> int:
        return -(-self._bytes.size // (self._passage * PASSAGES))

    def window(self, segment: int, cursor: int) -> Window:
        first = segment * PASSAGES
        with self._bytes.open() as file:
            edges = [self._edge(file, first + i) for i in range(PASSAGES + 1)]
            file.seek(edges[0])
            raw = file.read(edges[-1] - edges[0])
        passages: list[tuple[int, bytes]] = []
        for low, high in pairwise(edges):
            piece = raw[low - edges[0] : high - edges[0]]
            if piece.strip():
                passages.append((low, piece))
        return Window(len(passages), lambda i: self._bytes.document(*passages[i]))

    def _edge(self, file: BinaryIO, passage: int) -> int:
        """First byte of a passage."""
        at = passage * self._passage
        if at == 0 or at >= self._bytes.size:
            return min(at, self._bytes.size)
        before = min(2, at)  # a blank line may end right here
        file.seek(at - before)
        raw = file.read(before + self._passage)
        for pattern in BREAKS:
            first = pattern.search(raw, before)
            if first:
                return at - before + first.start()
        return at


class SeparatedFile:
    """Documents of a text file with lines ``<|endoftext|>`` between them."""

    def __init__(self, name: str, path: Path, format: Format) -> None:
        self.path = path
        self._bytes = StoredBytes(name, path)

    def segments(self) -> int:
        return -(-self._bytes.size // LINES)

    def window(self, segment: int, cursor: int) -> Window:
        low, high = segment * LINES, (segment + 1) * LINES
        documents: list[tuple[int, list[bytes]]] = [(0, [])] if low == 0 else []
        with self._bytes.open() as file:
            if low > 0:
                file.seek(low - 1)
                file.readline()
            while (start := file.tell()) < high or documents:
                line = file.readline()
                separates = line.strip() == SEPARATOR
                if not line or (separates and start >= high):
                    break
                if separates:
                    documents.append((start + len(line), []))
                elif documents:
                    documents[-1][1].append(line)
        texts = [(start, raw) for start, lines in documents if (raw := b"".join(lines)).strip()]
        return Window(len(texts), lambda i: self._bytes.document(*texts[i]))


def open_text(name: str, path: Path, format: Format) -> TextFile | SeparatedFile:
    """A text file, of the kind that its first ``HEAD`` bytes show."""
    with StoredBytes(name, path).open() as file:
        separated = SEPARATED.search(file.read(HEAD))
    return SeparatedFile(name, path, format) if separated else TextFile(name, path, format)


class PythonManual:
    """The text that every CPython carries: the language reference in ``pydoc_data.topics``.

    Half a megabyte of English, offline, no install. Its topics quote one another at length, so a
    paragraph that came before is left out. A document is a few paragraphs of one topic, about
    ``PIECE`` characters. The text differs a little between Python versions: compare numbers within
    one version.
    """

    name = "pydoc"

    def segments(self) -> int:
        return 1

    def window(self, segment: int, cursor: int) -> Window:
        return Window(len(_manual()), self._document)

    def fingerprint(self) -> str:
        everything = "\0".join(text for _, text in _manual())
        return hashlib.blake2b(everything.encode(), digest_size=16).hexdigest()

    @staticmethod
    def _document(i: int) -> Document:
        topic, text = _manual()[i]
        return Document(((text, True),), f"topic {topic!r}")


@cache
def _manual() -> list[tuple[str, str]]:
    """Topic and text of each document of the manual."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    seen: set[str] = set()
    documents: list[tuple[str, str]] = []
    for topic in sorted(topics):
        piece: list[str] = []
        for paragraph in topics[topic].split("\n\n"):
            if not paragraph.strip() or paragraph in seen:
                continue
            seen.add(paragraph)
            piece.append(paragraph)
            if sum(map(len, piece)) >= PIECE:
                documents.append((topic, "\n\n".join(piece)))
                piece = []
        if piece:
            documents.append((topic, "\n\n".join(piece)))
    return documents
