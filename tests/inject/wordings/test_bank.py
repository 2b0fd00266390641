"""The bank of wordings is well formed, and a bad line of it is named."""

from __future__ import annotations

from collections import Counter

import pytest

from prism.inject.wordings.bank import SLOT, read, relations, statement


def test_every_relation_has_wordings_with_one_place_for_the_subject() -> None:
    assert len(relations()) > 600
    for relation in relations():
        assert relation.kind and relation.names and relation.wordings, relation
        assert all(w.count(SLOT) == 1 for w in relation.wordings), relation
        assert len(relation.texts()) == len(relation.wordings) + len(relation.names)


def test_no_two_relations_of_a_kind_share_a_name() -> None:
    counts = Counter((r.kind, name) for r in relations() for name in r.names)
    assert [key for key, n in counts.items() if n > 1] == []


def test_no_wording_stands_for_two_relations_of_a_kind() -> None:
    counts = Counter((r.kind, w) for r in relations() for w in r.wordings)
    assert [key for key, n in counts.items() if n > 1] == []


def test_a_file_is_read_as_it_is_written() -> None:
    lines = [
        *("@ city", "# mayor | lord mayor, city leader", "{} is run by", "Who runs {} is"),
        *("# river", "By {} flows the"),
    ]
    mayor, river = read("\n".join(lines), "places.txt")
    assert mayor.names == ("mayor", "lord mayor", "city leader")
    assert mayor.wordings == ("{} is run by", "Who runs {} is")
    assert river.kind == "city"
    assert river.texts() == ["By X flows the", statement("river")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{} is run by\n", 1),
        ("@ city\n{} is run by\n", 2),
        ("@ city\n# mayor\nThe mayor is\n", 3),
        ("@ city\n# mayor\n{} and {} are run by\n", 3),
    ],
)
def test_a_bad_line_is_named(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=rf"places\.txt, line {line}: .*must be"):
        read(text, "places.txt")
