"""The capacity curve of one tape: what theory predicts, and what its accumulator really does.

Accumulators of the tape's shape are filled with N facts, first with the tape's own (in random
order), then with strangers, and read again. Banks are independent of one another, so a large tape
is measured on some of them, each filled as full as N facts would make it.

    matched filter   p_corr(D, 1 + Poisson((N - 1) / B), M)          prism.holo.capacity.theory
    joint decoders   P(a fact's bank holds <= N* facts)              prism.holo.capacity.evolution
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from prism.holo.algebra.accumulator import Accumulator
from prism.holo.algebra.codes import amplitude_of, bank_of, mix, sign_codes
from prism.holo.capacity.evolution import decodable
from prism.holo.capacity.theory import banked_accuracy
from prism.holo.decode import Superposition, message_passing, successive_cancellation
from prism.holo.recall import read_vectors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from prism.holo.tape import HoloTape

SUFFIXES = (".svg", ".png", ".pdf")
LOADS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # of the capacity, for the filter
JOINT_LOADS = (0.5, 0.75, 1.0, 1.2, 1.5)  # a decoder falls at once, and is slow beyond
READS = 500  # facts read per point
LINE = 24  # points that the theory is drawn through
FEW_BANKS = 32  # at least so many, where the tape has them: their loads differ
JOINT_BANKS = 4  # decoding a bank takes seconds


@dataclass(frozen=True)
class Curve:
    """Points of a capacity curve.

    Attributes:
        title: the tape's shape.
        facts: N of each point.
        theory, measured: share of facts read right.
        reads: facts read for each ``measured``.
        line: N and theory, densely.
        joint: whether banks are decoded as a whole.
        now: N and share read right of the tape as it is; None for an empty tape.
        level, limit: the capacity, and the share that defines it.
    """

    title: str
    facts: list[int]
    theory: list[float]
    measured: list[float]
    reads: list[int]
    line: list[tuple[int, float]]
    joint: bool
    now: tuple[int, float] | None
    level: float
    limit: int


def measure(tape: HoloTape, seed: int = 0) -> Curve:
    """The curve of ``tape``, which is only read; seconds, a minute for a joint decoder.

    Raises:
        ValueError: the tape has no ledger or knows fewer than two values.
    """
    if tape.ledger is None or len(tape.vocabulary) < 2:
        raise ValueError("plot: needs a ledger and at least two values to choose from")
    c, room = tape.config, tape.capacity()
    joint = c.decoder != "filter"
    loads = JOINT_LOADS if joint else LOADS
    facts = sorted({max(1, round(load * max(1, room.limit))) for load in loads})
    draw_ = np.random.default_rng(seed)
    points = [_point(tape, number, draw_) for number in facts]
    dense = sorted({int(n) for n in np.linspace(facts[0], facts[-1], LINE)} | {*facts})
    line = {number: _theory(tape, number) for number in dense}
    check = tape.audit()
    return Curve(
        f"{c.banks:,} x {c.dim} {c.dtype}, {len(tape.vocabulary):,} values, {c.decoder}",
        facts,
        [line[number] for number in facts],
        [right / max(1, read) for right, read in points],
        [read for _, read in points],
        list(line.items()),
        joint,
        (room.facts, check.accuracy) if room.facts else None,
        room.level,
        room.limit,
    )


def _theory(tape: HoloTape, facts: int) -> float:
    c, size = tape.config, len(tape.vocabulary)
    if c.decoder == "filter":
        return banked_accuracy(c.dim, facts, size, c.banks)
    limit = math.floor(decodable(size, c.layers) * c.dim)
    if c.banks == 1:
        return float(facts <= limit)
    mean = max((facts - 1) / c.banks, 1e-300)
    others = torch.arange(limit, dtype=torch.float64)  # besides the fact itself
    share = torch.exp(others * math.log(mean) - mean - torch.lgamma(others + 1))
    return float(share.sum().clamp_max(1.0))


def _point(tape: HoloTape, facts: int, draw_: np.random.Generator) -> tuple[int, int]:
    """Facts read right, and facts read, with ``facts`` on a tape of this shape."""
    c, joint = tape.config, tape.config.decoder != "filter"
    enough = JOINT_BANKS if joint else max(FEW_BANKS, math.ceil(READS * c.banks / facts))
    count = min(c.banks, enough)
    chosen = draw_.choice(c.banks, count, replace=False)
    hashes, ids, banks = _load(tape, facts, chosen, draw_)
    accumulator = Accumulator(count, c.dim, "int32")
    codes = tape.vocabulary.codes
    accumulator.bind(hashes, ids, codes, amplitude_of(hashes, c.layers), banks)
    if not joint:
        some = draw_.permutation(len(hashes))[:READS]
        rows = accumulator.numbers[torch.from_numpy(banks[some])].float()
        products = rows * sign_codes(hashes[some], c.dim)
        return int((read_vectors(products, codes, 1.0).ids == ids[some]).sum()), len(some)
    right = 0
    for bank in range(count):
        mine = banks == bank
        right += _decoded(tape, accumulator.numbers[bank].double(), hashes[mine], ids[mine])
    return right, len(hashes)


def _decoded(tape: HoloTape, target: Tensor, hashes: np.ndarray, ids: np.ndarray) -> int:
    """Facts of one bank that the tape's joint decoder gets right."""
    solve = message_passing if tape.config.decoder == "amp" else successive_cancellation
    found = solve(Superposition(hashes, target, tape.vocabulary.codes, tape.config.layers))
    return int((found.ids == ids).sum())


