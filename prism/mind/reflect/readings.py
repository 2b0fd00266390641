"""Readings of a question beside that of its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from prism.mind.reflect.graph import Graph
from prism.mind.reflect.question import Question
from prism.mind.reflect.relations import Mention, Vocabulary
from prism.mind.reflect.search import Found, Path


class Reading(Protocol):
    """One way to read a question; a class that derives from it finds nothing and has no opinion
    unless it says otherwise.

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
        return found

    def choose(self, question: Question, found: Found) -> Path | None:
        """The path that it votes for; None = it has no opinion."""
        return None

    def forget(self) -> None:
        """Keep nothing of the questions that were read: text was erased. Caches that are registered
        (:func:`prism.mind.records.keeps_text`) are emptied without it."""
