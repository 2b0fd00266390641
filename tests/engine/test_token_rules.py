"""Token weights as functions of the losses of a whole batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prism.engine.levers.token_rules import LARGEST, RecyclingWeights, excess_weights
from prism.engine.settings import parse_share

Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # loss, loss of the reference, targets, valid
VOCAB = 7


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    n, t, seed = draw(st.integers(1, 5)), draw(st.integers(1, 9)), draw(st.integers(0, 2**31))
    g = torch.Generator().manual_seed(seed)
    loss = 3 * torch.rand(n, t, generator=g, dtype=torch.float64)
    theirs = 3 * torch.rand(n, t, generator=g, dtype=torch.float64)
    valid = torch.rand(n, t, generator=g) < draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    targets = torch.where(valid, torch.randint(VOCAB, (n, t), generator=g), -100)
    return loss, theirs, targets, valid


@given(batch=batches(), share=st.floats(0.01, 1.0))
def test_exactly_the_share_with_the_largest_excess_is_chosen(batch: Batch, share: float) -> None:
    loss, theirs, _, valid = batch
    weights = excess_weights(loss, theirs, valid, share)
    total = int(valid.sum())
    assert weights.sum() == (max(1, round(share * total)) if total else 0)
    assert set(weights.unique().tolist()) <= {0.0, 1.0}
    chosen, excess = weights.bool(), loss - theirs
    assert not (chosen & ~valid).any()
    if chosen.any() and (valid & ~chosen).any():
        assert excess[chosen].min() >= excess[valid & ~chosen].max()


@given(batch=batches(), share=st.floats(0.01, 1.0), seed=st.integers(0, 2**31))
def test_which_row_a_target_stands_in_does_not_matter(
    batch: Batch, share: float, seed: int
) -> None:
    loss, theirs, targets, valid = batch
    order = torch.randperm(len(loss), generator=torch.Generator().manual_seed(seed))
    moved = excess_weights(loss[order], theirs[order], valid[order], share)
    assert torch.equal(moved, excess_weights(loss, theirs, valid, share)[order])
    rule = RecyclingWeights(VOCAB)
    rule.update(loss, targets, valid)
    moved = rule.weights(loss[order], targets[order], valid[order])
    torch.testing.assert_close(moved, rule.weights(loss, targets, valid)[order])


def test_noise_that_no_model_can_learn_is_left_out() -> None:
    learned, to_learn, noise = (0.2, 0.2), (3.0, 1.0), (6.0, 6.0)
    loss, theirs = torch.tensor([learned, to_learn, noise, to_learn]).T.unsqueeze(1)
    weights = excess_weights(loss, theirs, torch.ones(1, 4, dtype=torch.bool), 0.5)
    assert weights.tolist() == [[0, 1, 0, 1]]


def test_of_equals_the_first_is_chosen() -> None:
    equal = torch.zeros(2, 3)
    valid = torch.tensor([[False, True, True], [True, True, True]])
    assert excess_weights(equal, equal, valid, 0.4).tolist() == [[0, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan")])
def test_a_share_of_nothing_or_more_than_all_is_refused(share: float) -> None:
    one = torch.ones(1, 1)
    with pytest.raises(ValueError, match=r"share = .*: must be in \(0, 1\]"):
        excess_weights(one, one, one.bool(), share)


def test_the_share_stands_behind_the_rule() -> None:
    assert parse_share("excess:0.25") == 0.25
    assert parse_share("excess") == 0.6
    for text in ("excess:", "excess:0", "excess:x", "excess:nan", "loss:0.5"):
        with pytest.raises(ValueError, match=f"--token-selection {text}: must be excess or"):
            parse_share(text)


@given(before=batches(), batch=batches())
def test_recycling_moves_weight_but_makes_none(before: Batch, batch: Batch) -> None:
    rule = RecyclingWeights(VOCAB)
    rule.update(*(before[i] for i in (0, 2, 3)))
    loss, _, targets, valid = batch
    weights = rule.weights(loss, targets, valid)
    assert weights.sum().item() == pytest.approx(valid.sum().item())
    assert (weights[~valid] == 0).all()
    if valid.any():
        assert weights[valid].max() <= LARGEST**2 * (1 + 1e-9) * weights[valid].min()


def test_before_anything_is_known_all_weigh_the_same() -> None:
    valid = torch.tensor([[True, False, True]])
    weights = RecyclingWeights(VOCAB).weights(torch.tensor([[9.0, 9.0, 0.1]]), valid.long(), valid)
    assert weights.tolist() == [[1, 0, 1]]


def seen(means: list[float], times: int = 2000, spread: float = 0.5) -> RecyclingWeights:
    """A rule that has seen tokens 0, 1, ... with losses around their means."""
    rule = RecyclingWeights(VOCAB)
    g = torch.Generator().manual_seed(0)
    for token, mean in enumerate(means):
        loss = mean + spread * torch.randn(1, times, generator=g)
        rule.update(loss, torch.full((1, times), token), torch.ones(1, times, dtype=torch.bool))
    return rule


def test_hard_means_hard_for_its_own_kind() -> None:
    rule = seen([1.0, 5.0])
    valid = torch.ones(1, 4, dtype=torch.bool)
    ids = torch.tensor([[0, 0, 1, 1]])
    weights = rule.weights(torch.tensor([[1.0, 2.0, 5.0, 2.0]]), ids, valid)[0]
    usual, hard, usual_too, easy = weights.tolist()
    assert hard > 2 * usual
    assert usual == pytest.approx(usual_too, rel=0.2)
    assert easy < usual / 2


def test_a_token_seen_once_is_judged_by_all_tokens() -> None:
    rule = seen([1.0, 1.0])
    one = torch.ones(1, 1, dtype=torch.bool)
    rule.update(torch.tensor([[4.0]]), torch.tensor([[2]]), one)
    mean, _ = rule._moments()
    assert mean[2].item() == pytest.approx(1.0, abs=0.2)
    assert mean[0].item() == pytest.approx(1.0, abs=0.1)


def test_padding_teaches_the_statistics_nothing() -> None:
    loss, targets = torch.tensor([[1.0, 50.0]]), torch.tensor([[3, -100]])
    rule = RecyclingWeights(VOCAB)
    rule.update(loss, targets, targets >= 0)
    assert rule.sums[:, 3].tolist() == [1, 1, 1]
    assert rule.sums.sum() == 3


def test_what_is_long_ago_counts_less_and_less() -> None:
    rule = seen([1.0], times=100)
    later = torch.full((1, 100), 2.0)
    for _ in range(500):
        rule.update(later, torch.zeros(1, 100, dtype=torch.long), later > 0)
    mean, deviation = rule._moments()
    assert mean[0].item() == pytest.approx(2.0, abs=1e-2)
    assert deviation[0] < 0.1
