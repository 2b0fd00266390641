"""Token weights in training: the same for every split of the batch, saved and resumed exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from prism.engine.levers.token_rules import RecyclingWeights, excess_weights
from prism.engine.levers.token_weights import Excess
from prism.engine.loop.guard import DivergedError
from prism.engine.loop.loss import token_losses
from prism.engine.loop.step import accumulate
from prism.engine.models import make_model, model_config
from prism.engine.settings import Settings
from prism.engine.store import folder
from prism.model.protocol import detach_state
from tests.engine.fakes import (
    TOP2,
    VOCAB,
    RaggedFeed,
    Ranks,
    fit,
    paid,
    small,
    small_trainer,
    whole,
)

LANES = 4
EXCESS = {"token_selection": "excess:0.4", "reference": "gdn"}
RECYCLING = {"token_recycling": True}
RULES: list[dict[str, Any]] = [EXCESS, RECYCLING]
Gradients = dict[str, torch.Tensor]


def gradients(s: Settings, run: Path) -> tuple[Gradients, float, float | None]:
    """After the second step, which knows of the first: gradients, loss, share selected."""
    with small_trainer(s, run) as t:
        for _ in range(2):
            t.optimizers.zero_grad()
            found = accumulate(t.model, t.spec.feed.next(), t.states, t.w, t.spec.losses)
        grads = whole({name: p.grad for name, p in t.model.named_parameters()})
    return grads, found.loss, found.logs.get("selected")


def close(a: Gradients, b: Gradients) -> None:
    scale = max(g.abs().max() for g in b.values())
    for name, g in b.items():
        worst = (a[name] - g).abs().max() / scale
        assert worst < 1e-9, f"{name}: {worst}"


def by_hand(s: Settings) -> tuple[Gradients, float]:
    """The same without an engine: plain models on all rows at once."""
    config = model_config(s, VOCAB)
    model = make_model(s.model, config).double()
    model.set_exploration(0.0)
    other = make_model(s.reference or "gdn", config).double()
    feed, rule = RaggedFeed(range(LANES), s.seq_len), RecyclingWeights(VOCAB)
    state = other_state = None
    for _ in range(2):
        batch = feed.next()
        read = {"tokens": batch.tokens, "segment_ids": batch.segment_ids}
        output, seen = model(state=state, **read), other(state=other_state, **read)
        state, other_state = detach_state(output.state), detach_state(seen.state)
        loss = token_losses(output.logits, batch.targets)
        valid = batch.targets >= 0
        if s.token_recycling:
            weights = rule.weights(loss.detach(), batch.targets, valid)
            rule.update(loss, batch.targets, valid)
        else:
            theirs = token_losses(seen.logits, batch.targets)
            weights = excess_weights(loss.detach(), theirs.detach(), valid, 0.4)
    model.zero_grad()
    price = (
        paid(output.penalty, batch.out_of_domain, batch.segment_ids)
        / (batch.segment_ids >= 0).sum()
    )
    ((weights * loss).sum() / weights.sum() + price).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return grads, (loss.sum() / valid.sum()).item()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_gradients_are_those_of_a_plain_model_with_the_weights(
    rule: dict[str, Any], tmp_path: Path
) -> None:
    s = small(dtype="fp64", set=TOP2, **rule)
    grads, loss, selected = gradients(s, tmp_path)
    wanted, total = by_hand(s)
    close(grads, wanted)
    assert loss == pytest.approx(total, rel=1e-12)  # unweighted
    assert 0 < selected < 1
    if s.token_selection:
        assert selected == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_micro_batches_change_neither_weights_nor_gradients(
    rule: dict[str, Any], tmp_path: Path
) -> None:
    one = gradients(small(dtype="fp64", set=TOP2, **rule), tmp_path)
    for micro in (1, 2):
        s = small(dtype="fp64", set=TOP2, micro_batch_size=micro, **rule)
        split = gradients(s, tmp_path)
        close(split[0], one[0])
        assert split[1:] == pytest.approx(one[1:], rel=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_ranks_change_neither_weights_nor_gradients(
    rule: dict[str, Any], pair: Ranks, tmp_path: Path
) -> None:
    one = gradients(small(dtype="fp64", set=TOP2, **rule), tmp_path)
    for micro in (None, 1):
        s = small(dtype="fp64", set=TOP2, micro_batch_size=micro, **rule)
        for found in pair.run(gradients, tmp_path, s, tmp_path):
            close(found[0], one[0])
            assert found[1:] == pytest.approx(one[1:], rel=1e-12)


def test_all_the_targets_are_no_selection(tmp_path: Path) -> None:
    plain = gradients(small(dtype="fp64"), tmp_path)
    s = small(dtype="fp64", token_selection="excess:1", reference="gdn")
    every = gradients(s, tmp_path)
    close(every[0], plain[0])
    assert (plain[2], every[2]) == (None, 1.0)


Result = tuple[list[float], dict[str, torch.Tensor]]


def train(s: Settings, run: Path, start: Path | None = None) -> Result:
    """Losses and shares, and every tensor that is saved."""
    with small_trainer(s, run, start, resume=start is not None) as t:
        records = fit(t)
        tensors = t._tensors() | t.states.tensors() | t.spec.losses[0].tensors()
        tensors = whole(tensors)
    numbers = [r[name] for r in records for name in ("loss", "selected") if name in r]
    return numbers, tensors


def same(a: Result, b: Result) -> None:
    assert a[0] == b[0]
    assert a[1].keys() == b[1].keys()
    for name, tensor in a[1].items():
        assert torch.equal(tensor, b[1][name]), name


OPTIONS: list[Any] = [
    {"dtype": "bf16", **EXCESS},
    {"micro_batch_size": 2, **EXCESS, "reference": "transformer"},
    pytest.param({"carry": False, **EXCESS}, marks=pytest.mark.slow),
    {"async_save": False, **RECYCLING},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_resumed_run_is_equal_to_the_bit(options: dict[str, Any], tmp_path: Path) -> None:
    s = small(**options)
    through = train(s, tmp_path / "a")
    resumed = train(s, tmp_path / "b", folder.final_name(tmp_path / "a", 3))
    assert len(through[0]) == 12
    same((through[0][6:], through[1]), resumed)


@pytest.mark.parametrize("rule", [EXCESS, pytest.param(RECYCLING, marks=pytest.mark.slow)])
def test_one_rank_goes_on_from_two(rule: dict[str, Any], pair: Ranks, tmp_path: Path) -> None:
    s = small(dtype="fp64", **rule)
    through = pair.run(train, tmp_path, s, tmp_path / "a")
    alone = train(s, tmp_path / "c", folder.final_name(tmp_path / "a", 3))
    assert alone[0] == pytest.approx(through[0][0][6:], rel=1e-9)
    lanes = through[0][1] | through[1][1]
    for name, tensor in alone[1].items():
        torch.testing.assert_close(tensor, lanes[name], rtol=1e-6, atol=1e-9)


def test_the_reference_reads_on_and_learns_nothing(tmp_path: Path) -> None:
    with small_trainer(small(steps=2, **EXCESS), tmp_path) as t:
        rule = t.spec.losses[0].rule
        assert isinstance(rule, Excess)
        before = whole(rule.reference.state_dict())
        fit(t)
        after = rule.reference.state_dict()
        assert all(torch.equal(after[name], x) for name, x in before.items())
        assert rule.states.started
    with small_trainer(small(**{**EXCESS, "reference": "transformer"}), tmp_path / "b") as t:
        rule = t.spec.losses[0].rule
        assert isinstance(rule, Excess)
        assert not rule.states.carry  # its state has no fixed size


def test_a_loss_that_is_not_finite_stops_a_run_with_weights_too(tmp_path: Path) -> None:
    for rule in RULES:
        with small_trainer(small(**rule), tmp_path) as t:
            with torch.no_grad():
                t.model.embedding.weight.fill_(float("inf"))
            with pytest.raises(
                DivergedError, match="step 1: the loss is not finite in row stream 0"
            ):
                fit(t)
