"""One tape: what is bound, updated or forgotten on it is what the model says, whoever did it."""

from __future__ import annotations

import pytest
import torch

import prism
from prism.data.tokens import ByteTokenizer
from prism.holo import FactStore, HoloTape
from prism.inject import AttachedLM, attach, attached
from tests.inject import tiny

ASK = "The capital of Freedonia is"


@pytest.fixture
def tape() -> HoloTape:
    tape = HoloTape.plan(facts=100)
    tape.bind("capital of Freedonia", "Fredville", source="atlas")
    return tape


@pytest.fixture
def lm(tape: HoloTape) -> AttachedLM:
    return calibrated(attach(tiny.llama(), ByteTokenizer(), tape))


def calibrated(lm: AttachedLM) -> AttachedLM:
    lm.knowledge.calibration = tiny.calibration(lm.model)
    lm.relation("capital", [tiny.WORDING])
    return lm


def says(lm: AttachedLM, prompt: str = ASK) -> str:
    """What the facts put after a prompt."""
    lm.generate(prompt, max_new_tokens=20)
    return bytes(i.token for i in lm.explain()).decode()


def test_the_model_says_what_was_bound_before_and_after_attaching(lm, tape):
    assert lm.tape is tape
    assert says(lm) == " Fredville."
    assert {i.source for i in lm.explain()} == {"atlas"}
    tape.bind("capital of Elbonia", "Mudtown")
    assert says(lm, "The capital of Elbonia is") == " Mudtown."


def test_the_model_hears_an_update_and_a_forgetting_of_the_tape(lm, tape):
    assert says(lm) == " Fredville."
    tape.update("capital of Freedonia", "Newtown", source="gazette")
    assert says(lm) == " Newtown."
    assert {i.source for i in lm.explain()} == {"gazette"}
    tape.forget("capital of Freedonia")
    assert says(lm) == ""
    assert not lm.knowledge.answers.H.any()


def test_a_change_in_the_middle_of_a_text_counts_from_the_next_token(lm, tape):
    _, state, _ = lm.step(torch.tensor(lm.tokenizer.encode(ASK[:-1])))
    tape.update("capital of Freedonia", "Newtown")
    _, _, injections = lm.step(torch.tensor(lm.tokenizer.encode(ASK[-1:])), state)
    assert injections[-1].token == ord(" ")
    _, _, injections = lm.step(torch.tensor(lm.tokenizer.encode(f"{ASK[-1:]} ")), state)
    assert injections[-1] is None or injections[-1].token == ord("N")


def test_what_the_model_is_given_is_on_the_tape(lm, tape):
    lm.bind("Elbonia", "capital", "Mudtown", source="post")
    assert tape.recall("capital of Elbonia").value == "Mudtown"
    assert tape.recall("capital of Elbonia").source == "post"
    assert says(lm, "The capital of Elbonia is") == " Mudtown."
    lm.bind("Freedonia", "capital", "Newtown")
    assert tape.recall("capital of Freedonia").value == "Newtown"
    lm.bind("The capital of Ruritania is", "Strelsau")
    assert tape.recall("The capital of Ruritania is").value == "Strelsau"
    lm.update("Elbonia", "capital", "Drytown")
    assert tape.recall("capital of Elbonia").value == "Drytown"
    lm.forget("The capital of Ruritania is")
    assert "The capital of Ruritania is" not in tape
    lm.forget("Elbonia", "capital")
    assert "capital of Elbonia" not in tape
    assert says(lm, "The capital of Elbonia is") == ""
    with pytest.raises(KeyError, match="capital of Elbonia"):
        lm.update("Elbonia", "capital", "Mudtown")


def test_a_relation_with_an_of_in_it_keeps_its_subject(lm, tape):
    lm.bind("Freedonia", "head of state", "Rufus")
    assert "head of state of Freedonia" in tape
    assert ("Freedonia", "head of state") in lm.knowledge
    lm.forget("Freedonia", "head of state")
    assert "head of state of Freedonia" not in tape


def test_an_ending_of_ones_own_is_kept(lm):
    lm.bind("Freedonia", "capital", "Newtown", ending="!")
    assert says(lm) == " Newtown!"


def test_an_alias_outlives_an_update_and_not_the_last_fact(lm, tape):
    lm.alias("Sylvania", "Freedonia")
    tape.update("capital of Freedonia", "Newtown")
    assert says(lm, "The capital of Sylvania is") == " Newtown."
    tape.forget("capital of Freedonia")
    lm.prepare()
    assert "Sylvania" not in lm.knowledge.names


