"""A sequence that the smaller model has begun is read on by the grown one as if nothing was."""

import pytest
import torch
from hypothesis import given

from prism import Prism, PrismConfig, grow
from tests.growth.pairs import PARTS, SOFT, larger, pairs
from tests.model.families import VARIANTS, perturbed, segments_of, tensors_of, tokens_of

START, LENGTH = 9, 17


@torch.no_grad()
def difference(model: Prism, new: PrismConfig, carry: bool = True) -> float:
    """Largest difference of logits on the second part of packed rows, after growing between."""
    tokens, segments = tokens_of(1, 3, LENGTH), segments_of(2, 3, LENGTH)
    state = model(tokens[:, :START], segment_ids=segments[:, :START]).state
    result = grow(model, new)
    rest, where = tokens[:, START:], segments[:, START:]
    before = model(rest, state=state, segment_ids=where).logits
    carried = result.state(state) if carry else None
    after = result.model(rest, state=carried, segment_ids=where).logits
    return (before - after).abs().max().item()


@given(pairs())
def test_whatever_grows_in_the_middle_of_a_sequence_the_function_stays(pair):
    old, new = pair
    assert difference(perturbed(old), new) <= 1e-10


@pytest.mark.parametrize("name", VARIANTS)
def test_so_it_does_when_everything_grows(name):
    config = VARIANTS[name]
    assert difference(perturbed(config), larger(config, PARTS, amount=2)) <= 1e-10
    assert difference(Prism(config).eval(), larger(config, PARTS)) <= 1e-5  # in single precision


def test_without_the_state_the_sequence_is_another_one():
    assert difference(perturbed(SOFT), larger(SOFT, PARTS), carry=False) > 0.1


def test_a_grown_state_has_the_structure_batch_and_types_of_the_grown_model():
    model = perturbed(SOFT, torch.float32)
    tokens = tokens_of(0, 5, 6)
    result = grow(model, larger(SOFT, PARTS))
    state = result.state(model(tokens, segment_ids=torch.zeros_like(tokens)).state)
    own = result.model(tokens, segment_ids=torch.zeros_like(tokens)).state
    assert [x.shape for x in tensors_of(state)] == [x.shape for x in tensors_of(own)]
    assert [x.dtype for x in tensors_of(state)] == [x.dtype for x in tensors_of(own)]
