"""One-shot learning: pairs of an input and its output, taught once, without a gradient.

    key      an input's identity; an exact input is found by it, with certainty
    vector   e(input) of the sentence encoder, or its words weighted by how rare they are (idf)
    match    cos(e(x), e(input)) >= level, ahead of every input with another output by a margin, and
             of plain questions about facts ("Which city has the mayor?"), which no pair is about

An input that matches is answered with the output as it was taught; with a model, the output is put
into the model's reply by a working register (:mod:`prism.mind.respond`). Nothing is put into the
prompt, and whatever does not match leaves the model's logits as they are, bit for bit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prism.holo import HoloTape
from prism.inject import second_opinion
from prism.mind.records import identity
from prism.mind.reflect.relations import sense_heads
from prism.mind.reflect.words import FUNCTION, stem, tokens
from prism.mind.respond import Speaker, Spoken

LEVEL, MARGIN = 0.35, 0.04  # of the encoder's cosine
WORDS_LEVEL, WORDS_MARGIN = 0.4, 0.05  # of the words' cosine
ROOM = 1024  # pairs that a new tape has room for; it grows


@dataclass(frozen=True)
class Match:
    """A pair that answers a text.

    Attributes:
        input, output: as they were taught.
        score: 1 for the exact input, else the cosine.
        exact: the text is the input.
    """

    input: str
    output: str
    score: float
    exact: bool


class OneShot:
    """Pairs taught once.

    Args:
        model: who speaks: a pair of a causal model and its tokenizer, or None: outputs are given
            as they are.
        encoder: texts to unit vectors; None = MiniLM where it is installed, ``False`` = words only.
    """

    def __init__(self, model: tuple[Any, Any] | None = None, encoder: Any = None) -> None:
        self.tape = HoloTape.plan(ROOM)
        self.speaker = None if model is None else Speaker(*model)
        if encoder is None and second_opinion.available():
            encoder = second_opinion.shared()
        self._space = WordSpace() if not encoder else EncoderSpace(encoder)
        self._inputs: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._inputs)

    def add(self, input: str, output: str) -> None:
        """Teach a pair, in place of an earlier one with the same input.

        Raises:
            ValueError: an empty input or output.
        """
        key = identity(input, "input")
        if not isinstance(output, str) or not output.strip():
            raise ValueError(f"output {output!r}: must be text that is not empty")
        self.tape.bind_many([key], [output], on_conflict="replace")
        if key not in self._inputs:
            self._space.add(input)
        self._inputs[key] = input

    def match(self, text: str) -> Match | None:
        """The pair that a text asks for; None = none."""
        if not self._inputs or not text.strip():
            return None
        if (key := identity(text, "text")) in self._inputs:
            return Match(self._inputs[key], self._output(key), 1.0, True)
        scores = self._space.scores(text)
        keys = list(self._inputs)
        best = int(scores.argmax())
        output = self._output(keys[best])
        ahead = scores.topk(min(len(keys), 8)).indices.tolist()
        rival = next((float(scores[i]) for i in ahead if self._output(keys[i]) != output), 0.0)
        score = float(scores[best])
        if score < self._space.level or score - rival < self._space.margin:
            return None
        if score < self._space.floor(text):
            return None
        return Match(self._inputs[keys[best]], output, score, False)

    def say(self, text: str) -> Iterator[Spoken]:
        """The reply to a text: the model's, with the output where a pair matches."""
        found = self.match(text)
        output = None if found is None else found.output
        if self.speaker is not None:
            yield from self.speaker.say(text, output)
        elif output is not None:
            yield Spoken(output, True)

    def _output(self, key: str) -> str:
        return str(self.tape.recall(key).value)


class EncoderSpace:
    """Inputs as unit vectors of a sentence encoder."""

    level, margin = LEVEL, MARGIN

    def __init__(self, encoder: Any) -> None:
        self._encoder, self._vectors = encoder, []
        self._stacked: Tensor | None = None
        self._plain: Tensor | None = None

    def add(self, text: str) -> None:
        """One more input."""
        self._vectors.append(self._encoder.one(text))
        self._stacked = None

    def scores(self, text: str) -> Tensor:
        """Cosines ``[N]`` of a text with the inputs."""
        if self._stacked is None:
            self._stacked = torch.stack(self._vectors)
        return self._stacked @ self._encoder.one(text)

    def floor(self, text: str) -> float:
        """Cosine of a text with the nearest plain question about facts."""
        if self._plain is None:
            self._plain = self._encoder.batch(plain_questions())
        return float((self._plain @ self._encoder.one(text)).max())


def plain_questions() -> list[str]:
    """Questions about facts of any sort, from the relations of the thesaurus."""
    forms = (
        "What is the {} of this?", "Whose {} is that, and where?", "Which country has the {}?",
        "Which city has the {}?", "Which person has the {}?", "Which company has the {}?",
    )  # fmt: skip
    return [form.format(relation) for form in forms for relation in sense_heads()]


class WordSpace:
    """Inputs as bags of stems, each weighted by its idf among the inputs."""

    level, margin = WORDS_LEVEL, WORDS_MARGIN

    def __init__(self) -> None:
        self._bags: list[frozenset[str]] = []
        self._counts: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """One more input."""
        bag = _bag(text)
        self._bags.append(bag)
        self._counts.update(bag)

    def scores(self, text: str) -> Tensor:
        """Cosines ``[N]`` of a text with the inputs."""
        bag = _bag(text)
        return torch.tensor([self._cosine(bag, other) for other in self._bags])

    def floor(self, text: str) -> float:
        """As :meth:`EncoderSpace.floor`; words that no pair shares bring nothing near."""
        return 0.0

    def _cosine(self, one: frozenset[str], other: frozenset[str]) -> float:
        shared = self._weight(one & other)
        return shared / math.sqrt(self._weight(one) * self._weight(other) or 1.0)

    def _weight(self, stems: frozenset[str]) -> float:
        return sum(math.log(1 + (1 + len(self._bags)) / (1 + self._counts[s])) ** 2 for s in stems)


def _bag(text: str) -> frozenset[str]:
    words = [t.lower for t in tokens(text)]
    return frozenset(stem(w) for w in words if w not in FUNCTION) or frozenset(words)
