"""The promises of an attached tape: silent when nothing is asked, exact when something is."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prism.inject import AttachedLM
from prism.record import weights_hash
from tests.inject import tiny

FACTS = {"Freedonia": "Fredville", "Elbonia": "Mudtown", "Ruritania": "Strelsau"}
ASK = "The capital of Freedonia is"


@pytest.fixture(params=[tiny.llama, tiny.prism], ids=["llama", "prism"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    return request.param()


@pytest.fixture
def lm(model: nn.Module) -> AttachedLM:
    taught = tiny.attached(model)
    for subject, town in FACTS.items():
        taught.bind(subject, "capital", town, source=f"atlas:{subject}")
    return taught


def bare_logits(lm: AttachedLM, text: str) -> torch.Tensor:
    with torch.no_grad():
        return lm.model(torch.tensor([lm.tokenizer.encode(text)])).logits[0]


@pytest.mark.parametrize("text", tiny.QUIET)
def test_where_nothing_is_asked_the_logits_are_the_models_bit_for_bit(lm, text):
    logits, _, said = lm.step(torch.tensor(lm.tokenizer.encode(text)))
    assert not any(said)
    assert torch.equal(logits, bare_logits(lm, text))


def test_before_a_fact_speaks_no_logit_is_touched(lm):
    logits, _, said = lm.step(torch.tensor(lm.tokenizer.encode(ASK)))
    silent = [i for i, firing in enumerate(said) if firing is None]
    assert said[-1] is not None
    assert torch.equal(logits[silent], bare_logits(lm, ASK)[silent])


@pytest.mark.parametrize("subject", FACTS)
def test_the_answer_comes_out_letter_by_letter_with_its_full_stop(lm, subject):
    answer = f" {FACTS[subject]}."
    out = lm.generate(f"The capital of {subject} is", max_new_tokens=len(answer) + 3)
    assert out.startswith(answer)


def test_explain_names_the_fact_the_place_and_the_source_of_each_token(lm):
    lm.generate(ASK, max_new_tokens=len(" Fredville."))
    told = lm.explain()
    assert bytes(f.token for f in told) == b" Fredville."
    assert {(f.subject, f.relation, f.source) for f in told} == {
        ("Freedonia", "capital", "atlas:Freedonia")
    }
    assert [f.place for f in told] == list(range(len(told)))
    assert [f.position for f in told] == list(range(len(ASK) - 1, len(ASK) - 1 + len(told)))
    assert min(f.z for f in told) > lm.knowledge.answers.threshold(1e-5)


def test_an_answer_stops_where_the_text_leaves_it(lm):
    tokens = lm.tokenizer.encode(ASK + " Fox")
    _, _, said = lm.step(torch.tensor(tokens))
    spoken = bytes(f.token for f in said if f is not None)
    assert spoken == b" Fr"  # the o after F is not what the tape said


def test_a_text_that_already_holds_part_of_the_answer_is_continued(lm):
    assert lm.generate(ASK + " Fred", max_new_tokens=6) == "ville."


def test_a_forgotten_fact_leaves_the_model_as_it_was_and_the_others_in_place(lm):
    lm.forget("Freedonia", "capital")
    _, _, said = lm.step(torch.tensor(lm.tokenizer.encode(ASK)))
    assert not any(said)
    assert lm.generate("The capital of Elbonia is", max_new_tokens=9) == " Mudtown."


def test_forgetting_everything_leaves_zeros(lm):
    for subject in FACTS:
        lm.forget(subject, "capital")
    assert not lm.knowledge.answers.H.any()


def test_binding_again_replaces_the_answer(lm):
    lm.bind("Freedonia", "capital", "Newtown")
    assert lm.generate(ASK, max_new_tokens=9) == " Newtown."


def test_a_fact_can_be_given_as_a_sentence(lm):
    lm.bind("The capital of Zamunda is", " Lionsgate")
    assert ("Zamunda", "capital") in lm.knowledge
    assert lm.generate("The capital of Zamunda is", max_new_tokens=11) == " Lionsgate."
    lm.forget("The capital of Zamunda is")
    assert ("Zamunda", "capital") not in lm.knowledge


def test_a_sentence_in_a_new_wording_is_a_new_relation(lm):
    lm.bind("The anthem of Freedonia begins with", "Hail")
    assert "The anthem of {} begins with" in lm.knowledge.relations


def test_no_parameter_ever_changes(lm):
    before = weights_hash(lm.model.state_dict())
    lm.generate(ASK, max_new_tokens=12)
    lm.forget("Freedonia", "capital")
    lm.generate(ASK, max_new_tokens=2)
    assert weights_hash(lm.model.state_dict()) == before
    assert all(p.grad is None for p in lm.model.parameters())


def test_the_prompt_is_read_once_and_every_further_token_is_one_step(lm):
    lm.knowledge.prepare(lm.model)
    lengths = []
    lm.model.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    read = getattr(lm.model, "read", None)
    if read is not None:
        lm.model.read = lambda tokens, *rest: lengths.append(tokens.shape[1]) or read(tokens, *rest)
    lm.generate(ASK, max_new_tokens=10)
    assert lengths == [len(ASK)] + [1] * 9


@given(cuts=st.sets(st.integers(1, 60), max_size=4))
def test_any_split_of_a_text_says_the_same(cuts):
    lm = tiny.attached(tiny.llama())
    lm.bind("Freedonia", "capital", "Fredville")
    tokens = lm.tokenizer.encode(f"A letter came. {ASK} Fredville. {ASK}")
    whole = [f and f.token for f in lm.step(torch.tensor(tokens))[2]]
    state, pieces = None, []
    marks = [0, *sorted(cuts), len(tokens)]
    for low, high in itertools.pairwise(marks):
        if low < min(high, len(tokens)):
            _, state, said = lm.step(torch.tensor(tokens[low:high]), state)
            pieces += [f and f.token for f in said]
    assert pieces == whole


def test_an_alias_and_a_misspelling_reach_the_subject():
    lm = tiny.attached(tiny.llama())
    lm.bind("Freedonia", "capital", "Fredville")
    lm.alias("Sylvania", "Freedonia")
    assert lm.generate("The capital of Sylvania is", max_new_tokens=11) == " Fredville."
    out = lm.generate("The capital of Freedomia is", max_new_tokens=11)
    assert out == " Fredville."
    assert {f.how for f in lm.explain()} == {"typo"}


def test_an_unknown_subject_is_left_to_the_model(lm):
    _, _, said = lm.step(torch.tensor(lm.tokenizer.encode("The capital of Latveria is")))
    assert not any(said)


def test_generation_stops_at_the_end_of_text():
    lm = tiny.attached(tiny.llama())
    lm.tokenizer.end = ord("r")
    lm.bind("Freedonia", "capital", "Fredville")
    assert lm.generate(ASK, max_new_tokens=12) == " F"


def test_a_character_cut_off_by_the_limit_is_not_lost(lm):
    lm.bind("Freedonia", "capital", "\u00c9vry")
    assert lm.generate(ASK, max_new_tokens=2) == " \ufffd"
    assert lm.generate(ASK, max_new_tokens=3) == " \u00c9"


def test_top_k_of_one_is_greedy(lm):
    text = tiny.QUIET[0][:40]
    drawn = lm.generate(text, max_new_tokens=8, temperature=2.0, seed=1, top_k=1)
    assert drawn == lm.generate(text, max_new_tokens=8)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (("one",), "subject, relation, object"),
        (("Freedonia", "capital", " "), "not empty"),
        (("nothing capitalised here is", "x"), "no subject found"),
    ],
)
def test_what_cannot_be_bound_is_refused_in_one_line(lm, what, says):
    with pytest.raises(ValueError, match=says) as error:
        lm.bind(*what)
    assert "\n" not in str(error.value)


def test_forgetting_what_was_never_bound_names_it(lm):
    with pytest.raises(KeyError, match="capital of Latveria"):
        lm.forget("Latveria", "capital")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": ASK, "max_new_tokens": -1}, "max_new_tokens"),
        ({"prompt": ASK, "temperature": float("nan")}, "temperature"),
    ],
)
def test_what_cannot_be_generated_is_refused(lm, arguments, says):
    with pytest.raises(ValueError, match=says):
        lm.generate(**arguments)


def test_wordings_must_have_one_place_for_the_subject(lm):
    with pytest.raises(ValueError, match="exactly one"):
        lm.relation("capital", ["The capital is"])


def test_a_weaker_score_counts_where_the_relations_own_words_are_spoken():
    lm = tiny.attached(tiny.llama())
    lm.bind("Freedonia", "capital", "Fredville")
    strong = lm.step(torch.tensor(lm.tokenizer.encode(ASK)))[2][-1]
    lm.knowledge.calibration.threshold = lambda *_: 2.0  # no score is as high
    open_question = "Freedonia is ruled from the capital of"
    for spoken, words, speaks in (
        (2.0, open_question, False),
        (2.0, ASK, False),
        (-1.0, ASK, True),
    ):
        lm.knowledge.calibration.spoken = spoken
        lm.relation("capital", [tiny.WORDING])
        said = lm.step(torch.tensor(lm.tokenizer.encode(words)))[2][-1]
        assert (said is not None) == speaks
        if speaks:
            assert said.score < 0 < strong.score
            assert said.token == strong.token
