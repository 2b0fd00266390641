"""Weights of the reading of remarks: fitted to dialogues, updates and questions without an answer.

    loss = - mean over questions of log p(right span, or no answer) + L2 / 2 |w|^2

Part of the questions are also asked of two remarks of other dialogues, where they have no answer,
and of part of the remarks something is asked that nobody told.

    python -m prism.studies.mind.aligning --sets dev-told,one
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prism.command import Parser, command, say
from prism.mind.perceive import perceive
from prism.mind.remarks.parse import parsed
from prism.mind.remarks.reading import FILE, Candidate, candidates
from prism.mind.working import WorkingMemory
from prism.record import describe, write_json
from prism.studies.mind.matching import right
from prism.studies.mind.sets import SentenceSet, load_set

L2, STEPS, RATE = 0.003, 300, 0.02
FEWEST = 4  # spans that have a feature, below which it is left out
UNTOLD = (
    *("How old is {}?", "What is {}'s phone number?", "How much did {} cost?"),
    *("What colour is {}?", "When was {} born?", "Who is {}'s boss?", "Who is {} married to?"),
    *("What is {}'s favourite film?", "What is {}'s surname?", "Why did {} leave?"),
)
LATER = (  # said afterwards of the same thing, which changes nothing of what was asked
    *("{} has a new bicycle now.", "{} was in the newspaper yesterday.", "Leopold now likes {} too."),
    *("I've been talking about {} with Leopold.", "{}'s cousin is a pilot now.", "{} is fine again."),
    *("We sold the picture of {} for 40 euros.", "They changed the lamp near {} to a green one."),
    *("{}'s old bag was replaced by a grey one.", "Leopold moved to Turin because of {}."),
    *("The box for {} arrives on Monday at nine.", "{}'s hat has been moved to the attic."),
    *("{} no longer needs the blue chair.", "I've left {}'s coat at the station.", "{} met two pilots."),
)
EVERY = 3  # of so many dialogues one is asked of others' remarks


@dataclass(frozen=True)
class Example:
    """A question with all spans of its remarks, and which of them are right."""

    kind: str
    question: str
    spans: list[Candidate]
    right: list[bool]


def kept(turns: Sequence[str]) -> list[str]:
    """The remarks of a conversation of its own, as they are kept; a sentence that is not kept is
    taken as it is, so that the reading learns from it too."""
    memory, found = WorkingMemory(), []
    for turn in turns:
        memory.next_turn()
        new = [
            remark.text
            for sentence in perceive(turn, memory.resolve, memory.names(), memory.heard)
            for remark in sentence.remarks
        ]
        found += new or [turn]
    return found


def examples(chosen: SentenceSet) -> Iterator[Example]:
    """The examples of a set."""
    draw = random.Random(0)
    dialogues = chosen.parts.get("dialogues", [])
    for row in dialogues:
        yield _example("dialogue", kept(row["say"]), row["ask"], row["answers"])
    for row in chosen.parts.get("updates", []):
        yield _example("update", kept([row["old"], row["new"]]), row["ask"], row["answers"])
    for row in chosen.parts.get("unchanged", []):
        yield _example("unchanged", kept(row["say"]), row["ask"], row["answers"])
    for row in chosen.parts.get("unanswered", []):
        yield _example("none", kept(row["say"]), row["ask"], [])
    for row in dialogues[::EVERY]:
        others = draw.sample([r["say"] for r in dialogues if r["say"] != row["say"]], 2)
        yield _example("none", kept([says[0] for says in others]), row["ask"], [])
    for n, row in enumerate(dialogues):
        remarks = kept(row["say"])
        named = _named(remarks[0])
        if named and n % EVERY == 1:
            later = kept([draw.choice(LATER).format(named)])
            yield _example("unchanged", remarks + later, row["ask"], row["answers"])
    for row in dialogues[::2]:
        remarks = kept(row["say"])
        things = [w.text for w in parsed(remarks[0]).words if w.tag[:2] == "NN"]
        numbered = any(w.tag == "CD" for text in remarks for w in parsed(text).words)
        fitting = [q for q in UNTOLD if not (numbered and q in UNTOLD[:3])]
        if things:
            question = draw.choice(fitting).format(things[0])
            yield _example("none", remarks, question, [])


def _named(remark: str) -> str:
    """A thing that a remark names, as it is written there: "Ludvik", "my lathe"; "" = none."""
    parse = parsed(remark)
    for at, word in enumerate(parse.words):
        if word.tag == "NNP":
            return word.text
        if word.tag == "NN" and at and parse.words[at - 1].lower in ("my", "our", "the"):
            return f"{parse.words[at - 1].lower} {word.text}"
    return ""


def _example(kind: str, remarks: list[str], question: str, wanted: Sequence[str]) -> Example:
    found = candidates(question, remarks)
    return Example(kind, question, found, [right(c.text, wanted) for c in found])


def fit(rows: Sequence[Example], l2: float = L2) -> tuple[dict[str, float], float]:
    """The weights by feature, and the score of no answer, that explain the examples best."""
    rows = [row for row in rows if row.spans]
    counts = Counter(name for row in rows for span in row.spans for name in span.features)
    names = sorted(name for name, count in counts.items() if count >= FEWEST)
    table = torch.cat([_matrix(row, names) for row in rows])
    owner = torch.tensor([n for n, row in enumerate(rows) for _ in row.spans])
    gold = torch.tensor([good for row in rows for good in row.right], dtype=torch.float32)
    silent = torch.tensor([not any(row.right) for row in rows], dtype=torch.float32)
    weight = torch.zeros(len(names), requires_grad=True)
    null = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight, null], lr=RATE)
    for _ in range(STEPS):
        scores = table @ weight
        high = null.expand(len(rows)).scatter_reduce(0, owner, scores, "amax").detach()
        odds, none = (scores - high[owner]).exp(), (null - high).exp()
        total = none.scatter_add(0, owner, odds)
        good = (none * silent).scatter_add(0, owner, odds * gold)
        loss = -(good.clamp_min(1e-12) / total).log().mean() + l2 / 2 * (weight**2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    values = weight.detach().tolist()
    return {n: round(v, 4) for n, v in zip(names, values, strict=True)}, round(null.item(), 4)


def _matrix(row: Example, names: Sequence[str]) -> Tensor:
    place = {name: i for i, name in enumerate(names)}
    found = torch.zeros(len(row.spans), len(names))
    for i, span in enumerate(row.spans):
        for name, value in span.features.items():
            if name in place:
                found[i, place[name]] = value
    return found


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m prism.studies.mind.aligning", description=__doc__)
    p.add_argument("--sets", default="dev-told,one", metavar="SET,SET")
    return p


@command
def main(argv: list[str] | None = None) -> int:
    """Fit the weights and write them into the package; the exit code."""
    p = parser()
    args = p.parse_args(argv)
    try:
        sets = [load_set(name) for name in args.sets.split(",")]
    except ValueError as error:
        p.error(str(error))
    rows = [row for chosen in sets for row in examples(chosen)]
    weight, null = fit(rows)
    meta: dict[str, Any] = describe(f"python -m prism.studies.mind.aligning --sets {args.sets}", "")
    kept_meta = {name: meta[name] for name in ("command", "commit", "started")}
    write_json(FILE, {"meta": kept_meta, "examples": len(rows), "null": null, "weights": weight})
    say(f"{len(rows)} examples, {len(weight)} features: {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
