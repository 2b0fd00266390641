"""Inputs of the symbolic units: their size at the start, and their learning rate."""

import pytest
import torch

from prism import Prism, PrismConfig, SymbolicConfig
from tests.model.families import UNITS, VOCAB, tokens_of


def machine(rate: float) -> Prism:
    config = PrismConfig(
        vocab_size=VOCAB,
        d_model=16,
        symbolic=SymbolicConfig(**UNITS | {"unit_input_rate": rate}),
    )
    return Prism(config)


@pytest.mark.parametrize("rate", [0.5, 0.3, 1 / 128])
def test_the_inputs_start_the_same_whatever_their_rate(rate):
    tokens = tokens_of(0, 2, 9)
    usual, slow = machine(1.0), machine(rate)
    assert torch.allclose(slow(tokens).logits, usual(tokens).logits, atol=1e-5)


def test_a_step_of_the_optimiser_moves_them_by_their_rate():
    moved = {}
    for rate in (1.0, 1 / 8):
        model = machine(rate)
        read = model.machine.read
        x = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
        before = read(x).detach() * rate
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0, eps=1e-20)
        model(tokens_of(0, 2, 9)).logits.square().mean().backward()
        optimizer.step()
        moved[rate] = (read(x) * rate - before).abs().mean().item()
    assert moved[1.0] / moved[1 / 8] == pytest.approx(8, rel=1e-2)