def _load(
    tape: HoloTape, facts: int, chosen: np.ndarray, draw_: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes uint64, value ids and places in ``chosen`` of those of ``facts`` facts that fall
    into the chosen banks: the tape's own as far as they go, then strangers."""
    c, rows = tape.config, tape.ledger.live_rows()
    own = draw_.permutation(rows)[:facts]
    hashes, ids = tape.ledger.column("key")[own], tape.ledger.column("value")[own]
    place = np.full(c.banks, -1)
    place[chosen] = np.arange(len(chosen))
    banks = place[bank_of(hashes, c.banks)]
    inside = banks >= 0
    missing = facts - len(own)
    strangers = missing
    if c.banks > 1:  # how many of the missing facts would hash to the chosen banks
        strangers = int(draw_.binomial(missing, len(chosen) / c.banks))
    more = mix(draw_.integers(2**63, size=strangers).astype(np.uint64))
    return (
        np.concatenate((hashes[inside], more)),
        np.concatenate((ids[inside], draw_.integers(len(tape.vocabulary), size=strangers))),
        np.concatenate((banks[inside], draw_.integers(len(chosen), size=strangers))),
    )


def draw(curve: Curve, path: Path) -> None:
    """Write the curve as a picture.

    Raises:
        OSError: the file cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "prism"}):  # same curve, same bytes
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.subplots()
        _points(curve, axes)
        at = f"{curve.limit:,} facts at {curve.level:.0%}"
        axes.axvline(curve.limit, linestyle=":", color="grey", label=at)
        if curve.now is not None:
            axes.plot(*curve.now, marker="*", markersize=14, linestyle="", label="this tape now")
        axes.set(title=curve.title, xlabel="facts on the tape", ylabel="read right")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_ylim(0, 1.04)
        axes.legend(loc="lower left")
        content = io.BytesIO()
        kind = path.suffix[1:]
        figure.savefig(content, format=kind, metadata={"Date": None} if kind == "svg" else None)
    path.write_bytes(content.getvalue())


def _points(curve: Curve, axes: Axes) -> None:
    if curve.joint:  # facts of a bank are right together: no interval follows from their number
        axes.plot(*zip(*curve.line, strict=True), label="theory: banks that decode whole")
        axes.plot(curve.facts, curve.measured, "o", label="measured, of all facts")
        return
    axes.plot(*zip(*curve.line, strict=True), label="theory")
    error = [
        1.96 * math.sqrt(max(p * (1 - p), 1 / n) / n)
        for p, n in zip(curve.measured, curve.reads, strict=True)
    ]
    axes.errorbar(curve.facts, curve.measured, error, fmt="o", label="measured, 95% interval")
