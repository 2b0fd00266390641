"""Weights of the reading of leftover words: fitted to questions about worlds, with and without an
answer.

    loss = - weighted mean over questions of log p(paths to the right answer, or none) + L2 |w|^2

Each set's questions, and its questions without an answer, are asked of a world; and again of worlds
in which less is known: of part of the relations, drawn, nothing. There a question has its answer
only if all that leads to it is left.

    python -m prism.studies.mind.leaving --sets dev-asked,one,two,three
    python -m prism.studies.mind.leaving --held-out FILE      sets read unfitted
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from prism.command import command, say
from prism.mind import KnowledgeBase
from prism.mind.reflect import DictMemory, Reflector
from prism.mind.reflect.encoder import EncoderReading
from prism.mind.reflect.graph import Graph, dict_of
from prism.mind.reflect.leftover import FILE, Candidate, Weights, candidates, choice
from prism.mind.reflect.question import Question
from prism.mind.reflect.readings import Reading
from prism.mind.reflect.relations import Mention, Vocabulary
from prism.mind.reflect.search import Found
from prism.record import describe, write_json
from prism.studies.mind.fitting import chosen_sets, origin, parser
from prism.studies.mind.sets import Asked, SentenceSet, asked, right, unanswerable
from prism.studies.mind.world import World, made

PROGRAM = "python -m prism.studies.mind.leaving"
FACTS, SEEDS = 1_000, (100, 101)  # of the worlds; the protocol asks others
L2 = 2e-3
LEFT = (0.3, 0.5, 0.7, 0.9)  # share of the relations in the smaller worlds
SHARE = {"answered": 1.0, "no answer": 2.0, "left": 0.5, "removed": 0.5}  # weight of a question


@dataclass(frozen=True)
class Example:
    """A question that words alone do not answer.

    Attributes:
        kind: "answered", "no answer"; in a smaller world "left" with its answer, or "removed".
        some: its candidates.
        good: which of them end at the right answer.
    """

    kind: str
    some: list[Candidate]
    good: list[bool]


class _Recorder(Reading):
    """A reading that keeps the candidates of the last question, and adds none."""

    name = "recorder"

    def __init__(self, encoder: EncoderReading) -> None:
        self._encoder = encoder
        self.some: list[Candidate] | None = None

    def extend(
        self,
        question: Question,
        mentions: Sequence[Mention],
        found: Found,
        graph: Graph,
        vocabulary: Vocabulary,
    ) -> Found:
        """As of a reading: the paths found."""
        if all(any(m and m.guess for m in path.mentions) for path in found.paths):
            self.some = candidates(question, found, graph, vocabulary, self._encoder)
        return found

    def forget(self) -> None:
        """Keep nothing."""
        self.some = None


def examples(chosen: SentenceSet, encoder: EncoderReading) -> list[Example]:
    """The questions of a set that words alone do not answer."""
    found = []
    for seed in SEEDS:
        world = made(FACTS, seed)
        answered = asked(world, chosen, seed)
        rows = [("answered", q) for q in answered]
        rows += [("no answer", q) for q in unanswerable(world, chosen, seed)]
        found += _asked(world, rows, encoder)
        for part in LEFT:
            small = _smaller(world, part, random.Random(f"{chosen.name} {seed} {part}"))
            known = {relation for _, relation in small.facts}
            left = [{step.removesuffix("_of") for step in q.path} <= known for q in answered]
            kinds = ["left" if has else "removed" for has in left]
            found += _asked(small, zip(kinds, answered, strict=True), encoder)
    return found


def _smaller(world: World, part: float, draw: random.Random) -> World:
    """A world in which only a part of the relations is known."""
    relations = sorted({relation for _, relation in world.facts})
    kept = set(draw.sample(relations, round(part * len(relations))))
    facts = {key: thing for key, thing in world.facts.items() if key[1] in kept}
    back = {key: thing for key, thing in world.back.items() if key[1] in kept}
    return World(world.things, facts, back)


def _asked(
    world: World, rows: Iterable[tuple[str, Asked]], encoder: EncoderReading
) -> list[Example]:
    found = []
    with tempfile.TemporaryDirectory() as folder, KnowledgeBase(Path(folder) / "kb.db") as kb:
        world.write(kb)
        recorder = _Recorder(encoder)
        memory: DictMemory = dict_of(kb.ledger, kb.tenant, None)
        reflector = Reflector(kb, memory, readings=[encoder, recorder])
        for kind, question in rows:
            recorder.forget()
            reflector.reflect(question.text)
            if recorder.some is not None:
                wanted = question.answer if kind in ("answered", "left") else None
                ends = [one.path.edges[-1].shown for one in recorder.some]
                good = [wanted is not None and right(end, wanted) for end in ends]
                found.append(Example(kind, recorder.some, good))
    return found


def fit(rows: Sequence[Example]) -> Weights:
    """The weights that explain the examples best."""
    rows = [r for r in rows if r.some and (any(r.good) or r.kind not in ("answered", "left"))]
    names = sorted({name for r in rows for one in r.some for name in one.features})
    widest = max(len(r.some) for r in rows)
    table = torch.zeros(len(rows), widest, len(names))
    missing = torch.ones(len(rows), widest, dtype=torch.bool)
    wanted = torch.zeros(len(rows), widest + 1, dtype=torch.bool)
    for at, row in enumerate(rows):
        for n, one in enumerate(row.some):
            table[at, n] = torch.tensor([float(one.features.get(name, 0.0)) for name in names])
        missing[at, : len(row.some)] = False
        wanted[at, : len(row.good)] = torch.tensor(row.good)
        wanted[at, widest] = not any(row.good)
    scale = table[~missing].std(0) + 1e-6
    weight = torch.zeros(len(names), requires_grad=True)
    start = torch.zeros((), requires_grad=True)
    share = torch.tensor([SHARE[row.kind] for row in rows])
    optimizer = torch.optim.LBFGS([weight, start], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        scores = ((table / scale) @ weight + start).masked_fill(missing, -1e9)
        logs = torch.cat([scores, torch.zeros(len(rows), 1)], 1).log_softmax(1)
        right_ones = logs.masked_fill(~wanted, -1e9).logsumexp(1)
        loss = -(right_ones * share).sum() / share.sum() + L2 * (weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = zip(names, (weight.detach() / scale).tolist(), strict=True)
    return Weights({name: round(w, 4) for name, w in found}, round(start.item(), 4))


def shares(rows: Sequence[Example], weight: Weights) -> dict[str, dict[str, float]]:
    """Shares of questions that get the right answer and a wrong one, by kind."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        count = counts.setdefault(row.kind, [0, 0, 0])
        chosen = choice(row.some, weight)
        if chosen is not None:
            count[0 if row.good[row.some.index(chosen)] else 1] += 1
        count[2] += 1
    return {
        kind: {"right": round(good / of, 4), "wrong": round(bad / of, 4), "asked": of}
        for kind, (good, bad, of) in counts.items()
    }


@command
def main(argv: list[str] | None = None) -> int:
    """Fit the weights and write them into the package; the exit code."""
    p = parser(PROGRAM, __doc__, "dev-asked,one,two,three")
    args = p.parse_args(argv)
    try:
        sets = chosen_sets(args)
        encoder = EncoderReading()
        rows = {one.name: examples(one, encoder) for one in sets}
    except (ValueError, ImportError) as error:
        p.error(str(error))
    typed = f"{PROGRAM} --sets {args.sets}"
    if args.held_out is not None:
        found = {}
        for name, own in rows.items():
            weight = fit([r for other, some in rows.items() if other != name for r in some])
            found[name] = shares(own, weight)
            say(f"{name}: {found[name]}")
        write_json(args.held_out, {"meta": describe(typed, ""), "held out": found})
        return 0
    weight = fit([row for some in rows.values() for row in some])
    values = {"features": weight.features, "start": weight.start}
    write_json(FILE, {"meta": origin(typed)} | values)
    say(f"{len(weight.features)} weights: {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
