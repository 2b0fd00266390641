"""One-shot learning: pairs of an input and its output, taught once, without a gradient.

    key      an input's identity; an exact input is found by it, with certainty
    match    the input that a text words anew, by a sentence encoder or by words, or none
             (:mod:`prism.mind.rewordings`)

An input that matches is answered with the output as it was taught; with a model, the output is put
into the model's reply by a working register (:mod:`prism.mind.respond`). Nothing is put into the
prompt, and whatever does not match leaves the model's logits as they are, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prism.holo import HoloTape
from prism.inject import second_opinion
from prism.mind.records import identity
from prism.mind.respond import Speaker, Spoken
from prism.mind.rewordings.encoded import EncoderSpace
from prism.mind.rewordings.worded import WordSpace

ROOM = 1024  # pairs that a new tape has room for; it grows


@dataclass(frozen=True)
class Match:
    """A pair that answers a text.

    Attributes:
        input, output: as they were taught.
        score: 1 for the exact input, else its output's probability, or the cosine of its words.
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
        self._pairs: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, input: str, output: str) -> None:
        """Teach a pair, in place of an earlier one with the same input.

        Raises:
            ValueError: an empty input or output.
        """
        key = identity(input, "input")
        if not isinstance(output, str) or not output.strip():
            raise ValueError(f"output {output!r}: must be text that is not empty")
        self.tape.bind_many([key], [output], on_conflict="replace")
        number = self._numbers.setdefault(key, len(self._numbers))
        self._space.put(number, input, output)
        self._pairs[key] = (input, output)

    def match(self, text: str) -> Match | None:
        """The pair that a text asks for; None = none."""
        if not self._pairs or not text.strip():
            return None
        if (key := identity(text, "text")) in self._pairs:
            return Match(self._pairs[key][0], self._output(key), 1.0, True)
        found = self._space.best(text, [output for _, output in self._pairs.values()])
        if found is None:
            return None
        number, score = found
        key = list(self._pairs)[number]
        return Match(self._pairs[key][0], self._output(key), score, False)

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
