"""Weights of the reading of remarks: fitted to dialogues, updates and questions without an answer.

    loss = - mean over questions of log p(right span, or no answer) + L2 / 2 |w|^2

Part of the questions are also asked of two remarks of other dialogues, where they have no answer,
and of part of the remarks something is asked that nobody told.

    python -m prism.studies.mind.aligning --sets dev-told,dev-heard,one,two,three,four
    python -m prism.studies.mind.aligning --held-out FILE      sets read unfitted
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prism.command import command, say
from prism.mind.perceive import perceive
from prism.mind.remarks.parse import parsed
from prism.mind.remarks.reading import FILE, Candidate, Weights, candidates, decide
from prism.mind.working import WorkingMemory
from prism.record import describe, write_json
from prism.studies.mind.fitting import chosen_sets, origin, parser
from prism.studies.mind.matching import right
from prism.studies.mind.sets import SentenceSet

PROGRAM = "python -m prism.studies.mind.aligning"
L2, STEPS, RATE = 0.001, 300, 0.02
FEWEST = 4  # spans that have a feature, below which it is left out
UNTOLD = (
    *("How old is {}?", "What is {}'s phone number?", "How much did {} cost?"),
    *("What colour is {}?", "When was {} born?", "Who is {}'s boss?", "Who is {} married to?"),
    *("What is {}'s favourite film?", "What is {}'s surname?", "Why did {} leave?"),
)
LATER = (  # said afterwards of the same thing, which changes nothing of what was asked
    *(
        "{} has a new bicycle now.",
        "{} was in the newspaper yesterday.",
        "Leopold now likes {} too.",
    ),
    *(
        "I've been talking about {} with Leopold.",
        "{}'s cousin is a pilot now.",
        "{} is fine again.",
    ),
    *("We sold the picture of {} for 40 euros.", "They changed the lamp near {} to a green one."),
    *("{}'s old bag was replaced by a grey one.", "Leopold moved to Turin because of {}."),
    *("The box for {} arrives on Monday at nine.", "{}'s hat has been moved to the attic."),
    *(
        "{} no longer needs the blue chair.",
        "I've left {}'s coat at the station.",
        "{} met two pilots.",
    ),
)
OTHERS = ("Ortrud", "Kasimir", "Vellworth", "Tanager", "Ruritania", "Balthasar", "Quendale")
SILENT = ("none", "unsaid")  # kinds without an answer
EVERY = 3  # of so many dialogues one is asked of others' remarks


@dataclass(frozen=True)
class Example:
    """A question with all spans of its remarks, and which of them are right."""

    kind: str
    question: str
    spans: list[Candidate]
    right: list[bool]


def kept(turns: Sequence[str]) -> list[tuple[str, float]]:
    """The remarks of a conversation of its own, as they are kept, with their turns; a sentence that
    is not kept is taken as it is, so that the reading learns from it too."""
    memory, found = WorkingMemory(), []
    for number, turn in enumerate(turns):
        memory.next_turn()
        new = [
            remark.text
            for sentence in perceive(turn, memory.resolve, memory.names(), memory.heard)
            for remark in sentence.remarks
        ]
        found += [(text, float(number)) for text in new or [turn]]
    return found


def asked_of(chosen: SentenceSet) -> Iterator[tuple[str, list[tuple[str, float]], str, list[str]]]:
    """Kind, remarks with their turns, question and right answers of each example of a set."""
    draw = random.Random(0)
    dialogues = chosen.parts.get("dialogues", [])
    for row in dialogues:
        yield "dialogue", kept(row["say"]), row["ask"], row["answers"]
    for row in chosen.parts.get("updates", []):
        yield "update", kept([row["old"], row["new"]]), row["ask"], row["answers"]
    for row in chosen.parts.get("unchanged", []):
        yield "unchanged", kept(row["say"]), row["ask"], row["answers"]
    for row in chosen.parts.get("unanswered", []):
        yield "none", kept(row["say"]), row["ask"], []
    for row in chosen.parts.get("unsaid", []):
        remarks = kept(row["say"])
        for question in row["asked"]:
            yield "said", remarks, question["ask"], question["answers"]
        for text in row["unsaid"]:
            yield "unsaid", remarks, text, []
    for row in dialogues[::EVERY]:
        others = draw.sample([r["say"] for r in dialogues if r["say"] != row["say"]], 2)
        yield "none", kept([says[0] for says in others]), row["ask"], []
    for row in dialogues[1::EVERY]:
        if named := _named(kept(row["say"])[0][0]):
            later = draw.choice(LATER).format(named)
            yield "unchanged", kept([*row["say"], later]), row["ask"], row["answers"]
    for row in dialogues:
        if twin := _twin(row, dialogues, draw):
            say = [twin, *row["say"]] if draw.random() < 0.5 else [*row["say"], twin]
            yield "contrast", kept(say), row["ask"], row["answers"]
    for row in dialogues[::2]:
        remarks = kept(row["say"])
        words = [parsed(text).words for text, _ in remarks]
        things = [w.text for w in words[0] if w.tag[:2] == "NN"]
        numbered = any(w.tag == "CD" for each in words for w in each)
        fitting = [q for q in UNTOLD if not (numbered and q in UNTOLD[:3])]
        if things:
            yield "none", remarks, draw.choice(fitting).format(things[0]), []


def examples(chosen: Sequence[SentenceSet], first: Mapping[str, float]) -> list[Example]:
    """The examples of some sets.

    Args:
        first: weights of the first pass; empty = there are none yet, no remarks are compared.
    """
    found = []
    for kind, remarks, question, wanted in (row for each in chosen for row in asked_of(each)):
        texts, turns = [text for text, _ in remarks], [turn for _, turn in remarks]
        all_spans = candidates(question, texts, turns, first)
        good = [right(c.text, wanted) for c in all_spans]
        found.append(Example(kind, question, all_spans, good))
    return found


def fitted(chosen: Sequence[SentenceSet]) -> tuple[Weights, int]:
    """Both passes' weights over some sets, and the number of examples."""
    first, _ = fit(examples(chosen, {}))
    rows = examples(chosen, first)
    return Weights(first, *fit(rows)), len(rows)


