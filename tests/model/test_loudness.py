"""Loudness: what is said beside the stream, and who pays for it."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism, PrismConfig
from prism.model.loudness import loudness
from tests.model.families import VOCAB, tokens_of

APART = {
    "vocab_size": VOCAB,
    "d_model": 16,
    "num_layers": 2,
    "anchor_hidden": 8,
    "router_gates": "independent",
    "z_loss": 0.5,
}


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def heard(model: Prism, seed: int = 0, **values: object) -> torch.Tensor:
    return model(tokens_of(seed, 2, 9), **values).aux_loss


def test_it_is_the_mean_over_tokens_of_added_over_stream():
    added, x = drawn(0, 1, 5, 8), drawn(1, 1, 5, 8)
    each = [(a.norm() / b.norm()) ** 2 for a, b in zip(added[0], x[0], strict=True)]
    assert torch.allclose(loudness(added, x, None), torch.stack(each).mean())


@given(scale=st.floats(0.01, 100.0))
def test_only_the_ratio_counts(scale):
    added, x = drawn(0, 1, 4, 8), drawn(1, 1, 4, 8)
    together = loudness(scale * added, scale * x, None)
    assert torch.allclose(together, loudness(added, x, None), rtol=1e-4)
    assert torch.allclose(
        loudness(scale * added, x, None), scale**2 * loudness(added, x, None), rtol=1e-4
    )


def test_padding_and_an_empty_stream_do_no_harm():
    added, x = drawn(0, 2, 6, 8), drawn(1, 2, 6, 8)
    valid = torch.arange(6).expand(2, 6) < 4
    assert torch.allclose(loudness(added, x, valid), loudness(added[:, :4], x[:, :4], None))
    assert loudness(added, x, torch.zeros_like(valid)) == 0
    assert loudness(torch.zeros_like(x), torch.zeros_like(x), None) == 0


def test_growing_the_stream_is_no_way_to_be_quiet():
    added, x = drawn(0, 1, 3, 4).requires_grad_(), drawn(1, 1, 3, 4).requires_grad_()
    loudness(added, x, None).backward()
    assert added.grad.abs().sum() > 0
    assert x.grad is None


def test_independent_gates_pay_it_and_nobody_pays_while_exploring():
    model = Prism(PrismConfig(**APART))
    full = heard(model)
    assert full > 0
    model.set_exploration(0.75)
    assert torch.allclose(heard(model), full / 4)
    model.set_exploration(1.0)
    assert heard(model) == 0


def test_closing_a_gate_while_its_writer_grows_saves_nothing():
    model = Prism(PrismConfig(**APART, expert_kinds=("neural",)))
    before = heard(model)
    with torch.no_grad():
        for block in model.blocks:
            block.router.score.weight.zero_()
            block.router.score.bias.fill_(-2.0)
            block.neural.write.weight /= 2 * torch.sigmoid(torch.tensor(-2.0))
    assert heard(model).item() == pytest.approx(before.item(), rel=0.02)


def test_a_silent_kind_pays_nothing_and_the_default_router_another_price():
    model = Prism(PrismConfig(**APART, expert_kinds=("symbolic",)))
    with torch.no_grad():
        for block in model.blocks:
            block.symbolic.write.weight.zero_()
    assert heard(model) == 0
    both = dataclasses.replace(
        model.config, router_gates="softmax", expert_kinds=("neural", "memory")
    )
    softmax = Prism(both)
    before = heard(softmax)
    with torch.no_grad():
        softmax.blocks[-1].neural.write.weight *= 3
    assert heard(softmax) == before > 0
