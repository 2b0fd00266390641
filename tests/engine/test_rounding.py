"""Weights in bf16 alone: rounding keeps what small updates add up to, and a resume is exact."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from prism.engine.loop.rounding import ROUNDINGS, RoundedAdamW, rounded
from prism.engine.settings import Settings
from prism.engine.store import checkpoint
from tests.engine.fakes import fit, small, small_trainer, whole


def pure(**values: object) -> Settings:
    return small(dtype="bf16", weights="bf16", **values)


def test_on_fp32_it_is_the_adamw_of_torch_to_the_bit() -> None:
    g = torch.Generator().manual_seed(0)
    start = torch.randn(33, 7, generator=g)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = RoundedAdamW([ours], 1e-2, (0.9, 0.99), "nearest", torch.float32, weight_decay=0.1)
    reference = AdamW([theirs], lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1, foreach=False)
    for _ in range(100):
        ours.grad = torch.randn(33, 7, generator=g)
        theirs.grad = ours.grad.clone()
        mine.step()
        reference.step()
    assert torch.equal(ours, theirs)


def test_stochastic_rounding_gives_a_neighbour_and_is_right_on_average() -> None:
    exact = torch.tensor([1.0 + 2**-9, -1.0 - 3 * 2**-10, 3e-39, -0.0, 2.0]).repeat(20_000, 1)
    found = rounded(exact, torch.bfloat16, torch.Generator().manual_seed(1)).float()
    low, high = torch.tensor([1.0, 1 + 2**-7]), torch.tensor([-1.0, -1 - 2**-7])
    assert set(found[:, 0].tolist()) == set(low.tolist())
    assert set(found[:, 1].tolist()) == set(high.tolist())
    share = (found[:, :2].abs() > 1).double().mean(dim=0)
    assert (share - torch.tensor([0.25, 0.375])).abs().max() < 0.012  # 3 deviations
    assert torch.equal(found[:, 3:], exact[:, 3:])  # what bf16 has is left as it is
    assert found[:, 3].signbit().all()


def test_what_is_not_finite_stays_what_it_is() -> None:
    x = torch.tensor([float("inf"), float("-inf"), float("nan")])
    found = rounded(x, torch.bfloat16, torch.Generator().manual_seed(0))
    assert found[0] == torch.inf and found[1] == -torch.inf and found[2].isnan()


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_small_updates_are_lost_to_nearest_rounding_only(rounding: str) -> None:
    p = nn.Parameter(torch.ones(1000, dtype=torch.bfloat16))
    optimizer = RoundedAdamW([p], 1e-4, (0.9, 0.999), rounding, torch.float32, seed=3)
    for _ in range(200):  # each update is 1e-4, a fortieth of the distance to the number below 1
        p.grad = torch.ones_like(p)
        optimizer.step()
    moved = 1 - p.detach().float().mean().item()
    if rounding == "nearest":
        assert moved == 0
    else:
        assert moved == pytest.approx(200 * 1e-4, rel=0.1)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_second_moments_in_bf16_fall_again_with_stochastic_rounding_only(rounding: str) -> None:
    p = nn.Parameter(torch.zeros(500, dtype=torch.bfloat16))
    optimizer = RoundedAdamW([p], 1e-3, (0.9, 0.999), rounding, torch.bfloat16)
    for step in range(700):
        p.grad = torch.full_like(p, 1.0 if step < 50 else 0.0)
        optimizer.step()
        if step == 49:
            high = optimizer.state[p]["exp_avg_sq"].float().mean()
    fallen = (optimizer.state[p]["exp_avg_sq"].float().mean() / high).item()
    if rounding == "stochastic":
        assert fallen == pytest.approx(0.999**650, rel=0.05)
    else:
        assert fallen == 1.0


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_resume_is_exact(rounding: str, tmp_path: Path) -> None:
    s = pure(rounding=rounding, keep=9, moments="fp32" if rounding == "kahan" else None)
    with small_trainer(s, tmp_path) as t:
        fit(t)
        assert all(p.dtype == torch.bfloat16 for p in t.model.parameters())
        once = whole(checkpoint.persistent(t.model)) | whole(t.optimizers.tensors())
    with small_trainer(s, tmp_path, tmp_path / "step-00000003", resume=True) as t:
        fit(t)
        again = whole(checkpoint.persistent(t.model)) | whole(t.optimizers.tensors())
    assert once.keys() == again.keys()
    for name in once:
        assert torch.equal(once[name], again[name]), name


def test_pure_bf16_is_refused_where_it_cannot_be() -> None:
    with pytest.raises(ValueError, match="--weights bf16: needs --dtype bf16"):
        small(weights="bf16")
    with pytest.raises(ValueError, match="--weights bf16: needs"):
        pure(optimizer="muon")
