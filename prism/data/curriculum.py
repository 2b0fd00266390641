"""A curriculum: what a stream reads as a function of how much it has read.

With x the tokens that a stream has read over those that it will read in the whole run:

- The share of a source is a piecewise-linear function of x. Sources without one divide the rest by
  their weights in the mix. (Good data late, while the learning rate decays: arXiv 2501.00656.)
- Documents can be cut into pieces that the model reads as if each were a document, of a length
  that grows from A to B,

      length(x) = A (B / A)^(x / until)        x < until,      afterwards nothing is cut,

  while a share of the documents is read whole from the start: a ramp alone is worse than a ramp
  mixed with the full range (arXiv 1410.4615). A cut only resets the state. Tokens, their order and
  their targets stay, so rows keep their shape and no token is lost.

Nothing else goes in, so a stream that is resumed reads on exactly, on any number of processes.

As text, in ``--curriculum``:

    anneal:SOURCE=TO[@START]    its share goes from that of the mix to TO at START of the run, by
                                default when the learning rate begins to decay, and stays
    ramp:SOURCE=FROM..TO        its share goes from FROM to TO over the run
    lengths:A..B[@UNTIL]        documents are cut at A tokens, then more, up to B at UNTIL (0.5)
    FILE.json                   any of this:
                                {"shares": {"SOURCE": [[0, 0.1], [0.5, 0.4], [1, 0.4]]},
                                 "lengths": {"shortest": 64, "longest": 1024, "until": 0.5,
                                             "whole": 0.25}}

SOURCE is the name of a source in the mix, which is its path unless the mix gives it one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from prism.data.mix import Mix

Points = tuple[tuple[float, float], ...]  # (x, share), joined by straight lines
ROUNDING = 1e-9
QUICK = 0.1  # of what is left at START: the time that an annealed share takes to change


@dataclass(frozen=True)
class Lengths:
    """The ramp of the length of pieces.

    Attributes:
        shortest: A, tokens.
        longest: B, tokens.
        until: x at which it ends, in (0, 1].
        whole: share of the documents that are never cut, in [0, 1).
    """

    shortest: int
    longest: int
    until: float = 0.5
    whole: float = 0.25

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"lengths {self.shortest}..{self.longest}: must be A..B with 1 <= A <= B"
            )
        if not 0 < self.until <= 1:
            raise ValueError(f"lengths: until = {self.until}: must be in (0, 1]")
        if not 0 <= self.whole < 1:
            raise ValueError(f"lengths: whole = {self.whole}: must be in [0, 1)")

    def at(self, x: float) -> int | None:
        """Length of a piece that begins at ``x``; None = to the end of the document."""
        if x >= self.until:
            return None
        return round(self.shortest * (self.longest / self.shortest) ** (x / self.until))

    def pieces(self, tokens: int, begin: int, run: float, draw: float) -> Tensor:
        """Number of the piece that each token of a document belongs to, ``[tokens]`` int64.

        Args:
            tokens: length of the document.
            begin: tokens that the stream has read before it.
            run: tokens that the stream will read in all.
            draw: a number in [0, 1) of the document, which decides whether it is cut.
        """
        sizes: list[int] = []
        left = tokens
        while left > 0:
            length = self.at((begin + tokens - left) / run) if draw >= self.whole else None
            sizes.append(min(left, length or left))
            left -= sizes[-1]
        return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))


@dataclass(frozen=True)
class Curriculum:
    """Shares of the sources, and lengths of the pieces, over a run.

    Attributes:
        base: weight of every source in the mix, > 0.
        shares: by source, points (x, share) with x increasing in [0, 1]; before the first and after
            the last the share stays.
        lengths: None = documents are not cut.

    Raises:
        ValueError: an unknown source, points out of order or range, or shares whose sum is more
            than 1, or less with no other source to give the rest to.
    """

    base: Mapping[str, float]
    shares: Mapping[str, Points] = field(default_factory=dict)
    lengths: Lengths | None = None

    def __post_init__(self) -> None:
        for name, points in self.shares.items():
            if name not in self.base:
                raise ValueError(f"source {name!r}: must be one of the mix, {', '.join(self.base)}")
            xs = [x for x, _ in points]
            inside = all(0 <= x <= 1 for x in xs)
            if not points or not inside or not all(a < b for a, b in pairwise(xs)):
                raise ValueError(
                    f"source {name}: points at {xs}: must be increasing fractions of the run in "
                    "[0, 1]"
                )
            for _, share in points:
                if not 0 <= share <= 1:
                    raise ValueError(f"source {name}: share = {share}: must be in [0, 1]")
        for x in self._corners():
            total = math.fsum(_value(p, x) for p in self.shares.values())
            if total > 1 + ROUNDING:
                raise ValueError(f"shares add up to {total:g} at {x:g} of the run: must be <= 1")
            if not self._others and total < 1 - ROUNDING:
                raise ValueError(
                    f"shares add up to {total:g} at {x:g} of the run: must be 1, as every source "
                    "of the mix has one"
                )

    @cached_property
    def _others(self) -> dict[str, float]:
        """Part of the rest that each source without a share gets."""
        weights = {name: w for name, w in self.base.items() if name not in self.shares}
        total = sum(weights.values())
        return {name: w / total for name, w in weights.items()}

    def _corners(self) -> list[float]:
        return sorted({x for points in self.shares.values() for x, _ in points} | {0.0, 1.0})

    def weights(self, fraction: float) -> dict[str, float]:
        """Share of tokens of every source when ``fraction`` of the run is read; they add up to 1.

        Args:
            fraction: x; beyond 1 the last shares hold.
        """
        named = {name: _value(points, fraction) for name, points in self.shares.items()}
        return self._divided(1.0, named)

    def tokens(self, begin: int, end: int, run: float) -> dict[str, float]:
        """Integral of :meth:`weights`: the number of a stream's tokens ``begin .. end - 1`` that
        each source should give.

        Args:
            run: tokens that the stream will read in all; infinite if no share changes.
        """
        named = {
            name: run * (_area(points, end / run) - _area(points, begin / run))
            for name, points in self.shares.items()
        }
        return self._divided(end - begin, named)

    def _divided(self, whole: float, named: Mapping[str, float]) -> dict[str, float]:
        """Of ``whole``, what ``named`` says, and the rest among the others; in the order of the
        mix."""
        rest = max(whole - math.fsum(named.values()), 0.0)
        return {
            name: named[name] if name in named else rest * self._others[name] for name in self.base
        }

    def fingerprint(self) -> str:
        """Equal for curricula that read the same."""
        parts = [dict(self.base), dict(self.shares), self.lengths and asdict(self.lengths)]
        raw = json.dumps(parts, sort_keys=True)
        return hashlib.blake2b(raw.encode(), digest_size=16).hexdigest()

    def describe(self) -> str:
        """One line for people."""
        parts = []
        if self.shares:
            for x in self._corners():
                shares = ", ".join(f"{name} {w:.3g}" for name, w in self.weights(x).items())
                parts.append(f"at {x:.3g} {shares}")
        if self.lengths is not None:
            one = self.lengths
            parts.append(
                f"pieces of {one.shortest} to {one.longest} tokens until {one.until:g}, "
                f"{one.whole:.0%} of the documents whole"
            )
        return "; ".join(parts)


def _value(points: Points, x: float) -> float:
    """The piecewise-linear function at ``x``."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x < x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def _area(points: Points, x: float) -> float:
    """Its integral from 0 to ``x``."""
    inner = [at for at, _ in points if 0 < at < x]
    corners = [0.0, *inner, x]
    return math.fsum((b - a) * (_value(points, a) + _value(points, b)) / 2
                     for a, b in pairwise(corners))  # fmt: skip