def _twin(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], draw: random.Random) -> str:
    """The first remark of a dialogue about another name and with another's answer of the same
    shape; "" where the question names nothing of it."""
    text = row["say"][0]
    names = [w.text for w in parsed(text).words if w.tag == "NNP" and w.text in row["ask"]]
    value = next((a for a in sorted(row["answers"], key=len, reverse=True) if a in text), None)
    if not names or value is None or any(name in value for name in names):
        return ""
    shape = value[0].isupper(), value[0].isdigit()
    others = [
        a for r in rows for a in r["answers"][:1] if (a[0].isupper(), a[0].isdigit()) == shape
    ]
    other = draw.choice([a for a in others if a not in row["answers"]] or [""])
    found = text.replace(names[-1], draw.choice(OTHERS)).replace(value, other)
    return found if other and all(a not in found for a in row["answers"]) else ""


def _named(remark: str) -> str:
    """A thing that a remark names, as it is written there: "Ludvik", "my lathe"; "" = none."""
    parse = parsed(remark)
    for at, word in enumerate(parse.words):
        if word.tag == "NNP":
            return word.text
        if word.tag == "NN" and at and parse.words[at - 1].lower in ("my", "our", "the"):
            return f"{parse.words[at - 1].lower} {word.text}"
    return ""


def fit(rows: Sequence[Example], l2: float = L2) -> tuple[dict[str, float], float]:
    """The weights by feature, and the score of no answer, that explain the examples best."""
    rows = [row for row in rows if row.spans and (row.kind in SILENT or any(row.right))]
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


def shares(rows: Sequence[Example], weight: Weights) -> dict[str, dict[str, float]]:
    """Shares of right and wrong answers by kind of example, and of answers from the first of
    several remarks, which of an update are stale."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        count = counts.setdefault(row.kind, Counter())
        count["asked"] += 1
        chosen = decide(row.spans, weight)
        if chosen is not None:
            good = row.right[chosen[0]]
            count["right" if good else "wrong"] += 1
            count["stale"] += not good and row.spans[chosen[0]].remark == 0
    return {
        kind: {name: round(count[name] / count["asked"], 4) for name in ("right", "wrong", "stale")}
        | {"asked": count["asked"]}
        for kind, count in sorted(counts.items())
    }


def _held_out(sets: Sequence[SentenceSet], args: argparse.Namespace) -> int:
    """Write how each set is read by weights that were fitted to the others alone."""
    found = {}
    for one in sets:
        weight, _ = fitted([other for other in sets if other is not one])
        found[one.name] = shares(examples([one], weight.first), weight)
        say(f"{one.name}: {found[one.name]}")
    meta = describe(f"{PROGRAM} --sets {args.sets} --held-out", "")
    write_json(args.held_out, {"meta": meta, "held out": found})
    return 0


@command
def main(argv: list[str] | None = None) -> int:
    """Fit the weights and write them into the package; the exit code."""
    p = parser(PROGRAM, __doc__, "dev-told,dev-heard,one,two,three,four")
    args = p.parse_args(argv)
    try:
        sets = chosen_sets(args)
    except ValueError as error:
        p.error(str(error))
    if args.held_out is not None:
        return _held_out(sets, args)
    weight, count = fitted(sets)
    meta = origin(f"{PROGRAM} --sets {args.sets}")
    values = {"null": weight.null, "first": weight.first, "weights": weight.second}
    write_json(FILE, {"meta": meta, "examples": count} | values)
    say(f"{count} examples, {len(weight.second)} features: {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
