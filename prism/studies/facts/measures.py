"""Measures of one bound tape: every number with the protocol that gave it.

Strict means: greedy decoding from the prompt, every token of the answer and the full stop after it
right, no length given. Unchanged means that no fact injected a token there, so that the logits are
the bare model's bit for bit.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from prism.data.tokens import Tokenizer
from prism.holo.keys.typos import LONG, one_typo
from prism.inject.attached import AttachedLM
from prism.studies.facts.replay import ActivationCache, answer
from prism.studies.facts.sentences import NEAR_MISSES, NEWS, RELATIONS, UNLISTED, sentence
from prism.studies.facts.tables import Fact

FORGOTTEN = 5  # every so many facts are forgotten
SYLLABLES = ("ba", "do", "fe", "gu", "ka", "lo", "mi", "nu", "po", "ra", "si", "tu", "ve", "zo")


@dataclass(frozen=True)
class FactsRow:
    """One figure: the ``value`` of a metric over ``count`` cases under a protocol."""

    metric: str
    value: float
    count: int
    protocol: str
    control: str = "tape"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """A prompt, and the fact it asks for or None if it asks for none that is bound."""

    prompt: str
    fact: Fact | None


class FactsEvalSet:
    """The prompts of one set of bound facts.

    Args:
        bound: every fact that is bound.
        rest: true rows of the same tables that are not.
        size: how many facts are asked about.
        seed: of the choice of facts, distracting names, typos.
    """

    def __init__(self, bound: Sequence[Fact], rest: Sequence[Fact], size: int, seed: int) -> None:
        self.seed, self.draw = seed, random.Random(seed)
        self.bound = list(bound)
        self.sample = self.draw.sample(self.bound, min(size, len(self.bound)))
        self.rest = self.draw.sample(list(rest), min(size, len(rest)))

    def written(self) -> list[Case]:
        """Each fact in its first written wording."""
        return [Case(f.prompts[0], f) for f in self.sample]

    def rewritten(self) -> list[Case]:
        """Each fact in the other written wordings."""
        return [Case(prompt, f) for f in self.sample for prompt in f.prompts[1:]]

    def unseen(self, form: str) -> list[Case]:
        """Each fact in the unseen wordings of a form."""
        return self._asked(self.sample, form, known=True)

    def unseen_facts(self, form: str | None) -> list[Case]:
        """Facts of the tables that nobody bound; None = the first written wording."""
        if form is None:
            return [Case(f.prompts[0], None) for f in self.rest]
        return self._asked(self.rest, form, known=False)

    def unlisted(self) -> list[Case]:
        """Questions about bound subjects for relations that do not exist on the tape."""
        kinds = [(f.subject, f.kind) for f in self.sample]
        return [Case(sentence(t, s), None) for s, k in dict(kinds).items() for t in UNLISTED[k]]

    def other_relations(self) -> list[Case]:
        """Bound subjects, asked for relations of the tape that nobody bound for them."""
        have = {(f.subject, f.relation) for f in self.bound}
        return [
            Case(sentence(relation.written[0], f.subject), None)
            for f in self.sample
            for name, relation in RELATIONS.items()
            if relation.kind == f.kind and (f.subject, name) not in have
        ]

    def near_misses(self) -> list[Case]:
        """Questions that contain a bound relation's words and ask for something else."""
        return [
            Case(sentence(t, f.subject), None)
            for f in self.sample
            for t in NEAR_MISSES.get(f.relation, ())
        ]

    def misspelt(self) -> list[Case]:
        """The first written wording with one wrong key press in a long word of the subject."""
        long = [f for f in self.sample if max(map(len, f.subject.split())) >= LONG]
        typed = [replace(f, subject=one_typo(f.subject, self.draw)) for f in long]
        return [Case(t.prompts[0], f) for t, f in zip(typed, long, strict=True)]

    def aliases(self) -> dict[str, Fact]:
        """An invented second name for the subject of each fact."""
        facts = {f.subject: f for f in self.sample}
        made = ("".join(self.draw.choice(SYLLABLES) for _ in range(3)).capitalize() for _ in facts)
        return dict(zip(made, facts.values(), strict=False))

    def news(self, tokenizer: Tokenizer, tokens: int) -> list[int]:
        """So many tokens of text about bound subjects that asks for nothing, two to a sentence."""
        draw = random.Random(self.seed)
        by_kind: dict[str, list[str]] = {}
        for fact in self.bound:
            by_kind.setdefault(fact.kind, []).append(fact.subject)
        kinds = sorted(kind for kind, names in by_kind.items() if len(set(names)) > 1)
        text: list[int] = []
        while len(text) < tokens:
            template = draw.choice(NEWS)
            a, b = draw.sample(sorted(set(by_kind[draw.choice(kinds)])), 2)
            text += tokenizer.encode(template.format(a=a, b=b))
        return text[:tokens]

    def _asked(self, facts: Sequence[Fact], form: str, known: bool) -> list[Case]:
        return [
            Case(sentence(t, f.subject, self._another(f)), f if known else None)
            for f in facts
            for name, t in RELATIONS[f.relation].unseen()
            if name == form
        ]

    def _another(self, fact: Fact) -> str:
        """A bound subject of the same kind, to distract with."""
        kind = fact.kind
        pool = [f.subject for f in self.bound if f.kind == kind]
        return self.draw.choice([s for s in pool if s != fact.subject] or [fact.subject])


def share_correct(lm: AttachedLM, readings: ActivationCache, cases: Sequence[Case]) -> float:
    """Share of the cases whose answer and its full stop come out, strictly. Where no fact fires,
    the bare model answers; it generates only if its first token is right."""
    said = [answer(lm, read) for read in readings.of([c.prompt for c in cases])]
    silent = [c.prompt for c, tokens in zip(cases, said, strict=True) if not tokens]
    alone = dict(zip(silent, readings.likeliest(silent), strict=True))
    right = []
    for case, tokens in zip(cases, said, strict=True):
        text = f" {case.fact.object}."
        wanted = lm.tokenizer.encode(text)
        if tokens or alone[case.prompt] != wanted[0]:
            right.append(tokens == wanted)
        else:
            right.append(lm.generate(case.prompt, max_new_tokens=len(wanted)) == text)
    return mean(right)


def share_unchanged(lm: AttachedLM, readings: ActivationCache, cases: Sequence[Case]) -> float:
    """Share of the prompts after which no fact fires."""
    return mean([not answer(lm, read) for read in readings.of([c.prompt for c in cases])])


def mean(values: Sequence[float]) -> float:
    """The mean; NaN of nothing."""
    return sum(values) / len(values) if values else float("nan")
