"""Lanes: the global batch as a fixed set of independent streams of tokens.

Lane i of L reads documents i, i + L, i + 2L, ... of every source's seeded order, and packs them one
after the other. Its tokens depend on the mix, the tokenizer, the seed, i and L; not on the number
of processes, how rows are grouped into micro-batches, or where the run was interrupted. Its state
is a few numbers per source.

Which source a lane reads next is fair queueing by tokens (https://doi.org/10.1145/75246.75248):
with w_s(n) the share that source s should have of token n, and n_s the tokens read of it, it takes
the source that is owed most,

    (due_s - n_s) / w_s,    due_s = w_s(0) sum_r lead_r - lead_s + sum over tokens n read of w_s(n),

where lead_s = START e_s, e_s ~ Exp(1) a hash of (seed, lane, s). Where shares never change this is
the source with the least (n_s + lead_s) / w_s. So the tokens that a lane has read stay within a
document, and the constant lead, of what the shares say, whatever the lengths of the documents. And
since the least of e_s / w_s falls on s with probability proportional to w_s, the lanes of a batch
start as mixed as they go on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from prism.data.curriculum import Curriculum
from prism.data.document import held_out
from prism.data.mix import Mix
from prism.data.order import Place, Walk, mix64
from prism.data.pack import IGNORE, LaneBatch, count_bytes, encode
from prism.data.tokens import Tokenizer
from prism.splitmix import WORD

START = 1024  # tokens, about a document
PATIENCE = 10_000  # documents in a row that give nothing


class Lanes:
    """The lanes of one process.

    Args:
        mix: what to read.
        tokenizer: turns text into ids.
        lanes: number of lanes of the global batch, over all processes.
        mine: the lanes of this process, each in ``0 .. lanes - 1``.
        seq_len: T, tokens of a row.
        seed: of the order.
        curriculum: shares and lengths that change; None = the weights of the mix, whole documents.
        tokens: that every lane will read in the run, which is what a curriculum goes by.

    Raises:
        ValueError: a bad number, or an empty source.
    """

    def __init__(
        self,
        mix: Mix,
        tokenizer: Tokenizer,
        *,
        lanes: int,
        mine: Sequence[int],
        seq_len: int,
        seed: int,
        curriculum: Curriculum | None = None,
        tokens: int | None = None,
    ) -> None:
        if curriculum is not None and (tokens is None or tokens < 1):
            raise ValueError(f"tokens = {tokens}: must be >= 1 with a curriculum")
        if lanes < 1:
            raise ValueError(f"lanes = {lanes}: must be >= 1")
        if seq_len < 1:
            raise ValueError(f"seq_len = {seq_len}: must be >= 1")
        for i in mine:
            if not 0 <= i < lanes or list(mine).count(i) > 1:
                raise ValueError(f"mine = {list(mine)}: must be distinct lanes of 0..{lanes - 1}")
        self._seq_len = seq_len
        self._byte_lengths = tokenizer.byte_lengths
        identity = [mix.fingerprint(), tokenizer.fingerprint(), lanes, seed]
        if curriculum is not None:
            identity.append(curriculum.fingerprint())
        self._identity = hashlib.blake2b(json.dumps(identity).encode(), digest_size=8).hexdigest()
        walks = {s.source.name: Walk(s.source, mix64(seed, i)) for i, s in enumerate(mix.sources)}
        course = curriculum or Curriculum({s.source.name: s.weight for s in mix.sources})
        run = math.inf if tokens is None else tokens
        self._guests = any(s.guest for s in mix.sources)
        self._lanes = {i: Lane(i, lanes, mix, walks, tokenizer, seed, course, run) for i in mine}

    def next(self) -> LaneBatch:
        """The next T tokens of every lane.

        Raises:
            ValueError: a source cannot be read; names it, the place and why.
        """
        rows, names = zip(*(lane.take(self._seq_len) for lane in self._lanes.values()), strict=True)
        tokens, targets, segments, guests = torch.stack(rows, dim=1)
        return LaneBatch(
            tokens,
            targets,
            segments,
            list(names),
            count_bytes(targets, self._byte_lengths),
            guests.bool() if self._guests else None,
        )

    def state(self) -> dict[str, Any]:
        """Where every lane stands, as JSON, by lane: ``{"lane0007": {...}}``."""
        return {
            _key(i): {"data": self._identity, **lane.state()} for i, lane in self._lanes.items()
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from where :meth:`state` was taken, on whatever process.

        Args:
            state: of at least the own lanes.

        Raises:
            ValueError: a lane is missing, or the state is of other data.
        """
        for i, lane in self._lanes.items():
            if _key(i) not in state:
                raise ValueError(f"data state has no {_key(i)}; there are {sorted(state)}")
            saved = dict(state[_key(i)])
            if saved.pop("data", None) != self._identity:
                raise ValueError(
                    f"data state of {_key(i)} is of another mix, tokenizer, seed, curriculum or "
                    "number of lanes; must be of the same to go on exactly"
                )
            lane.load(saved)


