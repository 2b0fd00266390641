"""Row streams: the global batch as a fixed set of independent streams of tokens.

Stream i of L reads documents i, i + L, i + 2L, ... of every source's seeded order, and packs them
one after the other. Its tokens depend on the mix, the tokenizer, the seed, i and L; not on the
number of processes, how rows are grouped into micro-batches, or where the run was interrupted. Its
state is a few numbers per source.

The next source is chosen by fair queueing over tokens (https://doi.org/10.1145/75246.75248). With
w_s(n) the share that source s should have of token n, and n_s the tokens read of it, a stream takes
the source with the largest normalised deficit,

    (quota_s - n_s) / w_s,
    quota_s = w_s(0) sum_r offset_r - offset_s + sum over tokens n read of w_s(n),

where offset_s = START e_s, e_s ~ Exp(1) a hash of (seed, stream, s). Where shares never change this
is the source with the least (n_s + offset_s) / w_s. So the tokens that a stream has read of a
source stay within a document, and the constant offset, of its share, whatever the lengths of the
documents. The least of e_s / w_s falls on s with probability proportional to w_s, so the first
documents of a batch are mixed by the same shares.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from prism.data.curriculum import Curriculum
from prism.data.document import IGNORE, RowBatch, count_bytes, document_id, encode, held_out
from prism.data.mix import Mix
from prism.data.order import Place, Walk, mix64
from prism.data.tokens import Tokenizer
from prism.splitmix import WORD

START = 1024  # tokens, about a document
OLD_KEYS = {"gone": "taken", "due": "quota"}  # of saved states: the key then, the key now
MAX_SKIPS = 10_000  # documents in a row that are empty or held out


class RowStreams:
    """The streams of one process.

    Args:
        mix: what to read.
        tokenizer: turns text into ids.
        streams: number of streams of the global batch, over all processes.
        mine: the streams of this process, each in ``0 .. streams - 1``.
        seq_len: T, tokens of a row.
        seed: of the order.
        curriculum: shares and lengths that change; None = the weights of the mix, whole documents.
        tokens: that every stream will read in the run, which is what a curriculum goes by.

    Raises:
        ValueError: a bad number, or an empty source.
    """

    def __init__(
        self,
        mix: Mix,
        tokenizer: Tokenizer,
        *,
        streams: int,
        mine: Sequence[int],
        seq_len: int,
        seed: int,
        curriculum: Curriculum | None = None,
        tokens: int | None = None,
    ) -> None:
        if curriculum is not None and (tokens is None or tokens < 1):
            raise ValueError(f"tokens = {tokens}: must be >= 1 with a curriculum")
        if streams < 1:
            raise ValueError(f"streams = {streams}: must be >= 1")
        if seq_len < 1:
            raise ValueError(f"seq_len = {seq_len}: must be >= 1")
        for i in mine:
            if not 0 <= i < streams or list(mine).count(i) > 1:
                raise ValueError(
                    f"mine = {list(mine)}: must be distinct streams of 0..{streams - 1}"
                )
        self._seq_len = seq_len
        self._byte_lengths = tokenizer.byte_lengths
        rest = [tokenizer.fingerprint(), streams, seed]
        if curriculum is not None:
            rest.append(curriculum.fingerprint())
        self._identity, self._former = (
            hashlib.blake2b(json.dumps([data, *rest]).encode(), digest_size=8).hexdigest()
            for data in (mix.fingerprint(), mix.former_fingerprint())
        )
        walks = {s.source.name: Walk(s.source, mix64(seed, i)) for i, s in enumerate(mix.sources)}
        curriculum = curriculum or Curriculum({s.source.name: s.weight for s in mix.sources})
        run = math.inf if tokens is None else tokens
        self._marked = any(s.out_of_domain for s in mix.sources)
        self._streams = {
            i: RowStream(i, streams, mix, walks, tokenizer, seed, curriculum, run) for i in mine
        }

    def next(self) -> RowBatch:
        """The next T tokens of every stream.

        Raises:
            ValueError: a source cannot be read; names it, the place and why.
        """
        rows, names = zip(
            *(stream.take(self._seq_len) for stream in self._streams.values()), strict=True
        )
        tokens, targets, segments, out_of_domain, document, offset = torch.stack(rows, dim=1)
        return RowBatch(
            tokens,
            targets,
            segments,
            list(names),
            count_bytes(targets, self._byte_lengths),
            out_of_domain.bool() if self._marked else None,
            document,
            offset,
        )

    def passes(self) -> dict[str, float]:
        """Passes over each source, by name: the mean over the streams here."""
        each = [stream.passes() for stream in self._streams.values()]
        return {name: sum(x[name] for x in each) / len(each) for name in each[0]}

    def state(self) -> dict[str, Any]:
        """Position of every stream, as JSON, by stream: ``{"stream0007": {...}}``."""
        return {
            f"stream{i:04d}": {"data": self._identity, **stream.state()}
            for i, stream in self._streams.items()
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from where :meth:`state` was taken, on whatever process.

        Args:
            state: of at least the own streams.

        Raises:
            ValueError: a stream is missing, or the state is of other data.
        """
        for i, stream in self._streams.items():
            key = f"stream{i:04d}"
            saved = state.get(key) or state.get(f"lane{i:04d}")  # its key in older runs
            if saved is None:
                raise ValueError(f"data state has no {key}; there are {sorted(state)}")
            saved = dict(saved)
            if saved.pop("data", None) not in (self._identity, self._former):
                raise ValueError(
                    f"data state of {key} is of another mix, tokenizer, seed, curriculum or "
                    "number of streams; must be of the same to go on exactly"
                )
            stream.load(saved)


