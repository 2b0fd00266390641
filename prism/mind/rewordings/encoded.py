"""Rewordings by a sentence encoder e: a log-linear choice between the nearest inputs and none.

    near_j  = 2 cos(e(x), e(input_j)) - mean of the CROWD largest cos(e(input_j), e(input_k))
    score_j = w . (near_j, cos(e(x), e(input_j)), cos(e(x), e(input_j + output_j))) + b
    none    = u . (cosine with plain questions about facts, share of names among the words)
    p(output) = sum over its inputs of exp score_j / (exp none + sum over all inputs of exp score)

A pair that is chosen has to be about the same deed ("buy the router" is not "reset the router"):
where both sides share words of content, and each has others, two of these others a, b have to be
near, alone, and two with the shared words s:

    max cos(e(a), e(b)) + max cos(e(to a the s), e(to b the s)) >= DEED

and about the same thing: no text that names one thing asks for a pair that names another in its
place ("the call with Durant", "the call with Tokyo"), and one that names what the pair does not has
to be likelier, :data:`NAMED`.

``near`` is the measure of Conneau et al. (arXiv 1710.04087): an input in a crowd of like ones is
near to everything that is asked, and has to be nearer. Weights: ``weights.json``, fitted by
``python -m prism.studies.mind.rewording``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prism.mind.reflect.relations import sense_heads
from prism.mind.reflect.words import FIRST_PERSON, FUNCTION, POLITE, stem, tokens

FILE = Path(__file__).with_name("weights.json")
CROWD, ALONE = 10, 0.2  # nearest other inputs; the cosine in place of a farther or missing one
NEAREST = 8  # inputs that are weighed
PLAIN = 10  # nearest plain questions
LEAST, NAMED = 0.2, 0.5  # probability of an answer; where the text names what the pair does not
BEGINS = 4  # letters that two forms of a name share: Ostrea, Ostrean
STARTS = ("", ".", "!", "?")  # signs before the first word of a sentence
DEED = 1.0  # of 2; of 31 synonyms with one noun 30 pass, of 84 other deeds 36
FEATURES = ("near", "cosine", "cosine with its output")
AGAINST = ("plain questions", "names")


@dataclass(frozen=True)
class Weights:
    """Weights of :data:`FEATURES` with what they start from, and of :data:`AGAINST`."""

    pair: Tensor
    start: float
    none: Tensor

    def probabilities(self, pairs: Tensor, against: Tensor) -> Tensor:
        """Of each pair ``[N, 3]``, and last of none of them."""
        scores = pairs @ self.pair + self.start
        return torch.cat([scores, (against @ self.none).view(1)]).softmax(0)


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The weights of the package."""
    found = json.loads(FILE.read_text())
    return Weights(torch.tensor(found["pair"]), found["start"], torch.tensor(found["none"]))


