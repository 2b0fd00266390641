"""A knowledge base from Python: what a statement does, what comes back, whose it is."""

from __future__ import annotations

import time

import pytest

from prism.mind import KnowledgeBase, Source
from prism.mind.ledger import Statement

USER, FILE = Source("user", "anna", text="It is Fredville."), Source("file", "a.csv", 3)


@pytest.fixture
def kb(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db", tenant="acme") as base:
        yield base


def objects(facts) -> list[str]:
    return [fact.object for fact in facts]


def test_a_statement_is_added_once_and_known_afterwards(kb):
    added = kb.add("Freedonia", "capital", "Fredville", source="crm:42")
    assert (added.outcome, added.fact.object, str(added.fact.source)) == (
        "added",
        "Fredville",
        "crm:42",
    )
    again = kb.add("the  FREEDONIA", "Capital", "fredville")
    assert (again.outcome, again.operation, again.fact) == ("known", None, added.fact)
    assert len(kb) == 1 and objects(kb.get("freedonia", "capital")) == ["Fredville"]


def test_another_object_supersedes_and_the_old_one_is_in_the_history(kb):
    old = kb.add("Freedonia", "capital", "Fredville").fact
    before = time.time()
    new = kb.add("Freedonia", "capital", "Newtown")
    assert (new.outcome, new.before.id, new.before.superseded_by) == (
        "superseded",
        old.id,
        new.fact.id,
    )
    assert objects(kb.get("Freedonia", "capital")) == ["Newtown"]
    assert objects(kb.history("Freedonia", "capital")) == ["Fredville", "Newtown"]
    assert objects(kb.get("Freedonia", "capital", at=before)) == ["Fredville"]
    assert kb.get("Freedonia", "capital", at=old.recorded_at - 1) == []


def test_many_objects_stand_side_by_side(kb):
    for name in ("Rufus", "Chico", "Rufus"):
        kb.add("Freedonia", "minister", name, many=True)
    assert objects(kb.get("Freedonia", "minister")) == ["Rufus", "Chico"]
    kb.retract(kb.get("Freedonia", "minister")[0].id)
    kb.add("Freedonia", "minister", "Harpo")  # the relation is known to take several
    assert sorted(objects(kb.get("Freedonia", "minister"))) == ["Chico", "Harpo"]


def test_a_file_does_not_override_a_user_but_waits(kb):
    kb.add("Freedonia", "capital", "Fredville", source=USER)
    late = kb.add("Freedonia", "capital", "Mallory", source=FILE)
    assert (late.outcome, late.fact.object) == ("pending", "Fredville")
    kb.add("Freedonia", "capital", "Mallory", source=FILE)  # said twice, waits once
    [(number, said)] = kb.pending()
    assert (said.object, str(said.source)) == ("Mallory", "a.csv:3")
    assert kb.accept(number).outcome == "superseded"
    assert objects(kb.get("Freedonia", "capital")) == ["Mallory"] and kb.pending() == []


def test_an_accepted_statement_keeps_the_time_for_which_it_holds(kb):
    kb.add("Rufus", "office", "clerk", source=USER)
    number = kb.add("Rufus", "office", "president", source=FILE, valid_from=100.0).pending
    fact = kb.accept(number).fact
    assert (fact.object, fact.valid_from, fact.source.kind) == ("president", 100.0, "user")


def test_a_rejected_statement_is_gone(kb):
    kb.add("Freedonia", "capital", "Fredville", source=USER)
    number = kb.add("Freedonia", "capital", "Mallory", source=FILE).pending
    kb.reject(number)
    assert kb.pending() == [] and objects(kb.get("Freedonia", "capital")) == ["Fredville"]
    with pytest.raises(KeyError, match=rf"pending statement {number}: there is none"):
        kb.reject(number)


def test_validity_bounds_what_holds(kb):
    kb.add("Rufus", "office", "president", valid_from=100.0, valid_to=200.0)
    assert kb.get("Rufus", "office") == []
    assert objects(kb.history("Rufus", "office")) == ["president"]


def test_undo_takes_back_an_addition_a_change_and_a_retraction(kb):
    first = kb.add("Freedonia", "capital", "Fredville")
    second = kb.add("Freedonia", "capital", "Newtown")
    with pytest.raises(ValueError, match="has changed since; undo that first"):
        kb.undo(first.operation)
    assert objects(kb.undo()) == ["Fredville"]
    assert objects(kb.get("Freedonia", "capital")) == ["Fredville"]
    with pytest.raises(ValueError, match=rf"operation {second.operation}: was undone already"):
        kb.undo(second.operation)
    kb.retract(kb.get("Freedonia", "capital")[0].id)
    assert kb.get("Freedonia", "capital") == []
    assert objects(kb.undo()) == ["Fredville"]


def test_undo_of_nothing_says_so(kb):
    with pytest.raises(KeyError, match="nothing to undo"):
        kb.undo()
    with pytest.raises(KeyError, match="operation 7: there is none"):
        kb.undo(7)


def test_tenants_never_see_each_other(tmp_path):
    path = tmp_path / "mind.db"
    with KnowledgeBase(path, "one") as one, KnowledgeBase(path, "two") as two:
        fact = one.add("Freedonia", "capital", "Fredville").fact
        two.add("Freedonia", "capital", "Newtown")
        assert objects(one.get("Freedonia", "capital")) == ["Fredville"]
        assert [r.value for r in two.recall("Freedonia", "capital")] == ["Newtown"]
        with pytest.raises(KeyError):
            two.fact(fact.id)
        with pytest.raises(KeyError):
            two.retract(fact.id)
        assert two.erase(subject="Freedonia") == 1
        assert objects(one.get("Freedonia", "capital")) == ["Fredville"]


def test_a_batch_is_written_whole_or_not_at_all(kb):
    good = Statement("a", "b", "c", FILE)
    with pytest.raises(ValueError, match="object '  ': must be text that is not empty"):
        kb.add_many([good, Statement("a", "b2", "  ", FILE)])
    assert len(kb) == 0


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (("", "capital", "x"), "subject ''"),
        (("Freedonia", 3, "x"), "relation 3: must be text, not int"),
        (("Freedonia", "capital", "\ud800"), "object"),
    ],
)
def test_bad_names_are_refused_by_field(kb, given, line):
    with pytest.raises(ValueError, match=line):
        kb.add(*given)
    assert len(kb) == 0


def test_foreign_and_newer_files_are_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 100)
    with pytest.raises(ValueError, match=r"notes.txt: is not a knowledge base"):
        KnowledgeBase(text)
    assert text.read_text() == "no database " * 100
    newer = tmp_path / "newer.db"
    with KnowledgeBase(newer) as kb:
        kb.ledger.db.execute("UPDATE meta SET value = '99'")
    with pytest.raises(ValueError, match="has version 99; this program reads up to 1"):
        KnowledgeBase(newer)


def test_undo_of_an_operation_that_superseded_a_fact_of_its_own(kb):
    source = Source("user", "you")
    said = [Statement("Leo", "age", age, source) for age in ("3", "4")]
    first = kb.add("Leo", "age", "2")
    kb.add_many(said)
    assert objects(kb.get("Leo", "age")) == ["4"]
    assert objects(kb.undo()) == ["2"] and objects(kb.get("Leo", "age")) == ["2"]
    assert kb.fact(first.fact.id).object == "2"


@pytest.mark.parametrize("at", ["2020-01-01", float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused_by_name(kb, at):
    kb.add("Freedonia", "capital", "Fredville")
    with pytest.raises(ValueError, match=r"^at = .*: must be a finite number"):
        kb.get("Freedonia", "capital", at=at)
