"""One loop for all arms: the same rates, the same batches, copies leave the original unchanged."""

from __future__ import annotations

import pytest
import torch

from benchmarks.levers.loop import Budget, budgets, decay, ends, held_out_loss, stay, train_step
from benchmarks.levers.text import Text, TextShape, shuffled
from prism.data import RowBatch
from tests.benchmarks.fakes import batch, learner


def rates_of(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rates of the steps that follow."""
    seen: list[float] = []

    def step(learner: object, batch: RowBatch, rate: float, weigh: object = None) -> float:
        seen.append(rate)
        return 0.0

    monkeypatch.setattr("benchmarks.levers.loop.train_step", step)
    return seen


def test_the_rate_warms_up_stays_and_ends_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, one = rates_of(monkeypatch), learner(peak=1.0)
    stay(one, batch, 4)
    decay(one, batch, 4)
    assert seen == [0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    assert one.steps == {"small": 8}
    assert one.tokens == 8 * batch(0).tokens.numel()
    assert one.flops == one.tokens * one.flops_per_token


def test_training_lowers_the_held_out_loss() -> None:
    one, held_out = learner(), [batch(1000)]
    before = held_out_loss(one.model, held_out)
    stay(one, batch, 12)
    assert held_out_loss(one.model, held_out) < before - 0.2
    assert one.model.training


def test_weights_of_one_change_nothing() -> None:
    plain, weighed = learner(), learner()
    for step in range(3):
        train_step(plain, batch(step), 0.01)
        train_step(weighed, batch(step), 0.01, lambda losses, rows: torch.ones_like(losses))
    for a, b in zip(plain.model.parameters(), weighed.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_target_of_weight_zero_teaches_nothing() -> None:
    one = learner()
    before = [p.clone() for p in one.model.parameters()]
    for group in one.optimizer.param_groups:
        group["weight_decay"] = 0.0
    z_loss_only = one.model(batch(0).tokens, segment_ids=batch(0).segment_ids).aux_loss
    assert z_loss_only >= 0
    train_step(one, batch(0), 0.01, lambda losses, rows: torch.zeros_like(losses))
    head = one.model.embedding.weight
    unused = torch.ones(len(head), dtype=torch.bool)
    unused[batch(0).tokens.flatten()] = False
    assert torch.equal(head[unused], before[0][unused])


def test_a_branch_leaves_the_original_as_it_would_have_been() -> None:
    branched, straight = learner(), learner()
    rows = ends(branched, batch, [batch(1000)], [Budget(0.5, 2, 2), Budget(1.0, 4, 2)])
    stay(straight, batch, 4)
    for a, b in zip(branched.model.parameters(), straight.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [row["steps"] for row in rows] == [{"small": 4}, {"small": 6}]
    decay(straight, batch, 2)
    assert held_out_loss(straight.model, [batch(1000)]) == rows[-1]["loss"]


def test_budgets_hold_what_was_spent_before_and_the_decay() -> None:
    found = budgets((0.5, 1.0), total=100, done=20, decay_share=0.2)
    assert found == [Budget(0.5, 20, 10), Budget(1.0, 60, 20)]
    with pytest.raises(ValueError, match=r"share = 0\.2: leaves"):
        budgets((0.2,), total=100, done=20, decay_share=0.2)


def test_a_seed_gives_the_same_text_to_all_and_another_seed_other_text() -> None:
    text, shape = Text("pydoc", "pydoc"), TextShape(rows=2, length=8, held_out=64)
    first, again, other = (text.batches(shape, seed) for seed in (0, 0, 1))
    assert torch.equal(first(3).tokens, again(3).tokens)
    assert torch.equal(first(0).tokens, again(0).tokens)
    assert not torch.equal(first(3).tokens, other(3).tokens)


def rows_of(batches) -> list[tuple]:
    """Every row with all that belongs to it."""
    return sorted(
        (tuple(t.tolist()), tuple(y.tolist()), tuple(s.tolist()), source, int(count))
        for b in batches
        for t, y, s, source, count in zip(
            b.tokens, b.targets, b.segment_ids, b.sources, b.bytes, strict=True
        )
    )


def test_every_row_is_there_once_and_whole():
    batches = [batch(i) for i in range(6)]
    other = shuffled(batches, seed=3)
    assert rows_of(other) == rows_of(batches)
    assert [b.tokens.shape for b in other] == [b.tokens.shape for b in batches]


def test_the_order_is_another_and_the_seed_decides_it():
    batches = [batch(i) for i in range(6)]
    orders = {
        seed: torch.cat([b.tokens for b in shuffled(batches, seed)]).flatten().tolist()
        for seed in (1, 2)
    }
    assert orders[1] != orders[2] != torch.cat([b.tokens for b in batches]).flatten().tolist()
    again = torch.cat([b.tokens for b in shuffled(batches, 1)]).flatten().tolist()
    assert orders[1] == again
