"""The reduced mode: four forms with "is", and nothing where a word withholds the statement."""

from __future__ import annotations

import pytest

from prism.mind.perceive.plain import facts


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The capital of Freedonia is Fredville.", ("Freedonia", "capital", "Fredville")),
        ("Fredville is the capital of Freedonia.", ("Freedonia", "capital", "Fredville")),
        ("My cat is called Momo.", ("me", "cat", "Momo")),
        ("My sister's cat is Momo.", ("me/sister", "cat", "Momo")),
        ("Acme's founder is Nim.", ("Acme", "founder", "Nim")),
    ],
)
def test_the_forms(sentence, expected):
    found, why = facts(sentence)
    assert [(f.subject, f.relation, f.object) for f in found] == [expected] and why is None


@pytest.mark.parametrize(
    "sentence",
    [
        "The capital of Freedonia is not Fredville.",
        "If the capital of Freedonia is Fredville I am lost.",
        "My cat would be Momo.",
        "Maybe the capital of Freedonia is Fredville.",
        "The capital of Freedonia is Fredville until May.",
        "My flatmate is Jonas from March to June.",
    ],
)
def test_a_statement_that_is_withheld(sentence):
    found, why = facts(sentence)
    assert found == [] and why is not None