class EncoderSpace:
    """Inputs as unit vectors of a sentence encoder."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self._new: dict[int, tuple[str, str]] = {}
        self._texts: dict[int, str] = {}
        self._inputs = self._whole = torch.zeros(0, 0)
        self._crowd = torch.zeros(0, CROWD)
        self._plain: Tensor | None = None

    def put(self, number: int, text: str, output: str) -> None:
        """The pair ``number``; numbers count up from 0, an earlier one gets another output."""
        self._new[number] = (text, output)
        self._texts[number] = text

    def best(self, text: str, outputs: Sequence[str]) -> tuple[int, float] | None:
        """The pair that a text asks for and its output's probability; None = none of them.

        Args:
            outputs: of all pairs, by number.
        """
        numbers, pairs, against = self.weighed(text)
        found = weights().probabilities(pairs, against)[:-1].tolist()
        by_output: dict[str, float] = {}
        for number, share in zip(numbers, found, strict=True):
            by_output[outputs[number]] = by_output.get(outputs[number], 0.0) + share
        output, probability = max(by_output.items(), key=lambda item: item[1])
        if probability < LEAST:
            return None
        own = [n for n in numbers if outputs[n] == output]
        same = (n for n in own if self._same(text, self._texts[n], output, probability))
        number = next(same, None)
        return None if number is None else (number, probability)

    def _same(self, text: str, taught: str, output: str, probability: float) -> bool:
        """True if a text is about the thing and the deed of a pair."""
        lacks = things(text, f"{taught} {output}")
        if lacks and (things(taught, text) or probability < NAMED):
            return False
        return not self._another_deed(text, taught)

    def _another_deed(self, text: str, taught: str) -> bool:
        """True if the words that two texts do not share are all far from one another."""
        one, other = contents(text), contents(taught)
        shared = " ".join(word for key, word in other.items() if key in one)
        left = [word for key, word in one.items() if key not in other]
        right = [word for key, word in other.items() if key not in one]
        if not (shared and left and right):
            return False
        deeds = [f"to {word} the {shared}" for word in (*left, *right)]
        vectors = self._encoder.batch([*left, *right, *deeds])
        alone, whole = vectors[: len(deeds)], vectors[len(deeds) :]
        near = [float((x[: len(left)] @ x[len(left) :].T).max()) for x in (alone, whole)]
        return sum(near) < DEED

    def weighed(self, text: str) -> tuple[list[int], Tensor, Tensor]:
        """Numbers of the nearest pairs, their features ``[N, 3]``, and those of no pair ``[2]``."""
        self._catch_up()
        vector = self._encoder.one(text)
        cosines = self._inputs @ vector
        near = 2 * cosines - self._crowd.mean(1)
        chosen = near.topk(min(NEAREST, len(near))).indices
        pairs = torch.stack([near[chosen], cosines[chosen], self._whole[chosen] @ vector], 1)
        if self._plain is None:
            self._plain = self._encoder.batch(plain_questions())
        plain = (self._plain @ vector).topk(PLAIN).values.mean()
        return chosen.tolist(), pairs, torch.stack([plain, torch.tensor(names(text))])

    def _catch_up(self) -> None:
        """Encode what is new, and enter it into the crowds of the others."""
        if not self._new:
            return
        have, new = len(self._inputs), self._new
        fresh = [number for number in new if number >= have]
        whole = self._encoder.batch([f"{text} {output}" for text, output in new.values()])
        if fresh:
            added = self._encoder.batch([new[number][0] for number in fresh])
            old = self._inputs if have else added[:0]
            self._inputs = torch.cat([old, added])
            self._whole = torch.cat([self._whole if have else added[:0], added])
            among = added @ self._inputs.T
            among[torch.arange(len(fresh)), torch.tensor(fresh)] = -1.0
            nobody = torch.full((len(fresh), CROWD), ALONE)
            self._crowd = torch.cat([
                torch.cat([self._crowd, old @ added.T], 1).topk(CROWD).values,
                torch.cat([nobody, among], 1).topk(CROWD).values,
            ])  # fmt: skip
        self._whole[torch.tensor(list(new))] = whole
        self._new = {}


def names(text: str) -> float:
    """The share of capital words among those after the first, "I" left out."""
    words = [word for word in tokens(text)[1:] if word.text != "'s"]
    return sum(w.text[0].isupper() and w.lower not in FIRST_PERSON for w in words) / (
        len(words) or 1
    )


def things(text: str, other: str) -> list[str]:
    """The names within the sentences of a text that another one has no form of."""
    known = {word.lower[:BEGINS] for word in tokens(other)}
    found = []
    for word in tokens(text):
        begins = text[: word.start].rstrip(" \n\"'“‘(")[-1:] in STARTS
        if word.text[0].isupper() and not begins and word.lower not in FUNCTION | FIRST_PERSON:
            found.append(word.text)
    return [name for name in found if name.lower()[:BEGINS] not in known]


def contents(text: str) -> dict[str, str]:
    """Words of content by their stems, polite ones left out."""
    words = [word.lower for word in tokens(text)]
    return {stem(w): w for w in words if w not in FUNCTION and w not in POLITE}


def plain_questions() -> list[str]:
    """Questions about facts of any sort, from the relations of the thesaurus."""
    forms = (
        "What is the {} of this?", "Whose {} is that, and where?", "Which country has the {}?",
        "Which city has the {}?", "Which person has the {}?", "Which company has the {}?",
    )  # fmt: skip
    return [form.format(relation) for form in forms for relation in sense_heads()]
