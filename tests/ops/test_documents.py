"""Run numbers: a change of id starts a document, whatever the ids are."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.ops.documents import document_index, shift_right


def test_runs_count_the_changes_of_id():
    ids = torch.tensor([[7, 7, 2, 2, 2, 7, -1, -1]])
    assert document_index(ids, None).tolist() == [[0, 0, 1, 1, 1, 2, 3, 3]]


def test_run_zero_is_the_carried_document():
    ids = torch.tensor([[7, 7, 2], [7, 7, 2]])
    last = torch.tensor([7, 3])
    assert document_index(ids, last).tolist() == [[0, 0, 1], [1, 1, 2]]


def test_without_ids_there_is_one_document_that_goes_on():
    assert document_index(None, None) is None
    assert document_index(None, torch.tensor([3])) is None


@given(ids=st.lists(st.integers(-1, 2), min_size=2, max_size=12), data=st.data())
def test_the_runs_of_two_calls_are_those_of_one(ids, data):
    at = data.draw(st.integers(1, len(ids) - 1))
    row = torch.tensor([ids])
    whole = document_index(row, None)
    later = document_index(row[:, at:], row[:, at - 1])
    assert torch.equal(whole[:, at:] - whole[:, at - 1 : at], later)


def test_a_token_sees_the_one_before_it_in_its_document():
    x = torch.arange(1.0, 6.0).view(1, 5, 1)
    carry, doc_index = torch.tensor([[9.0]]), torch.tensor([[0, 0, 1, 1, 2]])
    assert shift_right(x, None, None).flatten().tolist() == [0, 1, 2, 3, 4]
    assert shift_right(x, carry, None).flatten().tolist() == [9, 1, 2, 3, 4]
    assert shift_right(x, carry, doc_index).flatten().tolist() == [9, 1, 0, 3, 0]
    assert shift_right(x, carry, doc_index + 1).flatten().tolist() == [0, 1, 0, 3, 0]
