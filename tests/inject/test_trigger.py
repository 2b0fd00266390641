"""The state of a detector: what counts as told, and which refusals last."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from prism.inject.asked import verdict
from prism.inject.clause import clause_of
from prism.inject.names import Names
from prism.inject.trigger import FactTrigger, Injection

ANSWER = (5, 6, 7)  # "the velk."


def trigger() -> FactTrigger:
    def read(subject: str, relation: str, place: int) -> tuple[int, float] | None:
        return (ANSWER[place], 9.0) if place < len(ANSWER) else None

    tokenizer = SimpleNamespace(piece=lambda token: b" a")
    made = FactTrigger(SimpleNamespace(names=Names(), tokenizer=tokenizer, read=read))
    made._last = Injection(0, ANSWER[0], 9.0, "Arvo", "fare", 0, 0.0, "Arvo", "name", None)
    return made


@pytest.mark.parametrize(
    ("follows", "told"),
    [
        ((5, 6, 7), True),  # whole
        ((5, 6, 9), True),  # whole but for the full stop
        ((5, 9), False),  # only its first word, which was another word's
        ((9,), False),
    ],
)
def test_a_fact_is_told_when_its_answer_was_followed_to_the_end(
    follows: tuple[int, ...], told: bool
) -> None:
    made = trigger()
    for at, token in enumerate(follows, start=1):
        made._last = made._go_on(at, token)
    assert (("Arvo", "fare") in made._told) == told


@pytest.mark.parametrize(
    ("text", "lasts"),
    [
        ("The former fare of Arvo is", True),
        ("The toll of Arvo is", True),
        ("The car that met Arvo has a fare of", False),
        ("Critics who loved Arvo gave most of", False),
    ],
)
def test_a_relative_clause_alone_refuses_no_rest_of_a_sentence(text: str, lasts: bool) -> None:
    at = text.index("Arvo")
    said = verdict(clause_of(text, at, at + 4), ("fare",))
    assert (said.kind, said.lasts) == ("other", lasts)
