"""Pairs taught once: exact inputs, reworded ones, and texts that no pair is about."""

from __future__ import annotations

import pytest

from prism.data.tokens import ByteTokenizer
from prism.mind import OneShot
from tests.inject import tiny

PAIRS = {
    "how do I reset the router": "hold the button for ten seconds",
    "when does the library open": "at nine",
    "who waters the plants in August": "Mrs Okafor",
}


@pytest.fixture
def learner() -> OneShot:
    taught = OneShot(encoder=False)
    for text, output in PAIRS.items():
        taught.add(text, output)
    return taught


@pytest.mark.parametrize(("text", "output"), PAIRS.items())
def test_an_exact_input_gives_its_output(learner, text, output):
    found = learner.match(text)
    assert found is not None and (found.output, found.exact, found.score) == (output, True, 1.0)
    assert learner.match(f"  {text.upper()} ").output == output


def test_a_reworded_input_gives_the_output_of_its_pair(learner):
    found = learner.match("please tell me how the router is reset")
    assert found is not None and found.output == PAIRS["how do I reset the router"]
    assert not found.exact and found.score < 1


@pytest.mark.parametrize("text", ["what is the capital of France", "is it raining", ""])
def test_what_no_pair_is_about_matches_none(learner, text):
    assert learner.match(text) is None


def test_a_second_output_takes_the_place_of_the_first(learner):
    learner.add("When does the library open", "at ten")
    assert len(learner) == len(PAIRS)
    assert learner.match("when does the library open").output == "at ten"


def test_an_empty_output_is_refused(learner):
    with pytest.raises(ValueError, match="output"):
        learner.add("when does it close", " ")
    assert len(learner) == len(PAIRS)


def test_a_model_speaks_the_output_and_nothing_is_put_into_its_prompt():
    learner = OneShot(model=(tiny.llama(), ByteTokenizer()), encoder=False)
    learner.add("who waters the plants", "Mrs Okafor")
    said = list(learner.say("who waters the plants"))
    assert "".join(p.text for p in said if p.fact) == " Mrs Okafor"
    untaught = OneShot(model=(tiny.llama(), ByteTokenizer()), encoder=False)
    other = "what is the time"
    assert list(learner.say(other)) == list(untaught.say(other))