class Lane:
    """One endless stream of packed documents.

    It keeps the place of the document it is in, and how many of its tokens are gone; the document
    itself is read again on :meth:`load`.
    """

    def __init__(
        self,
        number: int,
        lanes: int,
        mix: Mix,
        walks: Mapping[str, Walk],
        tokenizer: Tokenizer,
        seed: int,
        course: Curriculum,
        run: float,
    ) -> None:
        self._stride = lanes
        self._share = mix.held_out
        self._guests = {s.source.name for s in mix.sources if s.guest}
        self._walks = walks
        self._tokenizer = tokenizer
        self._course, self._run = course, run
        self._key = mix64(seed, number)
        # of the last document read, so at first one stride before the lane's first
        self._places = {name: Place(index=number - lanes) for name in walks}
        self._read = dict.fromkeys(walks, 0)
        self._first_due = self._lead_of(seed, number)
        self._due = dict(self._first_due)
        self._piece = self._following = 0  # number of the document's first piece, and of the next's
        self._source = ""
        self._gone = 0
        self._tokens = self._targets = self._pieces = torch.empty(0, dtype=torch.int64)

    def _lead_of(self, seed: int, number: int) -> dict[str, float]:
        """What each source should have given before the first token."""
        weights = self._course.weights(0.0)
        lead = {
            name: -START * math.log((mix64(seed, number, i) + 1) / (WORD + 2))
            for i, name in enumerate(weights)
            if weights[name] > 0  # one that comes in later is not held back then
        }
        total = sum(lead.values())
        return {name: w * total - lead.get(name, 0.0) for name, w in weights.items()}

    def take(self, length: int) -> tuple[torch.Tensor, str]:
        """The next tokens, targets, numbers of documents or their pieces, and whether they are of
        guests' sources, together ``[4, length]``; and the sources."""
        rows = torch.full((4, length), IGNORE)
        names: list[str] = []
        filled = 0
        while filled < length:
            if self._gone == len(self._tokens):
                self._next_document()
            n = min(length - filled, len(self._tokens) - self._gone)
            here, there = slice(filled, filled + n), slice(self._gone, self._gone + n)
            rows[0, here] = self._tokens[there]
            rows[1, here] = self._targets[there]
            rows[2, here] = self._pieces[there]
            rows[3, here] = self._source in self._guests
            if self._source not in names:
                names.append(self._source)
            filled, self._gone = filled + n, self._gone + n
        return rows, ", ".join(names)

    def state(self) -> dict[str, Any]:
        """Where the lane stands, as JSON."""
        return {
            "document": self._piece,
            "source": self._source,
            "gone": self._gone,
            "places": {name: list(place) for name, place in self._places.items()},
            "read": dict(self._read),
            "due": dict(self._due),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``."""
        self._piece, self._source = state["document"], state["source"]
        self._gone, self._following = state["gone"], 0
        self._places = {name: Place(*state["places"][name]) for name in self._walks}
        self._read = {name: state["read"][name] for name in self._walks}
        # a run that was saved when shares could not change has the due of its position
        due = state.get("due") or self._due_at(self._position())
        self._due = {name: due[name] for name in self._walks}
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
        for _ in range(PATIENCE):
            place = self._places[name]
            place = walk.find(place._replace(index=place.index + self._stride))
            self._places[name] = place
            document = walk.read(place)
            if held_out(document, self._share):
                continue
            tokens, targets = encode(document, self._tokenizer)
            if len(tokens) > 0:
                self._enter(name, begin, tokens, targets)
                return
        raise ValueError(
            f"source {name}: {PATIENCE:,} documents in a row are empty or held out, the last one "
            f"{document.where}; must hold text"
        )

    def _enter(self, name: str, begin: int, tokens: torch.Tensor, targets: torch.Tensor) -> None:
        self._piece = self._following
        self._tokens, self._targets = tokens, targets
        self._source, self._gone = name, 0
        self._read[name] += len(tokens)
        for source, due in self._course.tokens(begin, begin + len(tokens), self._run).items():
            self._due[source] += due
        self._cut(begin)

    def _cut(self, begin: int) -> None:
        """Number the pieces of the document that begins at token ``begin`` of the lane."""
        self._pieces = torch.full((len(self._tokens),), self._piece)
        if self._course.lengths is not None:
            draw = mix64(self._key, begin) / (WORD + 1)
            self._pieces += self._course.lengths.pieces(len(self._tokens), begin, self._run, draw)
        self._following = int(self._pieces[-1]) + 1

    def _position(self) -> int:
        """Tokens of the documents that the lane has entered."""
        return sum(self._read.values())

    def _due_at(self, position: int) -> dict[str, float]:
        """What each source should have given before token ``position``."""
        more = self._course.tokens(0, position, self._run)
        return {name: first + more[name] for name, first in self._first_due.items()}

    def _next_source(self, begin: int) -> str:
        weights = self._course.weights(begin / self._run)
        owed = {s: (self._due[s] - self._read[s]) / w for s, w in weights.items() if w > 0}
        return max(owed, key=lambda name: owed[name])


def _key(lane: int) -> str:
    return f"lane{lane:04d}"
