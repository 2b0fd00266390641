"""AdamW under glass is torch's to the bit in its four forms, and names the cause."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from prism.probe.glass import CAUSES, Glass, torch_adamw
from prism.probe.variants import Variant, names_of, parsed

LIVE = Variant("live", torch.bfloat16, torch.bfloat16, "nearest", 0.999, 0.0)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_instrument_takes_the_steps_of_torch(dtype: torch.dtype, fused: bool) -> None:
    g = torch.Generator().manual_seed(0)
    start = (torch.randn(37, 5, generator=g) * 0.02).to(dtype)
    theirs = nn.Parameter(start.clone())
    form = {"fused": True} if fused else {"foreach": False}
    reference = AdamW([theirs], lr=1e-3, betas=(0.9, 0.999), weight_decay=0.1, **form)
    glass = Glass(start, torch_adamw(1e-3, (0.9, 0.999), 0.1, fused))
    for step in range(1000):
        rate = 1e-3 * (1 - step / 2000)
        grad = (torch.randn(37, 5, generator=g) * 0.9 ** (step / 50)).to(dtype)
        reference.param_groups[0]["lr"] = rate
        theirs.grad = grad.clone()
        reference.step()
        shares = glass.step(grad, rate, causes=step % 10 == 0)
        assert torch.equal(glass.p, theirs), step
        if shares is not None:
            assert sum(shares[c] for c in CAUSES) == pytest.approx(1)


def test_causes_of_a_cancelled_update_are_told_apart() -> None:
    weights = torch.tensor([[0.0, 1.0, 256.0, 1e-4]], dtype=torch.bfloat16)
    glass = Glass(weights, torch_adamw(1e-2, (0.9, 0.999), 0.0, False))
    grad = torch.tensor([[0.0, 1.0, 1.0, 1.0]], dtype=torch.bfloat16)
    shares = glass.step(grad, 1e-2, causes=True)
    # no gradient; moved by more than half of 2^-7; half of 2 is more than 0.01; moved
    assert shares == {"no_gradient": 0.25, "moved": 0.5, "below_half": 0.25, "other": 0.0}


def test_a_latched_second_moment_and_a_lost_decay_are_seen() -> None:
    weights = torch.full((1, 8), 0.5, dtype=torch.bfloat16)
    glass = Glass(weights, torch_adamw(3e-4, (0.9, 0.999), 0.1, False))
    glass.step(torch.ones_like(weights), 3e-4)
    shares = glass.step(torch.full_like(weights, 1e-3), 3e-4, causes=True)
    assert shares is not None
    assert shares["latched"] == 1.0  # .999 v rounds to v in bf16
    assert shares["decay_lost"] == 1.0  # 3e-5 is below 2^-9


def test_a_variant_is_read_from_its_name() -> None:
    found = parsed("w16 m32 stoch b2=.99 lr=.3 wd=.1 sigma=1e-5", LIVE)
    assert found.weights == torch.bfloat16 and found.moments == torch.float32
    assert (found.rounding, found.beta2, found.rate) == ("stochastic", 0.99, 0.3)
    assert (found.weight_decay, found.sigma, found.of_torch) == (0.1, 1e-5, False)
    with pytest.raises(ValueError, match="'w8' must be one of w16"):
        parsed("w8", LIVE)
    with pytest.raises(ValueError, match="fp32 weights are rounded to nearest only"):
        parsed("w32 stoch", LIVE)


def test_plans_name_variants_that_exist_and_differ() -> None:
    for plan in ("causes", "ablation", "starts"):
        names = names_of(plan)
        assert len({str(parsed(n, LIVE)).replace(n, "") for n in names}) == len(names)
    assert len(names_of("ablation")) == 6 * 8 + 4
