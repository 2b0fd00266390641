"""Alignment of a question with a span of a remark: features of how well the span fills the gap.

    explained   the question's content words stand in the remark, outside the span: as they are, as
                another word of one sense (thesaurus), or near in the encoder's context
    gap         the span is of the sort that is asked for, hangs on the same predicate, has the same
                function and preposition as the question word
    rest        what the span shares with the question speaks against it; distance in the tree to
                the words explained

Several remarks that share a name explain a question together.
"""

from __future__ import annotations

import functools

import numpy as np

from prism.mind.reflect.thesaurus import RIVALS, SENSES
from prism.mind.reflect.words import FIRST_PERSON, content_stems, word_set
from prism.mind.remarks.asked import Asked
from prism.mind.remarks.parse import Parse
from prism.mind.remarks.sorts import TIME_WORDS, measure, traits, unit
from prism.mind.remarks.spans import Span

NEAR = 0.45  # cosine of two words in context below which they have nothing to do with each other
SENSE = 0.75  # likeness of two words of one sense
OBJECTS = frozenset({"dobj", "pobj", "attr", "oprd", "acomp", "dative"})
SUBJECTS = frozenset({"nsubj", "nsubjpass", "agent"})
ENDED = word_set(
    "quit leave retire resign sell lose cancel stop divorce fire remove ditch abandon swap step "
    "give break split trade dump"
)
AWAY = frozenset({"from", "off", "than", "instead"})


@functools.lru_cache(maxsize=1)
def _senses() -> dict[str, frozenset[int]]:
    """Lines of the thesaurus by the stem of a word that is an entry of its own."""
    found: dict[str, set[int]] = {}
    for number, line in enumerate(SENSES.strip().splitlines()):
        for entry in line.split(","):
            stems = content_stems(entry.strip().lstrip("~"))
            if len(stems) == 1:
                found.setdefault(stems[0], set()).add(number)
    return {stem: frozenset(lines) for stem, lines in found.items()}


def likeness(question: Parse, remark: Parse) -> np.ndarray:
    """Likeness of each word of the question to each of the remark, in [0, 1]: 1 for one stem,
    :data:`SENSE` for one sense, else what their vectors say."""
    senses = _senses()
    grid = np.zeros((len(question.words), len(remark.words)))
    if question.vectors is not None and remark.vectors is not None:
        cosine = (question.vectors @ remark.vectors.T).numpy()
        grid = np.clip((cosine - NEAR) / (1 - NEAR), 0, 1) * 0.7
    for i, one in enumerate(question.words):
        for j, other in enumerate(remark.words):
            if one.stem == other.stem or one.lemma == other.lemma:
                grid[i, j] = 1.0
            elif frozenset({one.lemma, other.lemma}) in RIVALS:
                grid[i, j] = 0.0
            elif one.stem[:4] == other.stem[:4] and min(len(one.stem), len(other.stem)) > 3:
                grid[i, j] = max(grid[i, j], 0.8)
            elif senses.get(one.stem, frozenset()) & senses.get(other.stem, frozenset()):
                grid[i, j] = max(grid[i, j], SENSE)
    return grid


