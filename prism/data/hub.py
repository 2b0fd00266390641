"""A data set on the Hugging Face hub, streamed by the datasets library (extra: hub).

A hub stream can only go on from where it is, while row streams and resumed runs want any place. So
a shard is streamed once, 1,000 rows at a time, and each window is kept as a file of JSON lines,

    $PRISM_CACHE/hub/<data set>/<shard>-<first row>.jsonl        (default ~/.cache/prism)

from which everything is read: a row crosses the network once per machine, a resumed run reads what
the stopped one read, and the first batch needs one window. Shards and rows are put in a seeded
order by this package; the library's own buffered shuffle is not used, because it loses and repeats
rows when resumed (https://github.com/huggingface/datasets/issues/7901).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from prism import whole_file
from prism.data.document import Document
from prism.data.formats import Format, document_of
from prism.data.order import Window
from prism.whole_file import reason

ROWS = 1000


class Stream(Protocol):
    """The part of ``datasets.IterableDataset`` that is used."""

    num_shards: int

    def shard(self, num_shards: int, index: int) -> Stream: ...

    def skip(self, n: int) -> Stream: ...

    def __iter__(self) -> Iterator[Mapping[str, Any]]: ...


class HubDataset:
    """One split of a data set.

    Args:
        name: of the source, for messages.
        path: ``owner/name`` on the hub, or a local folder of data files.
        format: of its rows.
        config: the data set's configuration, None for its only one.
        split: of the data set.
        revision: a commit or tag, None for the newest; a run is exact on resume without it as long
            as its windows are kept.
        cache: folder of the windows.
        connect: opens the stream; by default with the datasets library.
    """

    def __init__(
        self,
        name: str,
        path: str,
        *,
        format: Format,
        config: str | None = None,
        split: str = "train",
        revision: str | None = None,
        cache: Path | None = None,
        connect: Callable[[], Stream] | None = None,
    ) -> None:
        self.name = name
        self._format = format
        self._identity = [path, config, split, revision, *format.columns]
        self._connect = connect or partial(_load, name, path, config, split, revision)
        root = cache or Path(os.environ.get("PRISM_CACHE", "~/.cache/prism")).expanduser() / "hub"
        self._folder = root / f"{path.strip('/').replace('/', '--')}-{self.fingerprint()}"
        self._open: dict[int, tuple[int, Iterator[Mapping[str, Any]]]] = {}

    @cached_property
    def stream(self) -> Stream:
        """The opened data set.

        Raises:
            ValueError: the library is missing, or it cannot open the data set.
        """
        return self._connect()

    def segments(self) -> int:
        """The data set's shards; asked once, then kept beside the windows."""
        kept = self._folder / "shards.json"
        if kept.is_file():
            return int(json.loads(kept.read_text()))
        shards = int(self.stream.num_shards)
        whole_file.write(kept, json.dumps(shards))
        return shards

    def window(self, segment: int, cursor: int) -> Window:
        file = self._folder / f"{segment:05d}-{cursor:09d}.jsonl"
        if not file.is_file():
            rows = self._rows(segment, cursor)
            whole_file.write(file, "".join(f"{json.dumps(row)}\n" for row in rows))
        lines = file.read_bytes().splitlines()
        read = partial(self._document, lines, segment, cursor)
        return Window(len(lines), read, cursor + ROWS if len(lines) == ROWS else None)

    def fingerprint(self) -> str:
        return hashlib.blake2b(json.dumps(self._identity).encode(), digest_size=8).hexdigest()

    def _rows(self, shard: int, first: int) -> list[dict[str, Any]]:
        """Rows ``first .. first + ROWS - 1`` of a shard, without the columns that are not used."""
        columns = self._format.columns
        try:
            at, rows = self._open.pop(shard, (-1, iter(())))
            if at != first:
                part = self.stream.shard(num_shards=self.segments(), index=shard)
                rows = iter(part.skip(first) if first else part)
            read = [{c: row[c] for c in columns if c in row} for row in islice(rows, ROWS)]
        except ValueError as error:
            raise ValueError(f"source {self.name}: shard {shard} row {first}: {error}") from error
        except OSError as error:  # of the network: may be over in a moment
            text = f"shard {shard} row {first}: {type(error).__name__}: {reason(error)}"
            raise OSError(text) from error
        except Exception as error:  # whatever network and library raise, with the place added
            kind = type(error).__name__
            where = f"source {self.name}: shard {shard} row {first}"
            raise ValueError(f"{where}: {kind}: {error}") from error
        self._open[shard] = (first + ROWS, rows)
        return read

    def _document(self, lines: list[bytes], shard: int, first: int, i: int) -> Document:
        where = f"shard {shard} row {first + i}"
        return document_of(self._format, self.name, lines[i], where)


def _load(name: str, path: str, config: str | None, split: str, revision: str | None) -> Stream:
    try:
        library = importlib.import_module("datasets")
    except ImportError as error:
        needs = "needs the datasets library: pip install 'prism-lm[hub]'"
        raise ValueError(f"source {name}: {needs}") from error
    try:
        stream: Stream = library.load_dataset(
            path, config, split=split, revision=revision, streaming=True
        )
    except Exception as error:  # the library raises many kinds, from no network to no such split
        kind = type(error).__name__
        raise ValueError(f"source {name}: cannot be opened: {kind}: {error}") from error
    return stream
