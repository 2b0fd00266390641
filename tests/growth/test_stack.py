"""``stack``: blocks repeat in order; the report says that the function does not stay."""

import dataclasses

import pytest
import torch

from prism import grow
from tests.growth.pairs import larger
from tests.model.families import perturbed, shrunk, tokens_of

EVERYWHERE = shrunk("tiny", num_layers=2)


def test_new_blocks_are_copies_in_order():
    model = perturbed(EVERYWHERE)
    result = grow(model, dataclasses.replace(EVERYWHERE, num_layers=5), method="stack")
    assert result.report.blocks == (0, 1, 0, 1, 0)
    for new, old in enumerate(result.report.blocks):
        mine, its = result.model.blocks[new].state_dict(), model.blocks[old].state_dict()
        assert all(torch.equal(mine[name], its[name]) for name in its)


def test_it_is_reported_as_not_exact():
    model = perturbed(EVERYWHERE)
    result = grow(model, dataclasses.replace(EVERYWHERE, num_layers=4), method="stack")
    tokens = tokens_of(0, 2, 9)
    assert not result.report.exact
    assert "NOT the same function" in str(result.report)
    assert (model(tokens).logits - result.model(tokens).logits).abs().max() > 1e-3
    copies = [row for row in result.report.tensors if row.name.startswith("blocks.2.")]
    assert {row.source.split(".")[1] for row in copies} == {"0"}


def test_width_alone_is_exact_under_either_name():
    model = perturbed(EVERYWHERE)
    result = grow(model, larger(EVERYWHERE, {"width"}), method="stack")
    tokens = tokens_of(0, 2, 9)
    assert result.report.exact
    assert (model(tokens).logits - result.model(tokens).logits).abs().max() <= 1e-10


def test_moments_are_copied_with_their_blocks():
    model = perturbed(EVERYWHERE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(tokens_of(0, 2, 9)).logits.square().mean().backward()
    optimizer.step()
    new = dataclasses.replace(EVERYWHERE, num_layers=4)
    result = grow(model, new, optimizer, method="stack")
    first, third = (result.model.blocks[i].bus.read.weight for i in (0, 2))
    state = result.optimizer.state
    assert torch.equal(state[first]["exp_avg"], state[third]["exp_avg"])
    assert state[first]["exp_avg"] is not state[third]["exp_avg"]


def test_the_memory_pattern_must_repeat_with_the_blocks():
    old = dataclasses.replace(EVERYWHERE, memory_layers=(1,))
    new = dataclasses.replace(old, num_layers=4, memory_layers=(1, 2))
    with pytest.raises(ValueError, match=r"memory_layers = \(1, 2\): must be \(1, 3\)"):
        grow(perturbed(old), new, method="stack")