Parts = tuple[dict[str, Points], Lengths | None]


def parse_curriculum(parts: Sequence[str], mix: Mix, decay: float = 0.2) -> Curriculum:
    """The curriculum that some parts name.

    Args:
        parts: as above.
        mix: the sources and their weights.
        decay: last fraction of the run, in which the learning rate decays.

    Raises:
        ValueError: a part that cannot be read, or an unknown source; names it and what is allowed.
    """
    base = {s.source.name: s.weight for s in mix.sources}
    shares: dict[str, Points] = {}
    lengths: Lengths | None = None
    for part in parts:
        try:
            more, ramp = _part(part, base, decay)
            for name in more:
                if name not in base:
                    raise ValueError(f"no source {name!r} in the mix; there are {', '.join(base)}")
                if name in shares:
                    raise ValueError(f"source {name!r} is named twice")
            if ramp is not None and lengths is not None:
                raise ValueError("lengths are named twice")
        except ValueError as error:
            raise ValueError(f"--curriculum {part}: {error}") from error
        shares, lengths = {**shares, **more}, ramp or lengths
    try:
        return Curriculum(base, shares, lengths)
    except ValueError as error:
        raise ValueError(f"--curriculum {' '.join(parts)}: {error}") from error


def _part(text: str, base: Mapping[str, float], decay: float) -> Parts:
    if text.endswith(".json"):
        return _file(Path(text))
    kind, _, rest = text.partition(":")
    if kind == "lengths":
        form = "lengths:A..B[@UNTIL]"
        ends, at, until = rest.partition("@")
        texts = (*ends.partition("..")[::2], until if at else str(Lengths.until))
        shortest, longest, end = _numbers(form, *texts)
        if not (shortest.is_integer() and longest.is_integer()):
            raise ValueError(f"must be {form}, A and B whole numbers")
        return {}, Lengths(int(shortest), int(longest), end)
    name, _, value = rest.rpartition("=")
    if kind == "anneal":
        to, at, start = value.partition("@")
        last, begin = _numbers("anneal:SOURCE=TO[@START]", to, start if at else str(1 - decay))
        if not 0 <= begin < 1:
            raise ValueError(f"START = {begin:g}: must be in [0, 1)")
        before = base.get(name, 0.0) / sum(base.values())
        return {name: ((begin, before), (begin + QUICK * (1 - begin), last), (1.0, last))}, None
    if kind == "ramp":
        first, last = _numbers("ramp:SOURCE=FROM..TO", *value.partition("..")[::2])
        return {name: ((0.0, first), (1.0, last))}, None
    raise ValueError("must begin with anneal:, ramp: or lengths:, or end in .json")


def _numbers(form: str, *texts: str) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise ValueError(f"must be {form}") from None


def _file(path: Path) -> Parts:
    try:
        described = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read ({error})") from error
    known = {"shares", "lengths"}
    if not isinstance(described, dict) or not described or described.keys() - known:
        raise ValueError("must be a JSON object with shares, lengths or both")
    try:
        shares = {
            name: tuple((float(x), float(share)) for x, share in points)
            for name, points in described.get("shares", {}).items()
        }
        lengths = Lengths(**described["lengths"]) if "lengths" in described else None
    except (AttributeError, TypeError) as error:
        raise ValueError(
            "shares must map sources to lists of [fraction, share], lengths must be an object with "
            f"shortest, longest and maybe until, whole ({error})"
        ) from error
    return shares, lengths
