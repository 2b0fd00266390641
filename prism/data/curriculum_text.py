"""Curricula as text: the parts of ``--curriculum``.

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

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from prism.data.curriculum import Curriculum, Lengths, Points
from prism.data.mix import Mix

QUICK = 0.1  # of what is left at START: the time that an annealed share takes to change
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
