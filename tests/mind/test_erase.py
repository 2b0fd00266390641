"""Erased text leaves no byte: in the database, its log, the snapshot and the live tape."""

from __future__ import annotations

import pickle

import pytest

from prism.mind import KnowledgeBase, Source

SECRET = "Quillonby"


def bytes_under(folder) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def test_no_byte_is_left_on_the_disk_or_in_memory(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        for i in range(300):
            kb.add(f"S{i}", "home", f"O{i}")
        words = Source("user", "anna", text=f"{SECRET} lives with me.")
        kb.add(SECRET, "home", "Sylvania", source=words)
        kb.add(SECRET, "home", "Freedonia", source=words)
        kb.add("Anna", "housemate", SECRET, source=words)
        kb.recall(SECRET, "home")
        kb.view.save()
        assert SECRET.encode() in bytes_under(tmp_path)
        assert kb.erase(subject=SECRET.lower()) == 3
        assert SECRET.encode() not in bytes_under(tmp_path)
        assert SECRET.lower().encode() not in bytes_under(tmp_path)
        assert kb.recall(SECRET, "home") == [] and kb.recall("S7", "home")[0].value == "O7"
        assert SECRET.encode() not in pickle.dumps(kb.view.tape)
    assert SECRET.encode() not in bytes_under(tmp_path)


def test_a_fact_is_erased_with_its_earlier_values_and_other_facts_stay(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        kb.add("Freedonia", "capital", SECRET)
        new = kb.add("Freedonia", "capital", "Newtown").fact
        kb.add("Freedonia", "currency", "crown")
        assert kb.erase(fact=new.id) == 2
        assert kb.history("Freedonia", "capital") == []
        assert [f.object for f in kb.get("Freedonia", "currency")] == ["crown"]


def test_it_is_told_what_to_erase(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        with pytest.raises(ValueError, match="give subject or fact, one of them"):
            kb.erase()
        with pytest.raises(KeyError, match="fact 5: there is none"):
            kb.erase(fact=5)
