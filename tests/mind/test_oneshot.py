"""Pairs taught once: exact inputs, reworded ones, and texts that no pair is about."""

from __future__ import annotations

import pytest
import torch

from prism.data.tokens import ByteTokenizer
from prism.inject import second_opinion
from prism.mind import OneShot
from prism.mind.rewordings.encoded import ALONE, CROWD, EncoderSpace, names, things
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


class Letters:
    """A stand-in for the encoder: a text as the unit vector of its letters' counts."""

    def one(self, text: str) -> torch.Tensor:
        return self.batch([text])[0]

    def batch(self, texts: list[str]) -> torch.Tensor:
        counts = [[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts]
        return torch.nn.functional.normalize(torch.tensor(counts), dim=1)


def test_what_is_near_an_input_does_not_depend_on_when_the_others_were_taught():
    texts = [f"{text} {n}" for n in ("one", "two", "three") for text in PAIRS]
    together, apart = EncoderSpace(Letters()), EncoderSpace(Letters())
    for at, text in enumerate(texts):
        together.put(at, text, "yes")
        apart.put(at, text, "yes")
        apart.weighed("where is the library")
    for one, other in zip(together.weighed("reset it"), apart.weighed("reset it"), strict=True):
        torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(other))


def test_an_input_in_a_crowd_of_like_ones_has_to_be_nearer():
    space = EncoderSpace(Letters())
    space.put(0, "abcd", "first")
    (_, alone, _) = space.weighed("abcd")
    assert alone[0, 0] == pytest.approx(2 - ALONE)
    for at in range(1, CROWD + 1):
        space.put(at, "abcd" + "e" * (at % 2), "other")
    numbers, crowded, _ = space.weighed("abcd")
    assert float(crowded[numbers.index(0), 0]) < float(alone[0, 0]) - 0.5
    assert float(crowded[numbers.index(0), 1]) == pytest.approx(1.0)


def test_another_output_of_an_input_is_weighed_in_place_of_the_first():
    space = EncoderSpace(Letters())
    space.put(0, "abcd", "zzzz")
    far = space.weighed("abcd")[1][0, 2]
    space.put(0, "abcd", "abcd")
    assert float(space.weighed("abcd")[1][0, 2]) > float(far)


def test_inputs_with_one_output_do_not_compete():
    learner = OneShot(encoder=Letters())
    learner.add("abcd", "yes")
    learner.add("abcde", "yes")
    found = learner.match("abcdd")
    assert found is not None and found.output == "yes" and found.score > 0.9


@pytest.mark.parametrize(
    ("text", "share"),
    [("Where does Ann live?", 1 / 3), ("Ann", 0), ("may I sit", 0), ("the capital of Oz", 1 / 3)],
)
def test_names_are_capital_words_after_the_first(text, share):
    assert names(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "pair", "found"),
    [
        ("What clock does Durant keep?", "which time zone for the Tokyo call", ["Durant"]),
        ("It was said: India's language? Where is it?", "which language", ["India"]),
        ("Papers for the Ostrean border? What do I show?", "do I need a visa for Ostrea", []),
        ("Durant has which clock?", "which clock", []),
        ("may I sit here", "may I stand here", []),
    ],
)
def test_things_are_names_within_sentences_that_a_pair_has_no_form_of(text, pair, found):
    assert things(text, pair) == found


def test_a_text_that_names_another_thing_in_place_of_the_pair_s_asks_for_no_pair():
    learner = OneShot(encoder=Letters())
    learner.add("abcd Tokyo efgh", "nine hours ahead")
    assert learner.match("abcd efgh Tokyo").output == "nine hours ahead"
    assert learner.match("abcd efgh Durant") is None


@pytest.mark.skipif(not second_opinion.available(), reason="needs the sentence encoder")
@pytest.mark.parametrize(
    ("taught", "another", "same"),
    [
        ("reset the router", "buy the router", "restart the router"),
        ("how do I bake the bread", "how do I steal the bread", "how is the bread baked"),
        ("where do I park the car", "where do I lend the car", "where can we park the car"),
    ],
)
def test_another_deed_with_the_same_thing_is_no_rewording(taught, another, same):
    learner = OneShot()
    learner.add(taught, "the answer")
    learner.add("when does the library open", "at nine")
    assert learner.match(another) is None
    assert learner.match(same).output == "the answer"
