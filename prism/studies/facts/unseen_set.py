"""Unseen texts: facts and prompts written apart from the rules, and what is measured on them.

A set is a JSON file: ``facts`` with an address and a value each, ``cases`` with a prompt, the kind
of case and what must follow. The facts are bound to a tape as they stand, in no other wording, and
the tape is attached. Two things can be asked of a case:

* ``value``: the value of its fact is spoken next, whole;
* ``unchanged``: the greedy continuation of ``CONTINUED`` tokens is the bare model's.

The bare continuation is read behind its prompt, so one reading gives both the places where a fact
fires and, for text that asks for nothing, the share of positions with untouched logits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import torch

from prism.holo import HoloTape
from prism.inject.attached import AttachedLM, attach
from prism.inject.trigger import Levels
from prism.inject.wordings import SecondOpinion
from prism.studies.facts.replay import ActivationCache, answer, injections

FOLDER = Path(__file__).parent / "unseen"
CONTINUED = 16  # tokens of a continuation that must stay
UNRELATED = "unrelated"
SHIFTS = (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 2.0)  # of the levels: the trade-off curve
PROGRESS = 25  # cases to a line
EXPECTED = ("value", "unchanged")


@dataclass(frozen=True)
class UnseenCase:
    """A prompt; ``fact`` is an index into the set's facts, or None."""

    kind: str
    prompt: str
    expect: str
    fact: int | None = None
    note: str = ""


@dataclass(frozen=True)
class UnseenSet:
    """Facts (address, value) and cases of one file."""

    name: str
    facts: tuple[tuple[str, str], ...]
    cases: tuple[UnseenCase, ...]


@dataclass(frozen=True)
class Outcome:
    """Result of one case: whether it was right, what a fact said (None: the bare model spoke),
    and positions read and touched."""

    case: UnseenCase
    right: bool
    said: str | None
    positions: int
    touched: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        about = {"kind": self.case.kind, "prompt": self.case.prompt, "expect": self.case.expect}
        return about | {"right": self.right, "said": self.said, "note": self.case.note}


