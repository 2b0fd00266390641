"""Reading by a sentence encoder: phrases that share no word with a relation, and whole paths.

    sim(phrase, r) = max over r's name and its words in the thesaurus of cos(e(phrase), e(word))

A phrase that no path explains becomes a mention of the relations that it is nearest to, if it is
near enough, and nearer than to what the base does not have: the other senses of the thesaurus and
the nouns of the calibration's probes. Between complete paths the reading votes for the one that,
put into plain words, is nearest to the question. all-MiniLM-L6-v2 (arXiv 1908.10084), optional.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prism.inject.probes import PROBES
from prism.inject.second_opinion import SentenceEncoder, shared
from prism.mind.reflect.graph import Graph
from prism.mind.reflect.question import Question
from prism.mind.reflect.relations import Mention, Vocabulary, phrases_of, sense_heads
from prism.mind.reflect.search import Found, Path, search
from prism.mind.reflect.words import KIN

NEAR, CLOSER, SAME = 0.46, 0.0, 0.62  # cosine of a phrase, lead before others, of one meaning
WEIGHT, MOST, CLOSE_CALL = 0.6, 3, 0.35  # of a mention; phrases of a question; scores compared
LEAD = 0.05  # cosine by which a path is nearer to the question than its rivals
REACH = 2  # function words beside a phrase that belong to it


class EncoderReading:
    """See the module.

    Args:
        encoder: texts to unit vectors.
    """

    name = "encoder"

    def __init__(self, encoder: SentenceEncoder | None = None) -> None:
        self._encoder = shared() if encoder is None else encoder
        self._phrases: dict[str, Tensor] = {}
        self._others: tuple[frozenset[str], Tensor] = (frozenset(), torch.zeros(0, 0))
        self._shapes: dict[str, Tensor] = {}

    def extend(
        self,
        question: Question,
        mentions: Sequence[Mention],
        found: Found,
        graph: Graph,
        vocabulary: Vocabulary,
    ) -> Found:
        """As :meth:`prism.mind.reflect.readings.Reading.extend`: only where no path is complete."""
        if found.paths or not vocabulary.relations:
            return found
        more: list[Mention] = []
        for places in _phrases(question, found)[:MOST]:
            said = {m.relation for m in mentions if m.places & set(places)}
            more += [
                m for m in self._mentions(question, places, vocabulary) if m.relation not in said
            ]
        if not more:
            return found
        return search(question, [*mentions, *more], graph)

    def choose(self, question: Question, found: Found) -> Path | None:
        """The path whose plain wording is nearest to the question, of those that score nearly as
        well as the best; without a rival, or without a lead, there is nothing to choose."""
        if not found.paths:
            return None
        high = found.scores[found.paths[0]]
        rivals: dict[tuple, Path] = {}
        for path in found.paths:
            if high - found.scores[path] <= CLOSE_CALL:
                rivals.setdefault((path.start.node, path.shape), path)
        paths = list(rivals.values())[:8]
        if len(paths) < 2:
            return None
        asked = self._encoder.one(_masked(question))
        told = torch.stack([self._shape(path) for path in paths])
        near = told @ asked
        first, second = near.topk(2).values.tolist()
        return paths[int(near.argmax())] if first - second >= LEAD else None

    def nearness(
        self, question: Question, vocabulary: Vocabulary
    ) -> tuple[dict[str, float], float]:
        """Largest cosine of the question, its names left out, with the words of each relation, and
        with those of what the base does not have."""
        asked = self._encoder.one(_masked(question))
        own = {r: float(self._own(r, vocabulary).mv(asked).max()) for r in vocabulary.relations}
        others = self._other(vocabulary)
        return own, float((others @ asked).max()) if len(others) else 0.0

    def closeness(self, text: str, relation: str, vocabulary: Vocabulary) -> float:
        """Largest cosine of a text with the words of a relation."""
        return float(self._own(relation, vocabulary).mv(self._encoder.one(text)).max())

    def likeness(self, question: Question, path: Path) -> float:
        """Cosine of the question, its names left out, with a path in plain words."""
        return float(self._encoder.one(_masked(question)) @ self._shape(path))

    def forget(self) -> None:
        """Keep nothing of the questions that were read."""
        self._encoder.one.cache_clear()

    def _shape(self, path: Path) -> Tensor:
        text = wording(path)
        if text not in self._shapes:
            self._shapes[text] = self._encoder.one(text)
        return self._shapes[text]

    def _mentions(
        self, question: Question, places: list[int], vocabulary: Vocabulary
    ) -> list[Mention]:
        """Mentions that the words at ``places`` may be."""
        if any(question.turning(p) or question.words[p].lower in KIN for p in places):
            return []  # a wife is no sister, however near the two are
        vector = self._encoder.one(_phrase(question, places))
        relations = sorted(vocabulary.relations)
        told = torch.stack([self._own(r, vocabulary).mv(vector).max() for r in relations])
        against = self._other(vocabulary)
        others = float((against @ vector).max()) if len(against) else 0.0
        best = told.argsort(descending=True)[:MOST].tolist()
        return [
            Mention(relations[i], frozenset(places), WEIGHT * float(told[i]), guess=True)
            for i in best
            if told[i] >= NEAR and told[i] >= others + CLOSER
        ]

    def _own(self, relation: str, vocabulary: Vocabulary) -> Tensor:
        if relation not in self._phrases:
            new = [r for r in vocabulary.relations if r not in self._phrases]
            texts = {r: phrases_of(r, vocabulary.wordings.get(r, ())) for r in new}
            vectors = self._encoder.batch([t for some in texts.values() for t in some])
            at = 0
            for r, some in texts.items():
                self._phrases[r] = vectors[at : at + len(some)]
                at += len(some)
        return self._phrases[relation]

    def _other(self, vocabulary: Vocabulary) -> Tensor:
        """Vectors of what the base has no relation for."""
        known = frozenset(vocabulary.relations)
        if self._others[0] != known:
            own = torch.cat([self._own(r, vocabulary) for r in sorted(known)])
            nouns = sorted({*sense_heads(), *(noun for probe in PROBES for noun in probe.nouns)})
            vectors = self._encoder(nouns)
            apart = (vectors @ own.T).max(dim=1).values < SAME
            self._others = known, vectors[apart]
        return self._others[1]


def wording(path: Path) -> str:
    """A path in plain words: "the currency of the thing whose capital is X"."""
    text = "X"
    for edge in path.edges:
        relation = edge.relation.replace("_", " ")
        text = f"the one whose {relation} is {text}" if edge.back else f"the {relation} of {text}"
    return f"What is {text}?"


def _masked(question: Question) -> str:
    text, at = "", 0
    for name in question.names:
        start, end = question.words[name.first].start, question.words[name.last].end
        if start >= at:
            text, at = text + question.text[at:start] + "X", end
    return text + question.text[at:]


def _phrases(question: Question, found: Found) -> list[list[int]]:
    """Runs of words that the best unfinished paths leave unexplained, each once, the words of a run
    held together by function words."""
    few = found.near[:12] or [(None, frozenset(question.required()))]
    least = len(few[0][1])
    runs: list[list[int]] = []
    for path, missing in few:
        if len(missing) > least + 1:
            continue
        taken = path.used if path is not None else frozenset()
        for run in _runs(sorted(missing), question, taken):
            if run not in runs:
                runs.append(run)
    whole = _runs(sorted(question.required()), question, frozenset())
    return [*runs, *(run for run in whole if run not in runs)]


def _runs(places: list[int], question: Question, taken: frozenset[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for place in places:
        if runs and place - runs[-1][-1] <= REACH + 1:
            between = range(runs[-1][-1] + 1, place)
            if not any(question.named(i) or i in taken for i in between):
                runs[-1].append(place)
                continue
        runs.append([place])
    return runs


def _phrase(question: Question, places: list[int]) -> str:
    """The text of a run with the function words beside it."""
    required = question.required()
    first, last = places[0], places[-1]
    for _ in range(REACH):
        if first and not question.named(first - 1) and first - 1 not in required:
            first -= 1
        if last + 1 < len(question.words) and not question.named(last + 1) | (last + 1 in required):
            last += 1
    return question.text[question.words[first].start : question.words[last].end].lower()
