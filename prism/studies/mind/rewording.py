"""Weights of the choice between taught inputs and none: fitted to pairs and their rewordings.

    loss = - weighted mean over texts of log p(right pair, or none) + L2 |w|^2

Each set's pairs are taught among made-up ones, in stores of several sizes. Asked are their
rewordings; and, with no right pair, questions about a world, and rewordings of pairs of other sets.

    python -m prism.studies.mind.rewording --sets dev,one,two
    python -m prism.studies.mind.rewording --held-out FILE      sets read unfitted
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.command import command, say
from prism.inject import second_opinion
from prism.mind.rewordings.encoded import AGAINST, FEATURES, FILE, LEAST, EncoderSpace, Weights
from prism.record import describe, write_json
from prism.studies.mind.fitting import chosen_sets, origin, parser
from prism.studies.mind.sets import SentenceSet
from prism.studies.mind.taught import SIZES, made_up, unrelated

PROGRAM = "python -m prism.studies.mind.rewording"
L2 = 1e-5
DRAWS = {10: 3, 100: 1, 1_000: 1}  # stores of a size
OTHERS, WORLD = 30, 200  # texts without a right pair, of another set and about a world
SHARE = {"reworded": 1.0, "unrelated": 1.0, "others": 0.3}  # weight of a text of a kind


@dataclass(frozen=True)
class Example:
    """A text with the pairs that are nearest to it.

    Attributes:
        pairs, against: features as of :meth:`EncoderSpace.weighed`.
        right: place of the right pair, their number = none of them, None = it is not among them.
    """

    kind: str
    pairs: Tensor
    against: Tensor
    right: int | None


def examples(chosen: SentenceSet, others: Sequence[SentenceSet]) -> dict[int, list[Example]]:
    """The examples of a set by size of the store."""
    world = unrelated(chosen, 0)[:: max(1, 1_000 // WORLD)] if chosen.parts.get("questions") else []
    found: dict[int, list[Example]] = {size: [] for size in SIZES}
    for size in SIZES:
        for number in range(DRAWS[size]):
            draw = random.Random(f"{chosen.name} {size} {number}")
            rows = chosen.part("one_shot")
            own = draw.sample(rows, min(len(rows), size))
            space = EncoderSpace(second_opinion.shared())
            pairs = [(row["input"], row["output"]) for row in own]
            for at, pair in enumerate(pairs + made_up(size - len(own), draw)):
                space.put(at, *pair)
            untaught = [row["reworded"] for row in rows if row not in own][:OTHERS]
            for other in others:
                untaught += [row["reworded"] for row in other.part("one_shot")[:OTHERS]]
            found[size] += [
                _example(space, "reworded", row["reworded"], at) for at, row in enumerate(own)
            ]
            found[size] += [_example(space, "unrelated", text, None) for text in world]
            found[size] += [_example(space, "others", text, None) for text in untaught]
    return found


def _example(space: EncoderSpace, kind: str, text: str, wanted: int | None) -> Example:
    numbers, pairs, against = space.weighed(text)
    if wanted is None:
        return Example(kind, pairs, against, len(numbers))
    return Example(kind, pairs, against, numbers.index(wanted) if wanted in numbers else None)


def fit(rows: Sequence[Example]) -> Weights:
    """The weights that explain the examples best."""
    rows = [row for row in rows if row.right is not None]
    pair = torch.zeros(len(FEATURES), requires_grad=True)
    start = torch.zeros((), requires_grad=True)
    none = torch.zeros(len(AGAINST), requires_grad=True)
    widest = max(len(row.pairs) for row in rows)
    table = torch.zeros(len(rows), widest, len(FEATURES))
    missing = torch.ones(len(rows), widest, dtype=torch.bool)
    for at, row in enumerate(rows):
        table[at, : len(row.pairs)] = row.pairs
        missing[at, : len(row.pairs)] = False
    against = torch.stack([row.against for row in rows])
    right = torch.tensor([widest if r.right == len(r.pairs) else r.right for r in rows])
    share = torch.tensor([SHARE[row.kind] for row in rows])
    optimizer = torch.optim.LBFGS([pair, start, none], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        scores = (table @ pair + start).masked_fill(missing, -torch.inf)
        logs = torch.cat([scores, (against @ none)[:, None]], 1).log_softmax(1)
        loss = -(logs.gather(1, right[:, None])[:, 0] * share).sum() / share.sum()
        loss = loss + L2 * ((pair**2).sum() + (none**2).sum())
        loss.backward()
        return loss

    optimizer.step(closure)
    return Weights(pair.detach(), start.item(), none.detach())


def shares(rows: Sequence[Example], weight: Weights) -> dict[str, dict[str, float]]:
    """Shares of texts that get the right pair and a wrong one, by kind."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        count = counts.setdefault(row.kind, [0, 0, 0])
        found = weight.probabilities(row.pairs, row.against)[:-1]
        best = int(found.argmax())
        if found[best] >= LEAST:
            count[0 if best == row.right else 1] += 1
        count[2] += 1
    return {
        kind: {"right": round(good / asked, 4), "wrong": round(bad / asked, 4), "asked": asked}
        for kind, (good, bad, asked) in counts.items()
    }


@command
def main(argv: list[str] | None = None) -> int:
    """Fit the weights and write them into the package; the exit code."""
    p = parser(PROGRAM, __doc__, "dev,one,two")
    args = p.parse_args(argv)
    try:
        sets = chosen_sets(args)
        rows = {
            one.name: examples(one, [other for other in sets if other is not one]) for one in sets
        }
    except (ValueError, ImportError) as error:
        p.error(str(error))
    typed = f"{PROGRAM} --sets {args.sets}"
    if args.held_out is not None:
        found = {}
        for name, by_size in rows.items():
            weight = fit([r for o, sizes in rows.items() if o != name for r in _all(sizes)])
            found[name] = {str(size): shares(some, weight) for size, some in by_size.items()}
            say(f"{name}: {found[name]}")
        write_json(args.held_out, {"meta": describe(typed, ""), "held out": found})
        return 0
    weight = fit([row for sizes in rows.values() for row in _all(sizes)])
    values = {
        name: [round(v, 4) for v in getattr(weight, name).tolist()] for name in ("pair", "none")
    }
    write_json(FILE, {"meta": origin(typed), "start": round(weight.start, 4)} | values)
    say(f"{values}: {FILE}")
    return 0


def _all(sizes: dict[int, list[Example]]) -> list[Example]:
    return [row for some in sizes.values() for row in some]


if __name__ == "__main__":
    sys.exit(main())
