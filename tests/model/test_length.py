"""I5: 16,384 tokens are as well-behaved as 16, and a half-life is what the config says."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from prism import Prism, PrismConfig, presets
from prism.model.bus import MultiRateBus
from prism.recipe import own_loss
from tests.model.families import FAMILIES, VOCAB, perturbed, shrunk

LENGTH = 16_384


@pytest.mark.parametrize("name", FAMILIES)
def test_loss_and_gradients_are_finite_at_16384_tokens(name):
    model = perturbed(shrunk(name, chunk_size=64), torch.float32)
    tokens = torch.randint(VOCAB, (1, LENGTH), generator=torch.Generator().manual_seed(0))
    output = model(tokens)

    def words(logits: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits[0, :-1], tokens[0, 1:])

    loss = words(output.logits) + own_loss(output, words) + output.aux_loss
    loss.backward()
    assert loss.isfinite()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("chunk_size", (1, 2, 3))
@torch.no_grad()
def test_the_smallest_chunks_reach_any_length(chunk_size):
    model = Prism(shrunk("tiny", num_layers=1, chunk_size=chunk_size))
    assert model(torch.zeros(1, 2048, dtype=torch.long)).logits.isfinite().all()


def bus_memory(bus: MultiRateBus, tokens: int) -> torch.Tensor:
    """State of the bus ``[K, G]`` left of one input, ``tokens`` after it. A gate of time that has
    learned nothing lets one token be one step."""
    x = torch.zeros(1, tokens + 1, bus.read.in_features, dtype=torch.float64)
    x[:, 0] = 1
    return bus(x, None, bus.frame(x, None))[1][0]


gated = pytest.mark.parametrize("reset", (True, False), ids=("gated", "fixed"))


@gated
@pytest.mark.parametrize("lives", {presets.get(name).bus_half_lives for name in FAMILIES}, ids=len)
@torch.no_grad()
def test_what_the_bus_holds_halves_in_one_half_life(lives, reset):
    for rate, half_life in enumerate(lives):
        bus = MultiRateBus(len(lives), lives, 64, reset).double()
        whole = max(1, round(half_life))
        left = bus_memory(bus, whole)[rate] / bus_memory(bus, 0)[rate]
        assert torch.allclose(left.log2(), torch.tensor(-whole / half_life).double(), rtol=1e-6)


@gated
@torch.no_grad()
def test_extreme_half_lives_are_exact(reset):
    bus = MultiRateBus(4, (0.25, 1.0, 50_000.0, 100_000.0), 64, reset).double()
    start = bus_memory(bus, 0)[:, 0]
    assert torch.allclose(
        bus_memory(bus, 1)[:2, 0] / start[:2], torch.tensor([2.0**-4, 0.5]).double()
    )
    after = bus_memory(bus, 100_000)[:, 0] / start
    assert torch.allclose(after[2:], torch.tensor([0.25, 0.5]).double(), rtol=1e-6)


@torch.no_grad()
def test_the_gate_of_time_starts_at_one_step_per_token_and_reaches_e8_either_way():
    lives = (0.25, 1000.0 / 3)
    bus, x = MultiRateBus(4, lives, 64).double(), torch.randn(1, 3, 4).double()
    wanted = -math.log(2) / torch.tensor(lives, dtype=torch.float64)
    assert torch.allclose(bus.frame(x, None), wanted, rtol=1e-15)
    assert torch.equal(bus.passing(x), torch.ones(1, 3, 2).double())
    for bias, reach in ((1e6, math.exp(8)), (-1e6, math.exp(-8))):
        bus.reset.bias.fill_(bias)
        assert torch.allclose(
            bus.passing(x), torch.full((1, 3, 2), reach, dtype=torch.float64), rtol=1e-12
        )


@given(
    low=st.floats(0.1, 10),
    ratio=st.floats(1.0, 1e5),
    num_rates=st.integers(2, 12),
)
def test_half_lives_are_log_spaced_between_the_ends(low, ratio, num_rates):
    config = PrismConfig(
        vocab_size=2,
        d_model=num_rates,
        num_rates=num_rates,
        half_life_min=low,
        half_life_max=low * ratio,
    )
    lives = torch.tensor(config.bus_half_lives, dtype=torch.float64)
    assert torch.allclose(lives[[0, -1]], torch.tensor([low, low * ratio]).double())
    steps = lives.log().diff()
    assert torch.allclose(steps, steps.mean().expand_as(steps), atol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_preset_has_a_rate_for_local_mixing_and_one_for_its_context(name):
    lives = presets.get(name).bus_half_lives
    assert list(lives) == sorted(lives)
    assert lives[0] <= 0.5
    assert lives[-1] >= 1024
