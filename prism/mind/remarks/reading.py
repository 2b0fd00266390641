"""Reading of remarks: the span of one that answers a question, or nothing.

    score(span) = w . features(question, remark, span; older and newer remarks)
    p(span)     = exp(score) / (exp(null) + sum of exp(score) over all spans of all remarks)

The weights are in ``weights.json``, fitted by ``python -m prism.studies.mind.aligning``. A span is
the answer if it is likelier than no answer and than :data:`LEAST`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from prism.mind.perceive import parser
from prism.mind.reflect.words import word_set
from prism.mind.remarks.align import Aligned
from prism.mind.remarks.asked import asked
from prism.mind.remarks.foreign import foreign, of_another_sort, of_its_sort, over, unspoken
from prism.mind.remarks.parse import Parse, parsed
from prism.mind.remarks.replacing import LIKE, Placed, changes, mine, parallels
from prism.mind.remarks.spans import said, spans

FILE = Path(__file__).with_name("weights.json")
LEAST = 0.4  # probability of an answer
NEWER = 0.2  # odds of a newer remark's span against the old one's, from which it is the answer
NAMED = 0.5  # probability of the old value's being named, from which it has been replaced
PRONOUNS = word_set("he she it they his her its their this that")


@dataclass(frozen=True)
class Candidate:
    """A span that may be the answer.

    Attributes:
        remark: number of its remark.
        text: its words.
        features: by name.
        first, last: its words' numbers.
        barred: never the answer, whatever its score: its remark is about another thing, or it is of
            another sort than what is asked for (:mod:`prism.mind.remarks.foreign`).
    """

    remark: int
    text: str
    features: dict[str, float]
    first: int = 0
    last: int = 0
    barred: bool = False

    @property
    def replaced(self) -> bool:
        """True for a value that a newer remark names while it says that something has changed."""
        return self.features.get("old value named after change", 0.0) >= NAMED


@dataclass(frozen=True)
class Filled:
    """An answer from a remark; ``words`` of the question that the remark explains."""

    remark: int
    text: str
    probability: float
    words: str


@dataclass(frozen=True)
class Weights:
    """Weights of the features, ``first`` of the pass that compares no remarks, and the score of no
    answer."""

    first: Mapping[str, float]
    second: Mapping[str, float]
    null: float


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The weights of the package."""
    kept = json.loads(FILE.read_text("utf-8"))
    return Weights(kept["first"], kept["weights"], kept["null"])


def question_of(text: str) -> Parse:
    """The parse of a question."""
    bare = parser.without_opener(text).rstrip(" .!")
    return parsed(parser.spelt(bare if bare.endswith("?") else f"{bare}?"))


def candidates(
    question: str,
    remarks: Sequence[str],
    turns: Sequence[float] | None = None,
    first: Mapping[str, float] | None = None,
) -> list[Candidate]:
    """All spans of some remarks against a question.

    Args:
        question: its text.
        remarks: their texts, the oldest first.
        turns: of each remark, which turn it was said in; None = each in one of its own.
        first: weights of the pass that compares no remarks; None = the package's, empty = compare
            none.
    """
    read, texts = asked(question_of(question)), [parsed(text) for text in remarks]
    if not read.content and read.focus is None:
        return []
    turn = np.array(range(len(texts)) if turns is None else turns)
    alone = [Aligned(read, text) for text in texts]
    linked = _linked(texts, turn)
    found, placed = [], []
    for n, text in enumerate(texts):
        others = [alone[m].explained for m in range(len(texts)) if linked[n, m]]
        one = Aligned(read, text, np.max(others, axis=0)) if others else alone[n]
        behind, other = _behind(alone, n), foreign(alone, n, linked, turn)
        silent, gone = unspoken(alone, n, linked), over(text)
        for span in spans(text):
            features = one.features(span) | behind
            barred = other or bool(gone & {*range(span.first, span.last + 1)})
            barred = barred or of_another_sort(read, text, span)
            barred = barred or (silent and not of_its_sort(read, text, span))
            found.append(Candidate(n, said(text, span), features, span.first, span.last, barred))
            placed.append(Placed(n, span))
    first = weights().first if first is None else first
    if first and linked.any():
        own = [one.explained[list(read.content)] for one in alone]
        pass_one = scores(found, first)
        more = parallels(texts, placed, pass_one, linked & (turn[:, None] != turn), own, turn)
        for one, features in zip(found, more, strict=True):
            one.features.update(features)
    return found


