"""Mind: questions to a knowledge base, answered over several facts, and spoken by a model.

    mind = Mind(kb)
    mind.ask("What is the currency of the country whose capital is Fredville?")   # an Answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prism.mind.knowledge import KnowledgeBase
from prism.mind.reflect import Answer, Reflector


class Mind:
    """A knowledge base that is asked in English.

    Args:
        kb: the facts.
        wordings: further phrases for relations, by relation.
    """

    def __init__(
        self, kb: KnowledgeBase, wordings: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.kb = kb
        self.reflector = Reflector(kb, wordings=wordings)

    def ask(self, question: str, context: Sequence[str] = (), at: float | None = None) -> Answer:
        """The answer to a question; nothing is stored.

        Args:
            question: in English.
            context: what the conversation spoke of, the latest first; "it", "she", "there" mean one
                of these where the question itself names nothing.
            at: as the base believed at that time, seconds since 1970; None = now.
        """
        return self.reflector.reflect(question, context, at)
