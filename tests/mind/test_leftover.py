"""Words that no relation explains: a scene may stay over, the noun that is asked for may not."""

from __future__ import annotations

import pytest

from prism.inject import second_opinion
from prism.mind import KnowledgeBase
from prism.mind.reflect import Reflector
from prism.mind.reflect.leftover import LEAST, Candidate, Weights, choice, weights
from prism.mind.reflect.question import Name
from prism.mind.reflect.search import Path
from tests.mind.parsed import needs_parser

needs_both = [
    needs_parser,
    pytest.mark.skipif(not second_opinion.available(), reason=second_opinion.INSTALL),
]


def candidate(node: str, **features: float) -> Candidate:
    return Candidate(Path(Name(node, 0, 0, True, False, node)), frozenset(), features)


def test_probabilities_are_those_of_a_softmax_with_one_more_choice():
    shares = Weights({"near": 1.0}, 0.0).probabilities(
        [candidate("a", near=0.0), candidate("b", near=1.0)]
    )
    whole = 1 + 1 + 2.718281828
    assert shares == pytest.approx([1 / whole, 2.718281828 / whole])


def test_scores_far_from_nothing_do_not_overflow():
    assert Weights({"near": 1.0}, 0.0).probabilities([candidate("a", near=5e3)]) == [1.0]
    assert Weights({"near": 1.0}, 0.0).probabilities([candidate("a", near=-5e3)]) == [0.0]


def test_paths_to_one_end_are_counted_together():
    some = [candidate("a", near=1.0), candidate("b", near=0.9), candidate("b", near=0.8)]
    chosen = choice(some, Weights({"near": 1.0}, 0.0))
    assert chosen is not None and chosen.path.node == "b" and chosen.features["near"] == 0.9


def test_nothing_is_chosen_under_the_least_probability():
    assert choice([candidate("a")], Weights({}, -1.0)) is None
    assert choice([], weights()) is None
    assert 0 < LEAST < 1


@pytest.fixture(scope="module")
def reflector(tmp_path_factory):
    with KnowledgeBase(tmp_path_factory.mktemp("leftover") / "kb.db") as kb:
        for thing, relation, value in (
            ("Freedonia", "capital", "Fredville"),
            ("Freedonia", "currency", "crown"),
            ("Fredville", "mayor", "Ada Nordek"),
            ("Fredville", "river", "Lom"),
            ("Ada Nordek", "hobby", "fencing"),
            ("Ada Nordek", "birthplace", "Bolt"),
            ("Freedonia", "language", "Fredish"),
            ("Fredville", "country", "Freedonia"),
            ("Sylvania", "capital", "Bolt"),
            ("Bolt", "mayor", "Ivo Senk"),
        ):
            kb.add(thing, relation, value, source="test")
        yield Reflector(kb)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("A postcard arrived from Fredville, what country's stamp would be on it?", "Freedonia"),
        ("What language do the miners speak in Freedonia?", "Fredish"),
        (
            "A geologist wants to send flowers to the mayor of the capital of Freedonia. "
            "Who's that mayor?",
            "Ada Nordek",
        ),
        ("State the legal tender of Freedonia.", "crown"),
        ("What pastime is Ada Nordek fond of?", "fencing"),
        ("The potholes in Bolt are a disgrace! Which mayor do I complain to?", "Ivo Senk"),
    ],
)
@pytest.mark.parametrize("_", [pytest.param(0, marks=needs_both)])
def test_a_scene_needs_no_explanation(reflector, question, answer, _):
    assert reflector.reflect(question).text == answer


@pytest.mark.parametrize(
    "question",
    [
        "What salary does the mayor of Fredville get?",
        "How long is the river of Fredville?",
        "Who is the deputy of the mayor of Bolt?",
        "Which party does the mayor of Bolt belong to?",
        "What is the national anthem of Freedonia?",
        "What is the hobby of the mayor of Bolt?",
        "A pupil asks for the currency of Sylvania. What do I answer?",
        "Who trained the mayor of Bolt?",
        "How many bridges cross the river of Fredville?",
        "What hobby did Ada Nordek give up?",
        "Which hobby has Ada Nordek abandoned?",
        "Which coach will replace the mayor of Bolt?",
    ],
)
@pytest.mark.parametrize("_", [pytest.param(0, marks=needs_both)])
def test_what_is_asked_for_must_be_explained(reflector, question, _):
    assert reflector.reflect(question).text is None


@pytest.mark.parametrize("_", [pytest.param(0, marks=needs_both)])
def test_words_that_are_all_explained_are_left_to_the_other_readings(reflector, _):
    answer = reflector.reflect("What is the capital of Freedonia?")
    assert (answer.text, dict(answer.votes)["leftover"]) == ("Fredville", None)
