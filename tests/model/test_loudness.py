"""Loudness: what is said beside the stream, and who pays for it."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism, PrismConfig
from prism.model.loudness import GUEST_COST, loudness, price_of_guests
from tests.model.families import VOCAB, tokens_of

APART = {
    "vocab_size": VOCAB,
    "d_model": 16,
    "num_layers": 2,
    "anchor_hidden": 8,
    "router_gates": "independent",
    "expert_output_penalty": 0.5,
}


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def heard(model: Prism, seed: int = 0, **values: object) -> torch.Tensor:
    return model(tokens_of(seed, 2, 9), **values).aux_loss


def test_it_is_added_over_stream_token_by_token():
    added, x = drawn(0, 1, 5, 8), drawn(1, 1, 5, 8)
    each = [(a.norm() / b.norm()) ** 2 for a, b in zip(added[0], x[0], strict=True)]
    assert torch.allclose(loudness(added, x)[0], torch.stack(each))


@given(scale=st.floats(0.01, 100.0))
def test_only_the_ratio_counts(scale):
    added, x = drawn(0, 1, 4, 8), drawn(1, 1, 4, 8)
    together = loudness(scale * added, scale * x)
    assert torch.allclose(together, loudness(added, x), rtol=1e-4)
    assert torch.allclose(loudness(scale * added, x), scale**2 * loudness(added, x), rtol=1e-4)


def test_an_empty_stream_does_no_harm():
    x = torch.zeros(2, 6, 8)
    assert not loudness(x, x).any()


@torch.no_grad()
def test_padding_pays_nothing_and_the_others_the_mean_of_their_prices():
    model, tokens = Prism(PrismConfig(**APART)), tokens_of(0, 2, 9)
    segments = torch.where(torch.arange(9).expand(2, 9) < 4, 0, -1)
    padded, short = model(tokens, segment_ids=segments), model(tokens[:, :4])
    assert torch.allclose(padded.aux_loss, short.aux_loss)
    assert torch.allclose(padded.price[:, :4], short.price)
    assert torch.allclose(short.price.mean(), short.aux_loss)
    assert model(tokens, segment_ids=torch.full_like(segments, -1)).aux_loss == 0


def test_growing_the_stream_is_no_way_to_be_quiet():
    added, x = drawn(0, 1, 3, 4).requires_grad_(), drawn(1, 1, 3, 4).requires_grad_()
    loudness(added, x).sum().backward()
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


def test_a_guest_pays_so_many_times_what_is_paid_at_home():
    price = drawn(0, 3, 5).square()
    guests = torch.tensor([[True], [False], [True]])
    whole = price + price_of_guests(price, guests)
    assert torch.allclose(whole[[0, 2]], GUEST_COST * price[[0, 2]])
    assert torch.equal(whole[1], price[1])
