"""Mini-LM: the next byte of real text.

    tokens = text[i : i + T],  targets = text[i + 1 : i + T + 1]

The default corpus is prose that every CPython carries: the language reference in
``pydoc_data.topics``. Its topics quote one another at length: of the 64-byte pieces of the test
text (cut as below), 58% would also stand in the training text. So a paragraph that comes again is
dropped, after which less than 1% do. The text differs a little between Python versions: compare
bits per byte within one version. A file given instead is taken as it is.

The text is cut into 64 equal blocks. Block i is validation if i mod 16 = 7, test if i mod 16 =
15, training otherwise; neighbours of the same split are joined. A window starts uniformly at
every byte at which it ends inside its stretch, so none reaches into another split. Every position
is scored. Chance: 8 bits per byte, all 256 bytes being equally likely to a blind guesser.
"""

from __future__ import annotations

import gzip
import re
import zlib
from functools import cached_property
from pathlib import Path

import numpy as np

from tasks.task import SPLITS, IntArray, Task

BLOCKS = 64
PERIOD = 16
HELD_OUT = {7: "validation", 15: "test"}
LONGEST = 512
MIN_BYTES = BLOCKS * (LONGEST + 1)
GZIP = b"\x1f\x8b"
PACKED = {  # how files that are no text begin
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"PK\x03\x04": "a zip file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF file",
}


class MiniLM(Task):
    """Bytes of a text; ``length`` T < size of the text / 64.

    Args:
        corpus: a file of at least ``MIN_BYTES`` bytes, read at once; None = the prose
            inside CPython, read when the first batch is drawn.

    Raises:
        ValueError: the file is missing, unreadable or too small.
    """

    name = "mini_lm"
    vocab_size = 256
    metric = "bits_per_byte"
    chance = 8.0
    train_length = 128
    test_lengths = (128, LONGEST)
    repeats = True

    def __init__(self, corpus: Path | None = None) -> None:
        self._given = None if corpus is None else corpus_from_file(corpus)

    @cached_property
    def text(self) -> np.ndarray:
        """The corpus, ``[N]`` uint8."""
        raw = python_manual() if self._given is None else self._given
        return np.frombuffer(raw, dtype=np.uint8)

    @cached_property
    def stretches(self) -> dict[str, IntArray]:
        """For each split its stretches of text, ``[n, 2]``: first byte and one past the last."""
        edges = [len(self.text) * i // BLOCKS for i in range(BLOCKS + 1)]
        found: dict[str, list[list[int]]] = {split: [] for split in SPLITS}
        for i in range(BLOCKS):
            stretches = found[HELD_OUT.get(i % PERIOD, "train")]
            if stretches and stretches[-1][1] == edges[i]:
                stretches[-1][1] = edges[i + 1]
            else:
                stretches.append([edges[i], edges[i + 1]])
        return {split: np.array(stretches) for split, stretches in found.items()}

    @property
    def lengths(self) -> range:
        """Windows of T + 1 bytes that fit into the smallest block."""
        return range(1, len(self.text) // BLOCKS)

    def draw(
        self, rng: np.random.Generator, split: str, batch_size: int, length: int
    ) -> tuple[IntArray, IntArray]:
        first, end = self.stretches[split].T
        starts = end - first - length
        total = starts.cumsum()
        n = rng.integers(total[-1], size=batch_size)
        which = np.searchsorted(total, n, side="right")
        begin = first[which] + n - (total - starts)[which]
        windows = self.text[begin[:, None] + np.arange(length + 1)].astype(np.int64)
        return windows[:, :-1].copy(), windows[:, 1:].copy()


def python_manual() -> bytes:
    """The topics of ``pydoc_data`` in the order of their names, each paragraph once, as UTF-8."""
    from pydoc_data.topics import topics  # megabytes of text: only when it is asked for

    once: dict[str, str] = {}
    for name in sorted(topics):
        for paragraph in re.split(r"\n\s*\n", topics[name]):
            once.setdefault(" ".join(paragraph.split()), paragraph)
    return "\n\n".join(once.values()).encode()


def corpus_from_file(path: Path) -> bytes:
    """The bytes of ``path``, unpacked if it is packed by gzip.

    Raises:
        ValueError: the file cannot be read, is packed otherwise, or holds fewer than ``MIN_BYTES``
            bytes.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"corpus {path}: {error.strerror}; must be a readable file") from error
    if text.startswith(GZIP):
        try:
            text = gzip.decompress(text)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"corpus {path}: cannot be unpacked ({error})") from error
    for magic, kind in PACKED.items():
        if text.startswith(magic):
            raise ValueError(f"corpus {path}: is {kind}; must be text, or text packed by gzip")
    if len(text) < MIN_BYTES:
        raise ValueError(
            f"corpus {path}: {len(text)} bytes; must be at least {MIN_BYTES}, so that each of "
            f"{BLOCKS} blocks holds a window of {LONGEST + 1}"
        )
    return text