class Aligned:
    """A question against one remark.

    Args:
        question: read.
        remark: parsed.
        elsewhere: how far other remarks that share a name with this one explain each word of the
            question; None = there are none.
    """

    def __init__(self, question: Asked, remark: Parse, elsewhere: np.ndarray | None = None) -> None:
        self.question, self.remark = question, remark
        self.grid = likeness(question.parse, remark)
        content = [j for j, w in enumerate(remark.words) if w.content]
        self.content = content
        self.explained = self.grid[:, content].max(axis=1) if content else self.grid.max(axis=1) * 0
        self.speaker = any(w.lower in FIRST_PERSON for w in remark.words)
        self.measured = measure(question)
        self.verbs = {i: self._verb(i) for i in range(len(remark.words))}
        self.elsewhere = np.zeros(len(self.explained)) if elsewhere is None else elsewhere

        self._whole = self._sentence()

    def features(self, span: Span) -> dict[str, float]:
        """The features of a span, by name."""
        asked, words = self.question, self.remark.words
        inside = range(span.first, span.last + 1)
        found = self._explained(inside)
        head = words[span.head]
        found |= self._sort(span)
        found |= self._place(span) | self._clause(span) | self._whole
        found |= self._cues(span) | self._borders(span)
        found[f"kind {span.kind}"] = 1.0
        found[f"sort {asked.sort}"] = 1.0
        found["length"] = min(len(inside), 10) / 5
        found["pronoun"] = float(head.tag in ("PRP", "PRP$"))
        found["verb head"] = float(head.verb)
        if asked.focus is not None:
            near = self.grid[asked.focus]
            found["focus in span"] = float(near[list(inside)].max())
            around = [i for i in (*self.remark.above(span.head)[:2], span.first - 1) if i >= 0]
            found["focus beside"] = float(near[around].max()) if around else 0.0
            found["focus in remark"] = float(np.delete(near, list(inside)).max(initial=0.0))
            found["focus nowhere"] = float(near.max() < 0.5)
            own = [i for i in inside if words[i].content]
            found["only focus"] = float(bool(own) and bool((near[own] >= 0.75).all()))
        if asked.wh is not None and asked.parse.vectors is not None:
            vector = self.remark.vectors[list(inside)].mean(0)
            gap = asked.parse.vectors[list(asked.gap)].mean(0)
            found["gap cosine"] = float(gap @ vector)
        return found

    def _explained(self, inside: range) -> dict[str, float]:
        """Shares of the question's content words that stand outside the span, and inside."""
        asked = self.question
        if not asked.content:
            return {"nothing asked": 1.0}
        own = [j for j in self.content if j not in inside]
        out = self.grid[np.ix_(asked.content, own)].max(axis=1) if own else np.zeros(1)
        joint = np.maximum(out, self.elsewhere[list(asked.content)])
        names = [i for i in asked.content if asked.parse.words[i].tag[:3] == "NNP"]
        missing = sum(max(self.grid[i].max(), self.elsewhere[i]) < 0.75 for i in names)
        taken = [j for j in self.content if j in inside]
        into = self.grid[np.ix_(asked.content, taken)] if taken else np.zeros((1, 1))
        exact = float((into.max(axis=0) >= 1).mean()) if taken else 0.0
        return {
            "explained": float(out.mean()),
            "explained jointly": float(joint.mean()),
            "exactly": float((joint >= 0.75).mean()),
            "unexplained": float((joint < 0.35).sum()) / 3,
            "shared": exact,
            "like": float(into.max()) if taken else 0.0,
            "no content": float(not taken),
            "name missing": float(missing > 0),
            "speaker missing": float(asked.speaker and not self.speaker),
        }

    def _sort(self, span: Span) -> dict[str, float]:
        """Features of the sort of thing that is asked for against that of the span."""
        words = self.remark.words
        inside = words[span.first : span.last + 1]
        found = traits(self.question, inside, words[span.head], span.prep)
        if self.measured:
            after = words[span.last + 1] if span.last + 1 < len(words) else None
            found[f"measure {self.measured}: {unit(inside, after)}"] = 1.0
        return found

    def _place(self, span: Span) -> dict[str, float]:
        """Features of where the span stands: function, predicate, distance to what is explained."""
        asked, words = self.question, self.remark.words
        head = words[span.head]
        role, own = asked.role, _role(head.dep)
        if own == "pobj" and words[head.head].dep == "agent":
            own = "subject"  # "set up by Noreen"
        found = {
            f"role {_role(role)}-{own}": 1.0,
            f"{asked.sort}: as {own}": 1.0,
            "same preposition": float(bool(asked.prep) and asked.prep == span.prep),
            "other preposition": float(bool(asked.prep) and asked.prep != span.prep),
        }
        verb = next((i for i in self.remark.above(span.head) if words[i].verb), None)
        if asked.verb is not None and verb is not None:
            found["same predicate"] = float(self.grid[asked.verb, verb])
        matched = [
            (j, weight)
            for i in asked.content
            for j in self.content
            if (weight := self.grid[i, j]) >= 0.6 and not span.first <= j <= span.last
        ]
        if matched:
            near = [self.remark.distance(span.head, j) for j, _ in matched]
            found["nearest"] = 1 / min(near) if min(near) else 1.0
            found["mean distance"] = min(float(np.mean(near)), 8) / 4
            along = [min(abs(j - span.first), abs(j - span.last)) for j, _ in matched]
            found["words between"] = min(min(along), 8) / 4
            found["far words"] = min(float(np.mean(along)), 12) / 6
        found["after"] = float(bool(matched) and span.first > max(j for j, _ in matched))
        return found

    def _verb(self, at: int) -> int | None:
        """The verb of a word's clause; the word itself if it is one."""
        words = self.remark.words
        return next((i for i in (at, *self.remark.above(at)) if words[i].verb), None)

    def _clause(self, span: Span) -> dict[str, float]:
        """Features of the clause that a span stands in: whether the question is about its subject,
        and how much of what is explained stands in it."""
        asked, words = self.question, self.remark.words
        verb = self.verbs[span.head]
        matched = [
            j
            for j in self.content
            if not span.first <= j <= span.last
            and asked.content
            and self.grid[list(asked.content), j].max() >= 0.6
        ]
        found = {}
        if matched:
            found["in clause"] = sum(self.verbs[j] == verb for j in matched) / len(matched)
        if verb is None:
            return found
        subjects = [i for i in self.remark.children(verb) if words[i].dep in SUBJECTS]
        for subject in subjects:
            under = [i for i in self.remark.subtree(subject) if words[i].content]
            if span.first <= subject <= span.last or not under or not asked.content:
                continue
            like = float(self.grid[np.ix_(asked.content, under)].max())
            found["subject asked"] = like
            found["other subject"] = float(like < 0.5)
            named = words[subject].tag[:3] == "NNP"
            found["other named subject"] = float(like < 0.5 and named)
        return found

    def _sentence(self) -> dict[str, float]:
        """Features of the remark as a whole, the same for all spans: what of the question it does
        not explain at all, and whether the two are about one thing."""
        asked = self.question
        found = {}
        if asked.content:
            best = np.maximum(self.explained, self.elsewhere)
            heads = [i for i in asked.content if asked.parse.words[i].verb]
            nouns = [i for i in asked.content if asked.parse.words[i].tag in ("NN", "NNS")]
            if heads:
                found["verb unexplained"] = float(best[heads].min() < 0.5)
                found["verb explained"] = float(best[heads].mean())
            if nouns:
                found["noun unexplained"] = float(best[nouns].min() < 0.5)
                found["nouns explained"] = float(best[nouns].mean())
            found["words unexplained"] = float((best[list(asked.content)] < 0.5).sum()) / 3
        if asked.parse.vectors is not None and self.remark.vectors is not None:
            one, other = asked.parse.vectors.mean(0), self.remark.vectors.mean(0)
            found["sentences"] = float(one @ other / (one.norm() * other.norm()))
        return found

    def _borders(self, span: Span) -> dict[str, float]:
        """Signs that a span ends within a name or a phrase: "Gulf" of "Gulf of Ells"."""
        words = self.remark.words
        before = words[span.first - 1] if span.first else None
        after = words[span.last + 1] if span.last + 1 < len(words) else None
        return {
            "name before": float(before is not None and before.tag[:3] == "NNP"),
            "name after": float(after is not None and after.tag[:3] == "NNP"),
            "noun before": float(before is not None and before.tag in ("NN", "NNS")),
            "noun after": float(after is not None and after.tag in ("NN", "NNS")),
            "number after": float(after is not None and after.tag == "CD"),
            "of after": float(after is not None and after.lower == "of"),
            "preposition after": float(after is not None and after.tag == "IN"),
            "end": float(after is None or after.tag in (".", ",", ":")),
            "ends in time": float(words[span.last].lower in TIME_WORDS),
        }

    def _cues(self, span: Span) -> dict[str, float]:
        """Signs that what stands in the span holds no more, or not."""
        words = self.remark.words
        before = {words[i].lower for i in range(max(0, span.first - 3), span.first)}
        verbs = [i for i in self.remark.above(span.head) if words[i].verb][:1]
        return {
            "not": float(bool(before & {"not", "n't", "no", "never"})),
            "away": float(span.prep in AWAY),
            "ended": float(any(words[i].lemma in ENDED for i in verbs)),
        }


def _role(dep: str) -> str:
    """A dependency by its class."""
    if dep in SUBJECTS:
        return "subject"
    if dep in ("dobj", "dative"):
        return "object"
    return (
        dep
        if dep in ("pobj", "attr", "advmod", "det", "poss", "acomp", "appos", "conj")
        else "other"
    )
