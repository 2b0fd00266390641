"""Output-norm penalty: its ratio, its gradient, and its factor on out-of-domain rows."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism, PrismConfig
from prism.model.block import output_norm_ratio
from prism.modular import OUT_OF_DOMAIN_FACTOR, out_of_domain_penalty
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


def aux_loss(model: Prism, seed: int = 0, **values: object) -> torch.Tensor:
    return model(tokens_of(seed, 2, 9), **values).aux_loss


def test_it_is_added_over_stream_token_by_token():
    added, x = drawn(0, 1, 5, 8), drawn(1, 1, 5, 8)
    each = [(a.norm() / b.norm()) ** 2 for a, b in zip(added[0], x[0], strict=True)]
    assert torch.allclose(output_norm_ratio(added, x)[0], torch.stack(each))


@given(scale=st.floats(0.01, 100.0))
def test_only_the_ratio_counts(scale):
    added, x = drawn(0, 1, 4, 8), drawn(1, 1, 4, 8)
    together = output_norm_ratio(scale * added, scale * x)
    assert torch.allclose(together, output_norm_ratio(added, x), rtol=1e-4)
    assert torch.allclose(
        output_norm_ratio(scale * added, x), scale**2 * output_norm_ratio(added, x), rtol=1e-4
    )


def test_an_empty_stream_does_no_harm():
    x = torch.zeros(2, 6, 8)
    assert not output_norm_ratio(x, x).any()


@torch.no_grad()
def test_aux_loss_is_the_mean_penalty_of_the_tokens_that_are_no_padding():
    model, tokens = Prism(PrismConfig(**APART)), tokens_of(0, 2, 9)
    segments = torch.where(torch.arange(9).expand(2, 9) < 4, 0, -1)
    padded, short = model(tokens, segment_ids=segments), model(tokens[:, :4])
    assert torch.allclose(padded.aux_loss, short.aux_loss)
    assert torch.allclose(padded.penalty[:, :4], short.penalty)
    assert torch.allclose(short.penalty.mean(), short.aux_loss)
    assert model(tokens, segment_ids=torch.full_like(segments, -1)).aux_loss == 0


def test_the_stream_has_no_gradient_from_it():
    added, x = drawn(0, 1, 3, 4).requires_grad_(), drawn(1, 1, 3, 4).requires_grad_()
    output_norm_ratio(added, x).sum().backward()
    assert added.grad.abs().sum() > 0
    assert x.grad is None


def test_independent_gates_have_it_and_exploration_scales_it_down():
    model = Prism(PrismConfig(**APART))
    full = aux_loss(model)
    assert full > 0
    model.set_exploration(0.75)
    assert torch.allclose(aux_loss(model), full / 4)
    model.set_exploration(1.0)
    assert aux_loss(model) == 0


def test_closing_a_gate_while_its_writer_grows_does_not_lower_it():
    model = Prism(PrismConfig(**APART, expert_kinds=("neural",)))
    with torch.no_grad():
        for block in model.blocks:
            block.router.score.weight.zero_()  # half open at every token
        before = aux_loss(model)
        for block in model.blocks:
            block.router.score.bias.fill_(-2.0)
            block.neural.write.weight /= 2 * torch.sigmoid(torch.tensor(-2.0))
    assert before > 0
    assert aux_loss(model).item() == pytest.approx(before.item(), rel=1e-5)


def test_an_expert_of_zero_output_has_none_and_softmax_gates_have_the_z_loss():
    model = Prism(PrismConfig(**APART, expert_kinds=("symbolic",)))
    with torch.no_grad():
        model.machine.lift.weight.zero_()
        model.machine.suffix.gain.zero_()
    assert aux_loss(model) == 0
    both = dataclasses.replace(
        model.config, router_gates="softmax", expert_kinds=("neural", "memory")
    )
    softmax = Prism(both)
    before = aux_loss(softmax)
    with torch.no_grad():
        softmax.blocks[-1].neural.write.weight *= 3
    assert aux_loss(softmax) == before > 0


def test_the_penalty_is_a_factor_larger_on_out_of_domain_rows():
    penalty = drawn(0, 3, 5).square()
    out_of_domain = torch.tensor([[True], [False], [True]])
    whole = penalty + out_of_domain_penalty(penalty, out_of_domain)
    assert torch.allclose(whole[[0, 2]], OUT_OF_DOMAIN_FACTOR * penalty[[0, 2]])
    assert torch.equal(whole[1], penalty[1])
