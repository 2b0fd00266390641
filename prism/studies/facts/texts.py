"""Text that asks for nothing: prose without a bound name, and prose full of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from prism.data.tokens import Tokenizer
from prism.inject.probes import manual
from prism.studies.facts.sentences import NEWS
from prism.studies.facts.tables import Fact

PROSE = slice(200_000, None)  # characters of the manual, beyond what calibration reads


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
