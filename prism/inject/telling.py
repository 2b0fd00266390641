"""The facts of a tape, told to a language model.

A key says a relation and a subject ("capital of Freedonia") or is a sentence that stops where its
value follows ("The capital of Freedonia is"). Each key is asked of the tape, so what the model is
told is what the register holds, and what the tape answers with "unknown" is not told.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prism.holo.capacity.theory import facts_at
from prism.inject.addresses import AddressRegister

if TYPE_CHECKING:
    from prism.holo.tape import HoloTape

PHRASE = re.compile(r"(?:[Tt]he )?(.+?) of (.+)")
OPEN_END = re.compile(r".*\b(?:is|was|are|were|be|called|in|by|the|of|to|on|at|from)")
TOKENS_PER_FACT = 6  # of an answer with its ending, generously
FALSE_READ, ACCURACY = 1e-5, 0.999  # of a single token of an answer


class Listening(Protocol):
    """What is told: ``bind(subject, relation, object)`` or ``bind(prompt, object)``."""

    def bind(self, *what: str, source: str | None = None) -> None: ...


class LeftOut(NamedTuple):
    """A fact that cannot be told, and why."""

    key: str
    why: str


def tell(tape: HoloTape, lm: Listening) -> tuple[int, list[LeftOut]]:
    """Bind every fact of ``tape`` to ``lm``.

    Returns:
        The number of facts told, and those that were not.

    Raises:
        ValueError: the tape has no ledger, so no list of keys.
    """
    facts, told, left = list(tape.facts()), 0, []
    answers = tape.recall_many([f.key for f in facts if isinstance(f.key, str)], resolve=False)
    found = {answer.key_used: answer for answer in answers}
    for fact in facts:
        answer = found.get(fact.key)
        if answer is None:
            left.append(LeftOut(f"#{fact.key:016x}", "its text is not kept on the tape"))
        elif answer.value is None:
            left.append(LeftOut(fact.key, "the register is too full to say it"))
        elif not isinstance(answer.value, str | int):
            left.append(LeftOut(fact.key, f"value {answer.value!r} is not text"))
        else:
            try:
                lm.bind(*parts(fact.key), str(answer.value), source=fact.source)
                told += 1
            except ValueError as error:
                left.append(LeftOut(fact.key, str(error)))
    return told, left


def parts(key: str) -> tuple[str, ...]:
    """``(subject, relation)`` of a phrase, or ``(sentence,)``."""
    phrase = PHRASE.fullmatch(key)
    if phrase is None or OPEN_END.fullmatch(key):
        return (key,)
    return phrase.group(2), phrase.group(1)


def register_for(facts: int, vocab_size: int, dim: int = 32_768) -> AddressRegister:
    """An empty register with room for the answers of so many facts."""
    held = facts_at(ACCURACY, dim, vocab_size, alpha=FALSE_READ)
    banks = math.ceil(facts * TOKENS_PER_FACT / max(1, held))
    return AddressRegister(dim, vocab_size, max(1, banks))
