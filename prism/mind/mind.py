"""Mind: questions to a knowledge base, answered over several facts, and spoken by a model.

mind = Mind(kb)
mind.ask("What is the currency of the country whose capital is Fredville?")   # an Answer
mind = Mind(kb, model="smollm2")
mind.reply("Who is the mayor of Fredville?")                                  # and its words
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from prism.mind.knowledge import KnowledgeBase
from prism.mind.reflect import Answer, Memory, Reflector
from prism.mind.reflect.trace import asked_back, whether
from prism.mind.remarks.remembering import Remembering
from prism.mind.respond import Speaker, Spoken
from prism.pretrained.smollm2 import load_smollm2


@dataclass(frozen=True)
class Reply:
    """An answer and the words in which it was given."""

    answer: Answer
    text: str


class Mind:
    """A knowledge base that is asked in English.

    Args:
        kb: the facts.
        model: who speaks: ``"smollm2"``, a pair of a causal model and its tokenizer (of a PRISM
            run: :func:`prism.loading.load_with_tokenizer`), or None: answers are given as they are.
        wordings: further phrases for relations, by relation.
        memory: what the objects of facts are read from; None = the tenant's tape.

    Raises:
        ValueError: another name of a model.
        ImportError: a package of the model is missing; says how to install it.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        model: str | tuple[Any, Any] | None = None,
        wordings: Mapping[str, Sequence[str]] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.kb = kb
        with ThreadPoolExecutor(1) as beside:  # weights are unpacked while the parser loads
            speaker = beside.submit(_speaker, model)
            self.reflector = Reflector(kb, memory, wordings)
            self.remarks = Remembering(kb, self.reflector.memory)
        self.speaker = speaker.result()

    def ask(self, question: str, context: Sequence[str] = (), at: float | None = None) -> Answer:
        """The answer to a question; nothing is stored.

        Args:
            question: in English.
            context: what the conversation spoke of, the latest first; "it", "she", "there" mean one
                of these where the question itself names nothing.
            at: as the base believed at that time, seconds since 1970; None = now.
        """
        several = self.reflector.namesakes(question, at)
        if several is None:
            facts = self.reflector.reflect(question, context, at)
            several = None if facts.text is not None else self.reflector.alike(question, at)
        if several is None:
            return self._of_facts(question, facts, context, at)
        answers = [self._of_one(each, context, at) for each in several.questions]
        return asked_back(several.said, several.names, answers)

    def _of_one(self, question: str, context: Sequence[str], at: float | None) -> Answer:
        facts = self.reflector.reflect(question, context, at)
        return self._of_facts(question, facts, context, at)

    def _of_facts(
        self, question: str, facts: Answer, context: Sequence[str], at: float | None
    ) -> Answer:
        """The answer, given that from facts: kept sentences beside them, then yes where asked."""
        return whether(question, self.remarks.answer(question, facts, context, at))

    def say(self, question: str, answer: Answer) -> Iterator[Spoken]:
        """An answer in words: the model's, or without one the answer, or why there is none."""
        if self.speaker is not None and answer.outcome != "ambiguous":
            yield from self.speaker.say(question, answer.text)
        else:
            yield Spoken(answer.text or answer.note, answer.text is not None)

    def forget(self) -> None:
        """Keep no word of the questions that were read; to be called when text was erased."""
        self.reflector.forget()

    def reply(self, question: str, context: Sequence[str] = (), at: float | None = None) -> Reply:
        """:meth:`ask` and :meth:`say` in one."""
        answer = self.ask(question, context, at)
        return Reply(answer, "".join(piece.text for piece in self.say(question, answer)).strip())


def _speaker(model: str | tuple[Any, Any] | None) -> Speaker | None:
    if model is None:
        return None
    if isinstance(model, str):
        if model != "smollm2":
            raise ValueError(
                f"model {model!r}: must be 'smollm2', a pair (model, tokenizer) or None"
            )
        return Speaker(*load_smollm2())
    return Speaker(*model)
