"""What is asked was not written, what has no shared word has none, and probes stay apart."""

from __future__ import annotations

import re

import pytest

from prism.inject.probes import PROBES, SUBJECTS
from prism.studies.facts.sentences import (
    FORMS,
    NEAR_MISSES,
    NO_SHARED_WORD,
    RELATIONS,
    UNLISTED,
    sentence,
)

FUNCTION = re.compile(
    r"(a|an|and|are|as|at|been|by|called|do|for|from|has|have|here|how|i|in|is|it|its|of|on|one|or|"
    r"that|the|their|there|they|this|to|used|was|we|what|which|who|will|with|yes|you)"
)


def content(text: str) -> set[str]:
    words = re.findall(r"[a-z]+", text.replace("{s}", "").replace("{o}", "").lower())
    return {w.removesuffix("s") for w in words if not FUNCTION.fullmatch(w)}


@pytest.mark.parametrize("name", RELATIONS)
def test_unseen_wordings_are_not_written_ones(name):
    relation = RELATIONS[name]
    unseen = [t for _, t in relation.unseen()]
    assert len(unseen) == len(FORMS) + 2
    assert not set(unseen) & set(relation.written)


@pytest.mark.parametrize("name", RELATIONS)
def test_plain_wordings_share_no_content_word_with_written_ones(name):
    relation = RELATIONS[name]
    written = set().union(*map(content, relation.written))
    for form, template in relation.unseen():
        if form == NO_SHARED_WORD:
            assert not content(template) & written, template


def test_unlisted_questions_name_no_relation_of_the_tape():
    nouns = {r.noun for r in RELATIONS.values()}
    for templates in UNLISTED.values():
        assert not any(noun in t for noun in nouns for t in templates)


def test_every_kind_has_unlisted_questions_and_near_misses_belong_to_relations():
    assert set(UNLISTED) == {r.kind for r in RELATIONS.values()}
    assert set(NEAR_MISSES) <= set(RELATIONS)


def test_the_calibration_shares_no_wording_with_what_is_measured():
    probes = {t for p in PROBES for t in p.wordings()}
    nouns = {n for p in PROBES for n in p.nouns}
    asked = {t for r in RELATIONS.values() for t in (*r.written, *(u for _, u in r.unseen()))}
    unlisted = {t for templates in UNLISTED.values() for t in templates}
    assert not probes & (asked | unlisted)
    assert not nouns & {r.noun for r in RELATIONS.values()}


def test_probes_are_complete():
    for probe in PROBES:
        assert probe.kind in SUBJECTS
        assert all("{s}" in t and "{n}" not in t for t in probe.wordings())
    assert len({len(names) for names in SUBJECTS.values()}) == 1


def test_a_sentence_starts_with_a_capital():
    assert sentence("{s} is in {o}", "gold", "Rome") == "Gold is in Rome"