class RowStream:
    """One endless stream of packed documents.

    Its state is the place of the current document and how many of its tokens were taken; the
    document itself is read again on :meth:`load`.
    """

    def __init__(
        self,
        number: int,
        streams: int,
        mix: Mix,
        walks: Mapping[str, Walk],
        tokenizer: Tokenizer,
        seed: int,
        curriculum: Curriculum,
        run: float,
    ) -> None:
        self._stride = streams
        self._shares = mix.shares
        self._out_of_domain = {s.source.name for s in mix.sources if s.out_of_domain}
        self._walks = walks
        self._tokenizer = tokenizer
        self._curriculum, self._run = curriculum, run
        self._key = mix64(seed, number)
        # of the last document read, so at first one stride before the stream's first
        self._places = {name: Place(index=number - streams) for name in walks}
        self._read = dict.fromkeys(walks, 0)
        self._start_quota = self._quota_at_start(seed, number)
        self._quota = dict(self._start_quota)
        self._piece = self._following = 0  # number of the document's first piece, and of the next's
        self._source = ""
        self._taken = self._document = 0
        self._tokens = self._targets = self._pieces = torch.empty(0, dtype=torch.int64)

    def _quota_at_start(self, seed: int, number: int) -> dict[str, float]:
        """Quota of each source before the first token."""
        weights = self._curriculum.weights(0.0)
        offsets = {
            name: -START * math.log((mix64(seed, number, i) + 1) / (WORD + 2))
            for i, name in enumerate(weights)
            if weights[name] > 0  # one that comes in later is not held back then
        }
        total = sum(offsets.values())
        return {name: w * total - offsets.get(name, 0.0) for name, w in weights.items()}

    def take(self, length: int) -> tuple[Tensor, str]:
        """The next tokens, targets, numbers of documents or their pieces, whether their source is
        out of domain, documents and offsets, together ``[6, length]``; and the names of the
        sources."""
        rows = torch.full((6, length), IGNORE)
        names: list[str] = []
        filled = 0
        while filled < length:
            if self._taken == len(self._tokens):
                self._next_document()
            n = min(length - filled, len(self._tokens) - self._taken)
            here, there = slice(filled, filled + n), slice(self._taken, self._taken + n)
            rows[0, here] = self._tokens[there]
            rows[1, here] = self._targets[there]
            rows[2, here] = self._pieces[there]
            rows[3, here] = self._source in self._out_of_domain
            rows[4, here] = self._document
            rows[5, here] = torch.arange(self._taken, self._taken + n)
            if self._source not in names:
                names.append(self._source)
            filled, self._taken = filled + n, self._taken + n
        return rows, ", ".join(names)

    def passes(self) -> dict[str, float]:
        """Passes over each source, by name; 0 before its first document."""
        places = self._places.items()
        return {s: self._walks[s].passes(p) if p.index >= 0 else 0.0 for s, p in places}

    def state(self) -> dict[str, Any]:
        """Position of the stream, as JSON."""
        return {
            "document": self._piece,
            "source": self._source,
            "taken": self._taken,
            "places": {name: list(place) for name, place in self._places.items()},
            "read": dict(self._read),
            "quota": dict(self._quota),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``, also that of an older run, which had other keys, and of sources
        that were called otherwise, in the order of the mix."""
        state = {OLD_KEYS.get(key, key): value for key, value in state.items()}
        state = _renamed(state, list(self._walks))
        self._piece, self._source = state["document"], state["source"]
        self._taken, self._following = state["taken"], 0
        self._places = {name: Place(*state["places"][name]) for name in self._walks}
        self._read = {name: state["read"][name] for name in self._walks}
        # runs saved before curricula have no quota; it follows from the position
        quota = state.get("quota") or self._quota_at(self._position())
        self._quota = {name: quota[name] for name in self._walks}
        self._tokens = self._targets = self._pieces = torch.empty(0, dtype=torch.int64)
        if self._source:
            document = self._walks[self._source].read(self._places[self._source])
            self._tokens, self._targets = encode(document, self._tokenizer)
            self._cut(self._position() - len(self._tokens))

    def _next_document(self) -> None:
        """Enter the next document that is not held out and has text."""
        begin = self._position()
        name = self._next_source(begin)
        walk = self._walks[name]
        for _ in range(MAX_SKIPS):
            place = self._places[name]
            place = walk.find(place._replace(index=place.index + self._stride))
            self._places[name] = place
            document = walk.read(place)
            if held_out(document, self._shares[name]):
                continue
            tokens, targets = encode(document, self._tokenizer)
            if len(tokens) > 0:
                self._enter(name, begin, tokens, targets)
                return
        raise ValueError(
            f"source {name}: {MAX_SKIPS:,} documents in a row are empty or held out, the last one "
            f"{document.where}; must hold text, in two documents that differ at least"
        )

    def _enter(self, name: str, begin: int, tokens: Tensor, targets: Tensor) -> None:
        self._piece = self._following
        self._tokens, self._targets = tokens, targets
        self._source, self._taken = name, 0
        self._read[name] += len(tokens)
        end = begin + len(tokens)
        for source, more in self._curriculum.tokens(begin, end, self._run).items():
            self._quota[source] += more
        self._cut(begin)

    def _cut(self, begin: int) -> None:
        """Name the document that begins at token ``begin`` of the stream, number its pieces."""
        self._document = document_id(self._tokens)
        self._pieces = torch.full((len(self._tokens),), self._piece)
        if self._curriculum.lengths is not None:
            draw = mix64(self._key, begin) / (WORD + 1)
            self._pieces += self._curriculum.lengths.pieces(
                len(self._tokens), begin, self._run, draw
            )
        self._following = int(self._pieces[-1]) + 1

    def _position(self) -> int:
        """Tokens of the documents that the stream has entered."""
        return sum(self._read.values())

    def _quota_at(self, position: int) -> dict[str, float]:
        """Quota of each source before token ``position``."""
        more = self._curriculum.tokens(0, position, self._run)
        return {name: first + more[name] for name, first in self._start_quota.items()}

    def _next_source(self, begin: int) -> str:
        weights = self._curriculum.weights(begin / self._run)
        deficits = {s: (self._quota[s] - self._read[s]) / w for s, w in weights.items() if w > 0}
        return max(deficits, key=lambda name: deficits[name])


def _renamed(state: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """``state`` with the sources, which it has in the order of the mix, under their ``names``."""
    now = dict(zip(state["places"], names, strict=True))
    by_source = {
        key: {now[name]: value for name, value in values.items()}
        for key, values in state.items()
        if isinstance(values, Mapping)
    }
    return {**state, **by_source, "source": now.get(state["source"], "")}
