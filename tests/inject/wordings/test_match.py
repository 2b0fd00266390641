"""A clause matches the wordings of the relation that it asks for, and of no rival."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.inject.wordings.bank import read
from prism.inject.wordings.match import WordingBank
from tests.inject.wordings.letters import Letters

BANK = """
@ town
# mayor
{} obeys
# river
Boats reach {} through
# postcode | zip
Letters for {} bear
@ ship
# captain
{} salutes
"""


@pytest.fixture
def bank() -> WordingBank:
    return WordingBank(read(BANK, "test"), Letters())


def test_the_words_of_a_wording_speak_for_its_relation(bank: WordingBank) -> None:
    clause = "At night the boats reach X through"
    right, wrong = bank.evidence(clause, "river"), bank.evidence(clause, "mayor")
    assert right.covered > 0.99
    assert right.match > wrong.match
    assert right.sentence > wrong.sentence
    assert right.rivals == 0.0 < wrong.rivals


def test_what_a_wording_lacks_lowers_the_match_alone(bank: WordingBank) -> None:
    short = bank.evidence("X obeys", "mayor")
    long = bank.evidence("X obeys quick jumping zebras of jazz", "mayor")
    assert short.match == pytest.approx(1.0, abs=0.01)
    assert long.covered == pytest.approx(short.covered, abs=0.01)
    assert long.match < short.match


def test_any_name_finds_the_relation_and_an_unknown_one_finds_none(bank: WordingBank) -> None:
    clause = "Letters for X bear"
    assert bank.evidence(clause, "zip").covered > 0.99
    assert bank.evidence(clause, "qqq") is None


def test_relations_of_one_kind_are_rivals_and_those_of_others_are_not_the_same(
    bank: WordingBank,
) -> None:
    same, rival = bank.alike("mayor")
    assert same.tolist() == [True, False, False, False]
    assert rival.tolist()[1:3] == [True, True]
    assert not rival[0]


def test_vectors_that_were_kept_are_read_back(tmp_path: Path) -> None:
    made = WordingBank(read(BANK, "test"), Letters(), tmp_path)
    (path,) = tmp_path.glob("wordings-*.safetensors")

    class Silent(Letters):
        def read(self, texts):
            assert len(texts) < 7, "the bank is made again"
            return super().read(texts)

    kept = WordingBank(read(BANK, "test"), Silent(), tmp_path)
    assert kept.evidence("X obeys", "mayor") == made.evidence("X obeys", "mayor")
    path.write_bytes(b"broken")
    with pytest.raises(ValueError, match="delete the file"):
        WordingBank(read(BANK, "test"), Letters(), tmp_path)


def test_a_relation_has_the_stems_of_its_own_wordings_and_names_alone(bank: WordingBank) -> None:
    assert set(bank.stems("zip")) == {frozenset({"lett", "bear"}), frozenset({"postcod"}),
                                      frozenset({"zip"})}  # fmt: skip
    assert bank.stems("qqq") == ()
