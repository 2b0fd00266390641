"""Text that asks for nothing: prose without a bound name, and prose full of them."""

from __future__ import annotations

import pydoc_data.topics
import random
from collections.abc import Sequence

from prism.inject.reading import Tokenizer
from prism.studies.facts.sentences import NEWS
from prism.studies.facts.tables import Fact

CALIBRATION, PROSE = slice(100_000, 130_000), slice(200_000, None)  # characters of the manual


def manual() -> str:
    """The prose of Python's language reference, which is part of every Python."""
    topics = pydoc_data.topics.topics
    return "\n\n".join(topics[name] for name in sorted(topics))


def calibration_text() -> str:
    """The part of the manual that thresholds are found on."""
    return manual()[CALIBRATION]


def prose(tokenizer: Tokenizer, tokens: int) -> list[int]:
    """So many tokens of another part of the manual."""
    return tokenizer.encode(manual()[PROSE][: 6 * tokens])[:tokens]


def news(tokenizer: Tokenizer, facts: Sequence[Fact], tokens: int, seed: int) -> list[int]:
    """So many tokens about the subjects of ``facts``, two to a sentence."""
    draw = random.Random(seed)
    by_kind: dict[str, list[str]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append(fact.subject)
    kinds = sorted(kind for kind, names in by_kind.items() if len(set(names)) > 1)
    text: list[int] = []
    while len(text) < tokens:
        template = draw.choice(NEWS)
        a, b = draw.sample(sorted(set(by_kind[draw.choice(kinds)])), 2)
        text += tokenizer.encode(template.format(a=a, b=b))
    return text[:tokens]
