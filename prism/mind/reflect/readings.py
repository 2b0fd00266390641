"""Readings of a question beside that of its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from prism.inject import second_opinion
from prism.mind.perceive import parser
from prism.mind.reflect.graph import Graph
from prism.mind.reflect.question import Question
from prism.mind.reflect.relations import Mention, Vocabulary
from prism.mind.reflect.search import Found, Path


class Reading(Protocol):
    """One way to read a question.

    Attributes:
        name: of its vote.
    """

    name: str

    def extend(
        self,
        question: Question,
        mentions: Sequence[Mention],
        found: Found,
        graph: Graph,
        vocabulary: Vocabulary,
    ) -> Found:
        """The paths found, with those that only this reading finds."""

    def choose(self, question: Question, found: Found) -> Path | None:
        """The path that it votes for; None = it has no opinion."""

    def forget(self) -> None:
        """Keep nothing of the questions that were read: text was erased."""


def default_readings() -> list[Reading]:
    """Those whose packages are installed, in the order in which they may add paths."""
    found: list[Reading] = []
    if second_opinion.available():
        from prism.mind.reflect.encoder import EncoderReading  # the weights are read here

        found.append(EncoderReading())
    if parser.available():
        from prism.mind.reflect.phrases import PhraseReading

        found.append(PhraseReading())
    if len(found) == 2:
        from prism.mind.reflect.leftover import LeftoverReading

        found.append(LeftoverReading(found[0]))
    return found