def load_set(where: str) -> UnseenSet:
    """The set of a file, or one that comes with the package by its name ("one").

    Raises:
        ValueError: no such set, or a file of another form.
        OSError: the file cannot be read.
    """
    path = Path(where) if Path(where).suffix == ".json" else FOLDER / f"{where}.json"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json")))
        raise ValueError(f"--unseen {where}: no such set; must be {known} or a path to a .json")
    try:
        data = json.loads(path.read_text("utf-8"))
        facts = tuple((f["address"], f["value"]) for f in data["facts"])
        cases = tuple(
            UnseenCase(c["kind"], c["prompt"], c["expect"], c.get("fact"), c.get("note", ""))
            for c in data["cases"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a set of unseen texts ({error!r})") from error
    for i, case in enumerate(cases):
        if case.expect not in EXPECTED:
            raise ValueError(f"{path}: case {i}: expect = {case.expect!r}: must be {EXPECTED}")
        if case.expect == "value" and (case.fact is None or not 0 <= case.fact < len(facts)):
            raise ValueError(f"{path}: case {i}: fact = {case.fact}: must be one of {len(facts)}")
    return UnseenSet(path.stem, facts, cases)


def told(bare: AttachedLM, facts: Sequence[tuple[str, str]]) -> AttachedLM:
    """The model of ``bare`` with a new tape of the facts, bound under their addresses."""
    tape = HoloTape.plan(facts=max(1_000, 2 * len(facts)))
    for address, value in facts:
        tape.bind(address, value)
    lm = attach(bare.model, bare.tokenizer, tape)
    lm.knowledge.calibration = bare.knowledge.calibration
    lm.prepare()
    return lm


class Continuations:
    """Greedy continuations of the bare model, each made once."""

    def __init__(self, lm: AttachedLM) -> None:
        self._lm = lm
        self._kept: dict[str, list[int]] = {}

    def of(self, prompt: str) -> list[int]:
        """The tokens of ``prompt`` and the ``CONTINUED`` that follow."""
        if prompt not in self._kept:
            self._kept[prompt] = self._continued(self._lm.tokenizer.encode(prompt))
        return self._kept[prompt]

    @torch.no_grad()
    def _continued(self, tokens: list[int]) -> list[int]:
        state, new = None, tokens
        for _ in range(CONTINUED):
            out = self._lm.model(torch.tensor([new]), state)
            state, new = out.state, [int(out.logits[0, -1].argmax())]
            tokens = tokens + new
        return tokens


def outcomes(
    lm: AttachedLM, readings: ActivationCache, bare: Continuations, chosen: UnseenSet
) -> Iterator[Outcome]:
    """The result of every case, on a model that holds the set's facts."""
    for case in chosen.cases:
        if case.expect == "value":
            (read,) = readings.of([case.prompt])
            said = lm.tokenizer.decode(answer(lm, read)) or None
            value = f" {chosen.facts[case.fact][1]}"
            right = said is not None and said.startswith(value)
            yield Outcome(case, right, said, 0, 0)
            continue
        tokens = bare.of(case.prompt)
        (read,) = readings.of_tokens([tokens])
        fired = injections(lm, read)
        end = len(tokens) - CONTINUED - 1
        follows = zip(range(end, len(tokens) - 1), fired[end:-1], strict=True)
        other = [i.token for at, i in follows if i is not None and i.token != tokens[at + 1]]
        said = lm.tokenizer.decode(other[:1]) if other else None
        touched = sum(i is not None for i in fired[:-1])
        yield Outcome(case, not other, said, len(tokens) - 1, touched)


def rates(results: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row per kind, with the Wilson interval, and the overall rows that the bars name."""
    groups: dict[str, list[Outcome]] = {}
    for one in results:
        groups.setdefault(one.case.kind, []).append(one)
    wordings = [o for kind, some in groups.items() if kind.startswith("wording") for o in some]
    if wordings:
        groups["wording, all"] = wordings
    rows = [_row(kind, sum(o.right for o in some), len(some)) for kind, some in groups.items()]
    silent = groups.get(UNRELATED, [])
    if silent:
        read, touched = sum(o.positions for o in silent), sum(o.touched for o in silent)
        rows.append(_row("positions of unrelated text, bit-identical", read - touched, read))
    return rows


def _row(kind: str, right: int, count: int) -> dict[str, Any]:
    low, high = wilson(right, count)
    return {"kind": kind, "rate": right / count, "low": low, "high": high, "count": count}


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a rate, 95% by default."""
    share, spread = right / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def measured_set(
    bare: AttachedLM,
    readings: ActivationCache,
    chosen: UnseenSet,
    opinion: SecondOpinion | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Rates by kind, outcomes, and the trade-off curve of one set, as JSON. ``readings`` are shared
    by all points of the curve: the model reads every text once.

    On the curve every level that the state must reach is moved by the same shift; see
    :class:`~prism.inject.trigger.Levels`.
    """
    say("  reading how the facts are asked for")
    lm, continued = told(bare, chosen.facts), Continuations(bare)
    lm.knowledge.opinion = opinion
    results = []
    for one in outcomes(lm, readings, continued, chosen):
        results.append(one)
        if len(results) % PROGRESS == 0:
            say(f"  {len(results)} of {len(chosen.cases)} cases")
    rows = rates(results)
    for row in rows:
        say(f"  {row['kind']}: {row['rate']:.4f} [{row['low']:.3f}, {row['high']:.3f}]"
            f" of {row['count']:,}")  # fmt: skip
    curve = []
    for shift in SHIFTS:
        lm.knowledge.levels = moved(Levels(), shift)
        some = rows if not shift else rates(list(outcomes(lm, readings, continued, chosen)))
        curve.append({"shift": shift} | {row["kind"]: row["rate"] for row in some})
        say(f"  levels {shift:+.2f}: " + ", ".join(f"{r['kind']} {r['rate']:.3f}" for r in some))
    return {
        "set": chosen.name,
        "second opinion": opinion is not None,
        "skipped": [list(s) for s in lm.skipped],
        "rows": rows,
        "curve": curve,
        "cases": [one.to_dict() for one in results],
    }


def moved(levels: Levels, shift: float) -> Levels:
    """The levels, each but the one for plain questions higher by ``shift``."""
    return replace(
        levels,
        open=levels.open + shift,
        shared=levels.shared + shift,
        further=levels.further + shift,
        odds=levels.odds + shift,
    )