def _behind(alone: Sequence[Aligned], n: int) -> dict[str, float]:
    """Features of a remark that explains less of the question than another does: of two lands'
    capitals the one is meant whose land is named."""
    asked = alone[n].question
    names = [i for i in asked.content if asked.parse.words[i].tag[:3] == "NNP"]
    own = alone[n].explained >= LIKE
    found = {"explains less": 0.0, "lacks a name that another has": 0.0}
    for m, other in enumerate(alone):
        theirs = other.explained >= LIKE
        if m != n and bool((theirs >= own).all()):
            less = float((theirs & ~own)[list(asked.content)].sum()) if asked.content else 0.0
            found["explains less"] = max(found["explains less"], min(less, 2.0) / 2)
            lacks = any(theirs[i] and not own[i] for i in names)
            found["lacks a name that another has"] = max(
                found["lacks a name that another has"], float(lacks)
            )
    return found


def _linked(texts: Sequence[Parse], turn: np.ndarray) -> np.ndarray:
    """``[remarks, remarks]``, true for two about one thing: they share a word or a turn, the newer
    begins with a pronoun of the older, or it says that something of the speaker's has changed."""
    names = [{w.stem for w in text.words if w.content} for text in texts]
    found = np.zeros((len(texts), len(texts)), dtype=bool)
    for n, text in enumerate(texts):
        for m in range(n):
            shared = bool(names[n] & names[m]) or turn[n] == turn[m]
            later = m == n - 1 and text.words[0].lower in PRONOUNS
            found[n, m] = shared or later or (changes(text) and mine(text) and mine(texts[m]))
    return found | found.T


def fill(
    question: str, remarks: Sequence[str], turns: Sequence[float] | None = None
) -> Filled | None:
    """The answer that some remarks give to a question, the oldest first; None = none."""
    found = candidates(question, remarks, turns) if remarks else []
    chosen = decide(found, weights())
    if chosen is None:
        return None
    best, sure = chosen
    return Filled(found[best].remark, found[best].text, sure, question)


def decide(found: Sequence[Candidate], weight: Weights) -> tuple[int, float] | None:
    """Number of the span that is the answer, and its probability; None = no answer.

    The probabilities of spans that overlap are added: "cupboard" and "cupboard beneath the stairs"
    are two ways to say one place. A value that a newer remark names as changed is no answer.
    """
    if not found:
        return None
    shares = probabilities(found, weight)
    valid = [i for i, one in enumerate(found) if not (one.replaced or one.barred)]
    if not valid:
        return None
    best = _newest(found, shares, max(valid, key=lambda i: shares[i]))
    if best is None:
        return None
    sure = place(found, shares, best)
    if sure < max(LEAST, float(shares[-1])):
        return None
    return best, sure


def _newest(found: Sequence[Candidate], shares: np.ndarray, best: int) -> int | None:
    """A span, or in its place the best of a newer remark that says of all the question asks about
    that it has changed; None = the newer has none, and the old one may hold no more."""
    if not found[best].features.get("old nothing lost after change"):
        return best
    newer = [
        i
        for i, one in enumerate(found)
        if one.remark > found[best].remark
        and one.features.get("new nothing lost after change")
        and not one.barred
    ]
    other = max(newer, key=lambda i: shares[i], default=best)
    if shares[other] >= NEWER * shares[best]:
        return other
    return None


def scores(found: Sequence[Candidate], weight: Mapping[str, float]) -> np.ndarray:
    """Score of each span."""
    return np.array([sum(weight.get(k, 0.0) * v for k, v in c.features.items()) for c in found])


def probabilities(found: Sequence[Candidate], weight: Weights) -> np.ndarray:
    """Probability of each span, and last that of no answer."""
    all_scores = np.array([*scores(found, weight.second), weight.null])
    odds = np.exp(all_scores - all_scores.max())
    return odds / odds.sum()


def place(found: Sequence[Candidate], shares: np.ndarray, best: int) -> float:
    """Probability that the answer stands where the best span stands, however far it reaches."""
    one = found[best]
    return float(
        sum(
            share
            for share, other in zip(shares[:-1], found, strict=True)
            if other.remark == one.remark and other.first <= one.last and one.first <= other.last
        )
    )
