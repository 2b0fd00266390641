"""Growing exactly keeps the loss and leaves nothing dead; padding with zeros does neither."""

from __future__ import annotations

import pytest

from benchmarks.levers.loop import held_out_loss, stay
from benchmarks.levers.operators import OPERATORS, Losses, Silent, grown
from benchmarks.levers.text import config
from prism import PrismConfig
from prism.engine.cost.flops import count
from tests.benchmarks.fakes import LENGTH, batch, learner

DEEPER, WIDER = (PrismConfig.from_dict(config(d, layers)) for d, layers in ((16, 3), (32, 1)))
CASES = [("exact", DEEPER), ("exact", WIDER), ("stack", DEEPER), ("random", DEEPER), ("pad", WIDER)]


@pytest.mark.parametrize(("operator", "target"), CASES)
def test_every_way_trains_on_at_the_new_size_and_leaves_the_small_one(
    operator: str, target: PrismConfig
) -> None:
    small = learner()
    stay(small, batch, 6)
    before = held_out_loss(small.model, [batch(1000)])
    large, new = grown(small, target, "target", operator, LENGTH)
    assert large.model.config == target
    assert large.flops_per_token == count(large.model, LENGTH).training > small.flops_per_token
    assert {name: m.shape for name, m in new.items()} == {
        name: p.shape for name, p in large.model.named_parameters()
    }
    if operator != "stack":
        added = large.model.num_parameters() - small.model.num_parameters()
        assert sum(int(m.sum()) for m in new.values()) == added
    stay(large, batch, 9)
    assert large.steps == {"small": 6, "target": 3}
    assert held_out_loss(small.model, [batch(1000)]) == before


@pytest.mark.parametrize("target", [DEEPER, WIDER])
def test_after_growing_exactly_the_loss_is_the_same_and_nothing_is_dead(
    target: PrismConfig,
) -> None:
    small = learner()
    stay(small, batch, 6)
    losses = Losses(small, [batch(1000)], watched=10)
    large, new = grown(small, target, "target", "exact", LENGTH)
    losses.look(large)
    assert losses.seen[0] == pytest.approx(losses.before, abs=1e-5)
    silent = Silent(new, small.step)
    stay(large, batch, 8, watch=silent)
    assert silent.new > 0
    assert silent.dead == {}


def test_padding_with_zeros_changes_the_loss_and_leaves_dead_weights() -> None:
    small = learner()
    stay(small, batch, 6)
    losses = Losses(small, [batch(1000)], watched=10)
    large, new = grown(small, WIDER, "target", "pad", LENGTH)
    losses.look(large)
    assert abs(losses.seen[0] - losses.before) > 0.01
    silent = Silent(new, small.step)
    stay(large, batch, 8, watch=silent)
    assert sum(silent.dead.values()) > silent.new / 4


def test_losses_are_looked_at_after_the_first_and_every_tenth_step() -> None:
    one = learner()
    losses = Losses(one, [batch(1000)], watched=20)
    stay(one, batch, 25, watch=losses)
    assert len(losses.seen) == 3


def test_the_operators_are_those_that_are_tested() -> None:
    assert {operator for operator, _ in CASES} == set(OPERATORS)
