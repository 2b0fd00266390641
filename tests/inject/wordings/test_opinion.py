"""A second opinion is a fitted sum of features, and decides where the words leave it open."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from prism.inject.addresses import AnswerAccumulator
from prism.inject.asked import Verdict
from prism.inject.clause import clause_of
from prism.inject.knowledge import Knowledge
from prism.inject.trigger import Candidate
from prism.inject.wordings.bank import read
from prism.inject.wordings.match import WordingBank
from prism.inject.wordings.opinion import FEATURES, SecondOpinion, Weights
from tests.inject.wordings.letters import Letters

BANK = "@ town\n# mayor\n{} obeys\n# river\nBoats reach {} through\n"


def candidate(text: str, relation: str = "mayor", kind: str = "open", **more) -> Candidate:
    at = text.index("Arvo")
    clause = clause_of(text, at, at + 4)
    given = {"clearness": 0.2, "place": "slot"} | more
    return Candidate(relation, clause, Verdict(kind), **given)


@pytest.fixture
def opinion() -> SecondOpinion:
    made = SecondOpinion(Letters())
    made.__dict__["bank"] = WordingBank(read(BANK, "test"), Letters())
    return made


def test_features_are_those_of_the_state_the_place_and_the_bank(opinion: SecondOpinion) -> None:
    found = dict(
        zip(
            FEATURES,
            opinion.features(candidate("Arvo obeys", clearness=2.0), ("mayor",)),
            strict=True,
        )
    )
    assert found["state"] == 2.0
    assert found["state, cut"] == 0.5
    assert found["value due"] == 1.0
    assert found["covered"] > 0.99
    assert found["rivals"] == 0.0
    inside = opinion.features(candidate("Arvo obeys", place="inside"), ("mayor",))
    assert inside[FEATURES.index("value due")] == 0.0
    refused = opinion.features(candidate("Arvo obeys", refused=True), ("mayor",))
    assert (found["refused"], refused[FEATURES.index("refused")]) == (0.0, 1.0)


def test_a_relation_that_the_bank_lacks_is_taken_at_the_mean() -> None:
    zero = [0.0] * len(FEATURES)
    weights = Weights([1.0] * len(FEATURES), [2.0] * len(FEATURES), [3.0, *zero[1:], 0.5])
    known = np.array([3.0, *zero[1:]])
    unknown = np.array([np.nan, *zero[1:]])
    assert weights.odds(np.stack([known, unknown])).tolist() == [3.5, 0.5]


def test_weights_of_other_features_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"features": ["state"], "mean": [0], "scale": [1], "weights": [1]}))
    with pytest.raises(ValueError, match="features"):
        Weights.read(path)


def test_the_fitted_weights_prefer_a_wording_to_a_rivals_wording() -> None:
    weights = Weights.read()
    here = np.array([0.2, 0.2, 1, 0, 0, 0, 0, 0.9, 0.85, 0.85, 0.5, 0.0])
    elsewhere = np.array([0.2, 0.2, 1, 0, 0, 0, 0, 0.5, 0.5, 0.4, 0.3, 5.0])
    assert weights.odds(here[None])[0] > weights.odds(elsewhere[None])[0] + 1


class Says:
    """An opinion of one number that counts how often it is asked."""

    def __init__(self, odds: float) -> None:
        self.value, self.asked = odds, 0

    def odds(self, one: Candidate, relation) -> float:
        self.asked += 1
        return self.value


def knowledge(opinion: Says | None) -> Knowledge:
    made = Knowledge(None, AnswerAccumulator(vocab_size=16))
    made._words = {"mayor": (("mayor",), frozenset())}
    made.opinion = opinion
    return made


@pytest.mark.parametrize(("odds", "fires"), [(2.0, True), (-3.0, False)])
def test_an_opinion_decides_where_the_words_leave_it_open(odds: float, fires: bool) -> None:
    alone, other = knowledge(None), knowledge(Says(odds))
    for clearness in (-0.5, 3.0):
        one = candidate("Arvo obeys", clearness=clearness)
        assert (alone.asked(one) is not None) == (clearness > alone.levels.open)
        assert (other.asked(one) is not None) == fires


def test_an_opinion_is_not_asked_where_the_words_or_the_state_decide() -> None:
    other = knowledge(Says(9.0))
    plain = candidate("Arvo obeys", kind="asked", clearness=-3.0)
    assert other.asked(plain) == -3.0
    assert other.asked(dataclasses.replace(plain, clearness=-5.0)) is None
    assert other.asked(candidate("Arvo obeys", clearness=other.levels.heard)) is None
    low = candidate("Arvo obeys", clearness=other.levels.heard_inside, place="inside")
    assert other.asked(low) is None
    assert other.opinion.asked == 0


@pytest.mark.parametrize(("odds", "fires"), [(2.0, True), (-3.0, False)])
def test_after_a_refusal_only_an_opinion_can_tell_a_fact(odds: float, fires: bool) -> None:
    alone, other = knowledge(None), knowledge(Says(odds))
    one = candidate("Arvo obeys", clearness=3.0, refused=True)
    plain = candidate("Arvo obeys", kind="asked", clearness=3.0, refused=True)
    assert alone.asked(one) is None
    assert (other.asked(one) is not None) == fires
    assert alone.asked(plain) is None
    assert other.asked(plain) is None


def test_the_bank_gives_other_wordings_where_there_is_an_opinion(opinion: SecondOpinion) -> None:
    assert knowledge(None).worded("mayor") == ()
    assert knowledge(opinion).worded("mayor") == (frozenset({"obey"}), frozenset({"mayor"}))
