"""The tape follows the ledger: caught up, from a snapshot, rebuilt; always the same bytes."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prism.mind import KnowledgeBase

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "many", "retract", "undo", "read", "erase"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=25,
)


def do(kb: KnowledgeBase, deed: str, who: int, what: int) -> None:
    """One deed on a small world of four subjects and objects."""
    if deed in ("add", "many"):
        kb.add(f"S{who}", "friend" if deed == "many" else "home", f"O{what}", many=deed == "many")
    elif deed == "retract" and kb.facts(f"S{who}"):
        kb.retract(kb.facts(f"S{who}")[0].id)
    elif deed == "erase":
        kb.erase(subject=f"S{who}")
    elif deed == "read":
        kb.recall(f"S{who}", "home")
    elif deed == "undo":
        with contextlib.suppress(KeyError, ValueError):  # nothing, or something was built on it
            kb.undo()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DEEDS)
def test_whatever_happened_the_tape_equals_one_built_from_the_live_rows(tmp_path_factory, deeds):
    path = tmp_path_factory.mktemp("kb") / "mind.db"
    with KnowledgeBase(path) as kb:
        for deed in deeds:
            do(kb, *deed)
        assert kb.view.agrees()
        said = {(f.subject, f.relation): f.object for f in kb.facts() if not f.many}
        for (subject, relation), thing in said.items():
            assert [r.value for r in kb.recall(subject, relation)] == [thing]
    with KnowledgeBase(path) as kb:
        assert kb.view.agrees()


def test_another_process_s_writes_are_seen(tmp_path):
    path = tmp_path / "mind.db"
    with KnowledgeBase(path) as one, KnowledgeBase(path) as two:
        assert two.recall("Freedonia", "capital") == []
        one.add("Freedonia", "capital", "Fredville")
        assert two.recall("Freedonia", "capital")[0].value == "Fredville"
        one.erase(subject="Freedonia")
        assert two.recall("Freedonia", "capital") == []


def test_a_snapshot_is_used_replayed_and_never_believed(tmp_path, monkeypatch):
    path = tmp_path / "mind.db"
    with KnowledgeBase(path) as kb:
        kb.add("Freedonia", "capital", "Fredville")
        kb.recall("Freedonia", "capital")
    snapshot = kb.view.snapshot
    built = []
    monkeypatch.setattr("prism.mind.view.TapeView.rebuild", lambda view: built.append(view))
    with KnowledgeBase(path) as kb:
        kb.add("Sylvania", "capital", "Sylton")
        assert kb.recall("Freedonia", "capital")[0].value == "Fredville"
        assert kb.recall("Sylvania", "capital")[0].value == "Sylton"
    assert built == []
    monkeypatch.undo()
    snapshot.write_bytes(b"rubbish")
    with KnowledgeBase(path) as kb:
        assert kb.recall("Freedonia", "capital")[0].value == "Fredville"
        assert kb.view.agrees()


def test_a_tape_grows_with_its_facts(tmp_path):
    from prism.mind.ledger import Statement
    from prism.mind.records import Source

    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.recall("S0", "home")
        said = [Statement(f"S{i}", "home", f"O{i}", Source()) for i in range(3000)]
        kb.add_many(said)
        answers = kb.view.recall((s.subject, s.relation) for s in said)
        assert [[r.value for r in found] for found in answers] == [[s.object] for s in said]
        assert kb.view.agrees()


def test_all_objects_of_a_relation_are_recalled_also_with_gaps(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        for i in range(20):
            kb.add("Freedonia", "minister", f"O{i}", many=True)
        for fact in kb.get("Freedonia", "minister")[:3]:
            kb.retract(fact.id)
        found = {r.value for r in kb.recall("Freedonia", "minister")}
        assert found == {f"O{i}" for i in range(3, 20)}
