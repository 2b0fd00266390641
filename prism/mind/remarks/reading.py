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
from prism.mind.remarks.spans import said, spans

FILE = Path(__file__).with_name("weights.json")
LEAST = 0.4  # probability of an answer
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
    found = []
    for n, (one, text) in enumerate(zip(alone, texts, strict=True)):
        linked = [m for m in range(len(texts)) if m != n and names[m] & names[n]]
        if linked:
            one = Aligned(read, text, np.max([alone[m].explained for m in linked], axis=0))
        older = set().union(*(names[m] for m in linked if m < n))
        newer = set().union(*(names[m] for m in linked if m > n))
        replaced = any(shares[m] >= shares[n] - AS_WELL for m in linked if m > n)
        replaces = any(shares[n] >= shares[m] - AS_WELL for m in linked if m < n)
        for span in spans(text):
            own = {w.stem for w in text.words[span.first : span.last + 1] if w.content}
            features = one.features(span)
            features["replaced"] = float(replaced)
            features["replaces"] = float(replaces)
            features["old words"] = float(bool(own & older))
            features["again"] = float(bool(own & newer))
            found.append(Candidate(n, said(text, span), features, span.first, span.last))
    return found


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
    best = int(shares[:-1].argmax())
    sure = place(found, shares, best)
    if sure < max(LEAST, float(shares[-1])):
        return None
    return Filled(found[best].remark, found[best].text, sure, question)


def probabilities(found: Sequence[Candidate], weight: dict[str, float], null: float) -> np.ndarray:
    """Probability of each span, and last that of no answer."""
    scores = [sum(weight.get(k, 0.0) * v for k, v in c.features.items()) for c in found]
    odds = np.exp(np.array([*scores, null]) - max([null, *scores]))
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
