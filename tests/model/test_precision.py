"""Half, single and double precision: all run, and none computes in less than single precision."""

import pytest
import torch

from prism import Prism
from prism.recipe import own_loss
from tests.model.families import VARIANTS, VOCAB, perturbed, shrunk, tensors_of, tokens_of

variants = pytest.mark.parametrize("name", VARIANTS)


@variants
@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float32, torch.float64), ids=str)
def test_weights_of_any_precision_read_train_and_continue(name, dtype):
    model = Prism(VARIANTS[name]).to(dtype)
    tokens = tokens_of(0, 2, 21)
    output = model(tokens)
    assert output.logits.dtype == dtype
    assert output.logits.shape == (2, 21, VOCAB)

    def size(logits: torch.Tensor) -> torch.Tensor:
        return logits.float().square().sum()

    (size(output.logits) + own_loss(output, size) + output.aux_loss).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), parameter_name
    assert model(tokens, state=output.state).logits.isfinite().all()


@variants
@torch.no_grad()
def test_what_accumulates_is_kept_in_at_least_single_precision(name):
    state = Prism(VARIANTS[name]).bfloat16()(tokens_of(0, 1, 9)).state
    sums = []
    for block in state.blocks:
        sums += [x for x in (block.bus, block.neural, block.anchor) if x is not None]
        sums += [] if block.tape is None else [block.tape.fast_weights, block.tape.ring]
    if state.symbolic is not None:
        machine = state.symbolic
        sums += machine.primitives.values()
        sums += [] if machine.dials is None else tensors_of(machine.dials)
        sums += [] if machine.reflections is None else tensors_of(machine.reflections)
    assert {x.dtype for x in sums} == {torch.float32}


@torch.no_grad()
def test_half_precision_weights_stay_near_single_precision():
    config = shrunk("tiny", expert_kinds=("neural", "memory"))
    half = perturbed(config, torch.bfloat16)
    single = Prism(config)
    single.load_state_dict(half.state_dict())  # the same numbers, so only the compute differs
    tokens = tokens_of(0, 2, 64)
    wanted = single(tokens).logits
    found = half(tokens).logits.float()
    assert (found - wanted).abs().max() < 0.1 * wanted.abs().max()


def test_mixed_precision_reads_and_trains():
    model, tokens = Prism(VARIANTS["300m"]), tokens_of(0, 2, 21)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(tokens)
        own = own_loss(output, lambda logits: logits.float().square().mean())
        loss = output.logits.float().square().mean() + own + output.aux_loss
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@torch.no_grad()
def test_single_precision_is_double_precision_up_to_rounding():
    # without hard choices, which may fall differently where two are within rounding
    config = shrunk("tiny", expert_kinds=("neural", "memory"))
    single, double = perturbed(config, torch.float32), perturbed(config).double()
    double.load_state_dict(single.double().state_dict())
    single = single.float()
    tokens = tokens_of(0, 2, 200)
    wanted = double(tokens).logits
    assert (single(tokens).logits - wanted).abs().max() <= 1e-4 * wanted.abs().max()
