"""Lookup of what followed the last n tokens: equal to a dictionary, in any calls, of any size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prism.model.state import leaves
from prism.model.symbolic.suffix import NONE, empty_table, suffix_lookup, suffix_lookup_loop
from prism.ops.documents import padding_last
from tests.ops.references import document_indices

LENGTHS = (1, 2, 3, 5)
LARGE = 1 << 16


def tokens_of(seed: int, batch: int, length: int, words: int = 3) -> Tensor:
    return torch.randint(words, (batch, length), generator=torch.Generator().manual_seed(seed))


def table(batch: int, slots: int, lengths: tuple[int, ...] = LENGTHS):
    return empty_table(batch, lengths, slots, torch.device("cpu"))


def same(one, other) -> bool:
    """Equal states."""
    return all(torch.equal(a, b) for a, b in zip(leaves(one), leaves(other), strict=True))


def by_dictionary(row: list[int], documents: list[int], n: int) -> list[int]:
    """Tokens that followed the last occurrence of the last ``n`` in the token's document."""
    found, seen, context = [], {}, None
    for t, token in enumerate(row):
        if context is not None:
            seen[context] = token
        whole = t + 1 >= n and documents[t - n + 1] == documents[t]
        context = (documents[t], *row[t - n + 1 : t + 1]) if whole else None
        found.append(seen.get(context, NONE))
    return found


@given(data=st.data(), seed=st.integers(0, 99), length=st.integers(1, 60))
def test_it_finds_what_a_dictionary_finds(data, seed, length):
    tokens = tokens_of(seed, 2, length)
    documents = data.draw(document_indices(2, length))
    found, _ = suffix_lookup(tokens, table(2, LARGE), LENGTHS, documents)
    of = torch.zeros_like(tokens) if documents is None else documents
    for i, n in enumerate(LENGTHS):
        rows = zip(tokens.tolist(), of.tolist(), strict=True)
        assert found[..., i].tolist() == [by_dictionary(*row, n) for row in rows]


@given(data=st.data(), seed=st.integers(0, 99), length=st.integers(2, 60), slots=st.integers(1, 40))
def test_all_at_once_is_one_by_one_whatever_was_overwritten(data, seed, length, slots):
    tokens = tokens_of(seed, 2, length)
    documents = data.draw(document_indices(2, length))
    found, after = suffix_lookup(tokens, table(2, slots), LENGTHS, documents)
    wanted, left = suffix_lookup_loop(tokens, table(2, slots), LENGTHS, documents)
    assert torch.equal(found, wanted)
    assert same(after, left)


@given(seed=st.integers(0, 99), slots=st.integers(1, 40), cut=st.integers(1, 49))
def test_calls_that_carry_the_table_are_one_call(seed, slots, cut):
    tokens = tokens_of(seed, 2, 50)
    found, after = suffix_lookup(tokens, table(2, slots), LENGTHS)
    first, between = suffix_lookup(tokens[:, :cut], table(2, slots), LENGTHS)
    second, left = suffix_lookup(tokens[:, cut:], between, LENGTHS)
    assert torch.equal(torch.cat([first, second], dim=1), found)
    assert same(after, left)


@given(seed=st.integers(0, 99), slots=st.integers(1, 40), length=st.integers(1, 30))
def test_padding_leaves_the_table_as_it_was(seed, slots, length):
    before = suffix_lookup(tokens_of(seed + 1, 3, 20), table(3, slots), LENGTHS)[1]
    tokens = tokens_of(seed, 3, length)
    real = torch.rand(3, length, generator=torch.Generator().manual_seed(seed)) < 0.6
    rows = padding_last(tokens, real.long() - 1, torch.zeros(3, dtype=torch.long))
    _, after = suffix_lookup(rows.tokens, before, LENGTHS, rows.doc_index, rows.ends)
    for i in range(3):
        mine, alone = before.select(i), tokens[i : i + 1, real[i]]
        if alone.numel():
            mine = suffix_lookup(alone, mine, LENGTHS)[1]
        assert same(after.select(i), mine)


@pytest.mark.parametrize("length", (1, 7))
def test_a_slot_keeps_its_last_entry(length):
    """One slot for all contexts: only the token before last can still be known."""
    tokens = torch.tensor([[0, 1, 0, 1, 1, 1, 0]])
    state, found = table(1, 1, (1,)), []
    for part in tokens.split(length, dim=1):
        each, state = suffix_lookup(part, state, (1,))
        found += each.flatten().tolist()
    assert found == [NONE, NONE, NONE, NONE, 1, 1, NONE]


def test_a_document_finds_nothing_of_the_one_before():
    tokens = torch.tensor([[1, 2, 1, 2, 1, 2]])
    documents = torch.tensor([[0, 0, 0, 1, 1, 1]])
    found, _ = suffix_lookup(tokens, table(1, LARGE, (1,)), (1,), documents)
    assert found.flatten().tolist() == [NONE, NONE, 2, NONE, NONE, 1]


def test_other_lengths_do_not_move_a_table():
    tokens = tokens_of(0, 2, 40)
    alone, _ = suffix_lookup(tokens, table(2, 7, (3,)), (3,))
    among, _ = suffix_lookup(tokens, table(2, 7, (5, 3, 1)), (5, 3, 1))
    assert torch.equal(among[..., 1:2], alone)
