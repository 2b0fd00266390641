"""A model that learnt to ask answers facts it never saw, refuses others, and is not changed."""

from __future__ import annotations

import pytest
import torch

from prism import Prism
from prism.record import weights_hash
from prism.studies.retrieval.measures import Reply, RetrievalEvalSet, ask, measure, right
from prism.studies.retrieval.training import RetrievalPlan, default_config, tape_of, train
from tasks.retrieval import UNKNOWN, WORDINGS, Triple

EXACT = (
    "logits bit-identical, gate closed",
    "parameters unchanged",
    "register as if never told",
)


@pytest.fixture(scope="module")
def exam(asker: Prism) -> RetrievalEvalSet:
    return RetrievalEvalSet(asker, facts=12, dim=8192)


def test_facts_are_answered_from_the_tape_and_from_nothing_else(exam: RetrievalEvalSet):
    found = {row.metric: row for row in measure(exam)}
    assert found["answered"].value > 0.6
    assert found["refused, its subject is known"].value > 0.6
    assert found["refused, its subject is not"].value > 0.6
    assert found["answered, no tape"].value == 0
    assert found["answered, answers exchanged"].value <= 1 / 12  # two facts may share an answer
    assert found["false injections"].value < 0.01
    assert found["answered"].count == 12 * len(WORDINGS)
    for metric in EXACT:
        assert found[metric].value == 1, metric


@pytest.mark.slow
def test_a_hundred_unseen_facts_are_answered_and_others_refused():
    model = Prism(default_config())
    train(model, RetrievalPlan(steps=200))
    found = {row.metric: row.value for row in measure(RetrievalEvalSet(model, facts=100))}
    assert found["answered"] >= 0.95
    assert found["refused, its subject is known"] >= 0.95
    assert found["refused, its subject is not"] >= 0.95
    assert found["forgotten facts refused"] == 1
    for metric in EXACT:
        assert found[metric] == 1, metric


def test_asking_leaves_the_weights_alone(exam: RetrievalEvalSet):
    before = weights_hash(exam.model.state_dict())
    exam.replies(WORDINGS[0], exam.facts, exam.tape)
    assert weights_hash(exam.model.state_dict()) == before
    with torch.no_grad():
        changed = next(exam.model.parameters())
        changed.view(-1)[0] += 1
        assert weights_hash(exam.model.state_dict()) != before
        changed.view(-1)[0] -= 1


def test_the_order_of_prompts_and_their_company_do_not_matter(exam: RetrievalEvalSet):
    prompts = [p for form in WORDINGS for p in exam.prompts(form, exam.facts[:3])]
    together = ask(exam.model, prompts, exam.tape)
    assert together == [ask(exam.model, [p], exam.tape)[0] for p in prompts]


def test_right_means_the_whole_answer_and_its_end():
    fact = Triple((1,), (2,), (8, 9))
    replies = [((8, 9), True), ((8, 9), False), ((8,), True), ((9, 8), True), ((8, 9, 9), True)]
    found = right([Reply(t, 0, s) for t, s in replies], [fact] * len(replies))
    assert found == [True, False, False, False, False]


def test_unseen_facts_are_not_on_the_tape(exam: RetrievalEvalSet):
    known = {fact.subject for fact in exam.facts}
    for sibling in (True, False):
        for fact in exam.unseen_facts(sibling):
            assert (fact.subject, fact.relation) not in exam.sampler.known
            assert (fact.subject in known) == sibling
            assert fact.answer == (UNKNOWN,)


def test_a_tape_bound_in_two_parts_answers_as_one_bound_at_once(exam: RetrievalEvalSet):
    tape = tape_of(exam.facts[:5], 8192)
    tape.bind_many(exam.facts[5:])
    once = exam.replies(WORDINGS[1], exam.facts, exam.tape)
    assert exam.replies(WORDINGS[1], exam.facts, tape) == once
