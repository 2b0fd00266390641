"""Reading of remarks: the span of one that answers a question, or nothing.

    score(span) = w . features(question, remark, span)
    p(span)     = exp(score) / (exp(null) + sum of exp(score) over all spans of all remarks)

The weights are in ``weights.json``, fitted by ``python -m prism.studies.mind.aligning``. A span is
the answer if it is likelier than no answer and than :data:`LEAST`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from prism.mind.perceive import parser
from prism.mind.remarks.align import Aligned
from prism.mind.remarks.asked import asked
from prism.mind.remarks.parse import Parse, parsed
from prism.mind.remarks.replacing import Placed, changes, mine, parallels
from prism.mind.remarks.spans import said, spans

FILE = Path(__file__).with_name("weights.json")
LEAST = 0.4  # probability of an answer
NEWER = 0.02  # odds of a newer remark's span against the old one's, from which it is the answer
FRESH = 0.2  # odds of a span of new words against one of words of an older remark
AS_WELL = 0.1  # share of the question that a newer remark may explain less and yet replace an older


@dataclass(frozen=True)
class Candidate:
    """A span that may be the answer.

    Attributes:
        remark: number of its remark.
        text: its words.
        features: by name.
        first, last: its words' numbers.
    """

    remark: int
    text: str
    features: dict[str, float]
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Filled:
    """An answer from a remark; ``words`` of the question that the remark explains."""

    remark: int
    text: str
    probability: float
    words: str


@lru_cache(maxsize=1)
def weights() -> tuple[dict[str, float], float]:
    """The weights of the features, and the score of no answer."""
    kept = json.loads(FILE.read_text("utf-8"))
    return kept["weights"], kept["null"]


@lru_cache(maxsize=1)
def first_pass() -> dict[str, float]:
    """The weights of the first pass, which knows nothing of what replaces what."""
    return json.loads(FILE.read_text("utf-8"))["first"]


def scores(found: Sequence[Candidate], weight: dict[str, float]) -> np.ndarray:
    """Score of each span."""
    return np.array([sum(weight.get(k, 0.0) * v for k, v in c.features.items()) for c in found])


def question_of(text: str) -> Parse:
    """The parse of a question."""
    bare = parser.without_opener(text).rstrip(" .!")
    return parsed(parser.spelt(bare if bare.endswith("?") else f"{bare}?"))


def candidates(question: str, remarks: Sequence[str]) -> list[Candidate]:
    """All spans of some remarks against a question.

    Args:
        question: its text.
        remarks: their texts, the oldest first.
    """
    read, texts = asked(question_of(question)), [parsed(text) for text in remarks]
    if not read.content and read.focus is None:
        return []
    alone = [Aligned(read, text) for text in texts]
    shares = [_share(one) for one in alone]
    names = [{w.stem for w in text.words if w.content} for text in texts]
    linked = np.array(
        [
            [n != m and _linked(texts, names, n, m) for m in range(len(texts))]
            for n in range(len(texts))
        ]
    )
    found, placed = [], []
    for n, (one, text) in enumerate(zip(alone, texts, strict=True)):
        others = [m for m in range(len(texts)) if linked[n, m]]
        if others:
            one = Aligned(read, text, np.max([alone[m].explained for m in others], axis=0))
        older = set().union(*(names[m] for m in others if m < n))
        newer = set().union(*(names[m] for m in others if m > n))
        replaced = any(shares[m] >= shares[n] - AS_WELL for m in others if m > n)
        replaces = any(shares[n] >= shares[m] - AS_WELL for m in others if m < n)
        for span in spans(text):
            own = {w.stem for w in text.words[span.first : span.last + 1] if w.content}
            features = one.features(span)
            features["replaced"] = float(replaced)
            features["replaces"] = float(replaces)
            features["old words"] = float(bool(own & older))
            features["again"] = float(bool(own & newer))
            found.append(Candidate(n, said(text, span), features, span.first, span.last))
            placed.append(Placed(n, span))
    if linked.any():
        first = scores(found, first_pass())
        own = [one.explained[list(read.content)] for one in alone]
        for one, more in zip(found, parallels(texts, placed, first, linked, own), strict=True):
            one.features.update(more)
    return found


def _linked(texts: Sequence[Parse], names: Sequence[set[str]], n: int, m: int) -> bool:
    """True for two remarks about one thing: they share a word, or the newer says that something of
    the speaker's has changed."""
    if names[n] & names[m]:
        return True
    newer = texts[max(n, m)]
    return changes(newer) and mine(newer) and mine(texts[min(n, m)])


def _share(aligned: Aligned) -> float:
    """Share of the question's content words that a remark explains alone."""
    content = list(aligned.question.content)
    return float((aligned.explained[content] >= 0.6).mean()) if content else 0.0


def fill(question: str, remarks: Sequence[str]) -> Filled | None:
    """The answer that some remarks give to a question, the oldest first; None = none."""
    found = candidates(question, remarks) if remarks else []
    if not found:
        return None
    shares = probabilities(found, *weights())
    best, likeliest = chosen(found, shares), int(shares[:-1].argmax())
    if best is None:
        return None
    sure = max(place(found, shares, best), place(found, shares, likeliest))
    if sure < max(LEAST, float(shares[-1])):
        return None
    return Filled(found[best].remark, found[best].text, sure, question)


def probabilities(found: Sequence[Candidate], weight: dict[str, float], null: float) -> np.ndarray:
    """Probability of each span, and last that of no answer."""
    found_scores = np.array([*scores(found, weight), null])
    odds = np.exp(found_scores - found_scores.max())
    return odds / odds.sum()


def chosen(found: Sequence[Candidate], shares: np.ndarray) -> int | None:
    """The likeliest span, but where a newer remark explains as much of the question, one of the
    newer's; None = it has none, and the old one may hold no more. A span of words that the older
    one has already gives way to a new one that is nearly as likely."""
    best = int(shares[:-1].argmax())
    if found[best].features["replaced"]:
        newer = [i for i, one in enumerate(found) if _after(one, found[best])]
        best = max(newer, key=lambda i: shares[i], default=best)
        if not newer or shares[best] < NEWER * shares[:-1].max():
            return None
    if found[best].features["replaces"] and found[best].features["old words"]:
        other = [
            i
            for i, one in enumerate(found)
            if one.remark == found[best].remark and not one.features["old words"]
        ]
        second = max(other, key=lambda i: shares[i], default=best)
        if shares[second] >= FRESH * shares[best]:
            return second
    return best


def _after(one: Candidate, other: Candidate) -> bool:
    """True for a span of a newer remark that takes the place of older ones."""
    return one.remark > other.remark and bool(one.features["replaces"])


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
