"""Readings of a question beside that of its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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

    def choose(self, question: Question, paths: Sequence[Path]) -> Path | None:
        """The path that it votes for."""


def default_readings() -> list[Reading]:
    """Those whose packages are installed."""
    return []