def test_what_cannot_be_said_is_listed_with_the_reason(lm, tape):
    tape.bind("flag of Freedonia", b"\x01")
    tape.bind("nothing capitalised here is", "x")
    tape.bind(77, "seven")
    tape.bind("The capital of Freedonia is", "Oldtown")
    found = dict(lm.skipped)
    assert found["flag of Freedonia"] == "value b'\\x01' is not text"
    assert "no subject found" in found["nothing capitalised here is"]
    assert "asks for the same as the key 'capital of Freedonia'" in found[ASK]
    assert len(found) == 4
    assert "its text is not kept on the tape" in found.values()
    assert says(lm) == " Fredville."
    tape.forget("capital of Freedonia")
    assert says(lm) == " Oldtown."
    assert len(lm.skipped) == 3


def test_a_tape_that_is_too_full_is_answered_by_its_ledger():
    tape = HoloTape(512, dtype="int16", resolver=True, overfill=True)
    tape.bind_many([f"capital of X{i}" for i in range(90)], [f"city {i}" for i in range(90)])
    lm = attach(tiny.llama(), ByteTokenizer(), tape)
    assert lm.skipped == []
    assert len(lm.knowledge.relations["capital"].subjects) == 90


def test_the_view_grows_with_the_tape(lm, tape):
    small = lm.knowledge.answers
    large = HoloTape.plan(facts=3_000)
    keys = [f"capital of X{i}" for i in range(3_000)]
    large.bind_many(keys, [f"city {i}" for i in range(3_000)])
    grown = attach(lm.model, lm.tokenizer, large)
    assert len(grown.skipped) <= 60
    assert grown.knowledge.answers.accumulator.banks > small.accumulator.banks


def test_without_a_tape_there_is_one_to_keep(tmp_path):
    lm = calibrated(attach(tiny.llama(), ByteTokenizer()))
    lm.bind("Freedonia", "capital", "Fredville")
    lm.tape.save(tmp_path / "t.safetensors")
    again = calibrated(attach(lm.model, lm.tokenizer, HoloTape.load(tmp_path / "t.safetensors")))
    assert says(again) == says(lm) == " Fredville."


class Plain:
    """The smallest store that satisfies the protocol, a list of facts."""

    def __init__(self) -> None:
        self._tape, self.revision = HoloTape.plan(facts=10), 0

    def bind(self, key, value, source=None, time=None):
        self._tape.bind(key, value, source, time)
        self.revision += 1

    def update(self, key, value, source=None, time=None):
        self._tape.update(key, value, source, time)
        self.revision += 1

    def forget(self, key):
        self._tape.forget(key)
        self.revision += 1

    def recall(self, key):
        return self._tape.recall(key)

    def facts(self):
        return self._tape.facts()

    def __len__(self):
        return len(self._tape)

    def __contains__(self, key):
        return key in self._tape


def test_any_store_of_facts_can_be_attached():
    store = Plain()
    assert isinstance(store, FactStore)
    lm = calibrated(attach(tiny.llama(), ByteTokenizer(), store))
    store.bind("capital of Freedonia", "Fredville")
    assert says(lm) == " Fredville."
    lm.forget("Freedonia", "capital")
    assert len(store) == 0


def test_what_is_no_store_is_refused_in_one_line():
    with pytest.raises(ValueError, match="this tape has no ledger"):
        attach(tiny.llama(), ByteTokenizer(), HoloTape(64, ledger=False))
    with pytest.raises(TypeError, match="tape = dict: must be a FactStore"):
        attach(tiny.llama(), ByteTokenizer(), {})


def test_unbind_is_a_deprecated_name_of_forget(lm, tape):
    with pytest.warns(DeprecationWarning, match="unbind is called forget"):
        lm.unbind("Freedonia", "capital")
    assert len(tape) == 0


def test_the_first_text_calibrates_once_and_says_so(tape, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = attached.calibration_text()[:2000]
    monkeypatch.setattr(attached, "calibration_text", lambda: text)
    model = tiny.llama()
    first = prism.attach(model, ByteTokenizer(), tape)
    first.generate(ASK, max_new_tokens=2)
    (kept,) = (tmp_path / "prism" / "calibration").iterdir()
    said = capsys.readouterr().err
    assert said.count("calibration: ") == 5
    assert str(kept) in said
    prism.attach(model, ByteTokenizer(), tape).generate(ASK, max_new_tokens=2)
    assert capsys.readouterr().err == ""
