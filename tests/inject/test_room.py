"""An attached model has room for what its tape holds, in tokens; what has none is refused whole."""

from __future__ import annotations

import pytest

from prism.holo import HoloTape
from prism.inject import AnswerAccumulator
from prism.inject.knowledge import Knowledge, KnowledgeView
from tests.inject import tiny


def whole(view: KnowledgeView, subject: str, relation: str) -> str:
    """The answer as it is read, place by place."""
    tokens: list[int] = []
    while (read := view.knowledge.read(subject, relation, len(tokens))) is not None:
        tokens.append(read[0])
    return view.knowledge.tokenizer.decode(tokens)


def view_of(tape: HoloTape) -> KnowledgeView:
    tokenizer = tiny.attached(tiny.llama()).tokenizer
    view = KnowledgeView(tape, Knowledge(tokenizer, AnswerAccumulator(vocab_size=256)))
    view.sync()
    return view


def test_long_answers_come_back_whole() -> None:
    tape = HoloTape.plan(facts=100)
    values = {f"place {i}": f"{i} " + "winding lane behind the mill " * 4 for i in range(40)}
    for name, value in values.items():
        tape.bind(f"address of {name}", value.strip())
    view = view_of(tape)
    assert all(whole(view, n, "address") == f" {v.strip()}." for n, v in values.items())


def test_one_subject_with_many_relations_fills_no_bank() -> None:
    tape = HoloTape.plan(facts=200)
    for i in range(120):
        tape.bind(f"setting{i} of Zendal", f"value {37 * i}")
    view = view_of(tape)
    assert all(whole(view, "Zendal", f"setting{i}") == f" value {37 * i}." for i in range(120))


def test_one_long_value_leaves_the_short_ones_whole() -> None:
    tape = HoloTape.plan(facts=10)
    tape.bind("note of Zendal", "x" * 3_000)
    tape.bind("founding year of Zendal", "1894")
    view = view_of(tape)
    assert whole(view, "Zendal", "founding year") == " 1894."
    assert whole(view, "Zendal", "note") == " " + "x" * 3_000 + "."


def test_an_answer_without_room_is_refused_and_nothing_changes() -> None:
    answers = AnswerAccumulator(dim=1024, vocab_size=256)
    knowledge = Knowledge(tiny.attached(tiny.llama()).tokenizer, answers)
    knowledge.bind("Freedonia", "capital", list(b" Fredville."))
    before = answers.H.clone()
    with pytest.raises(ValueError, match="register is too full"):
        knowledge.bind("Freedonia", "note", list(b"x" * 3_000))
    assert answers.H.equal(before)
    assert ("Freedonia", "note") not in knowledge


def test_three_keys_of_one_address_are_a_conflict_that_is_reported() -> None:
    tape = HoloTape.plan(facts=10)
    for key, value in (("CEO of N", "A"), ("the CEO of N", "B"), ("The CEO of N is", "C")):
        tape.bind(key, value)
    view = view_of(tape)
    told = {s.key: s.why for s in view.skipped}
    assert set(told) == {"the CEO of N", "The CEO of N is"}
    assert all("same as the key 'CEO of N'" in why for why in told.values())
    assert whole(view, "N", "CEO") == " A."


def test_an_article_before_the_subject_makes_no_other_subject() -> None:
    tape = HoloTape.plan(facts=10)
    tape.bind("price of the Velquin", "9")
    tape.bind("price of Velquin", "8")
    assert [s.key for s in view_of(tape).skipped] == ["price of Velquin"]
