"""I7 for the whole model: whatever is done to be fast leaves the result as it was.

The operations are held to their plain loops in ``tests/ops``; token-by-token decoding against one
call (I3) does the same for the model; here are the options that change speed alone.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism, PrismConfig
from prism.model import block
from prism.ops.dispatch import dispatch_loop
from tests.model.families import (
    VARIANTS,
    assert_close,
    assert_same_gradients,
    configs,
    gradients,
    loss_of,
    many_draws,
    perturbed,
    segments_of,
    shrunk,
    tokens_of,
)


def with_chunk(model: Prism, chunk_size: int) -> Prism:
    """The same weights, read in chunks of another size."""
    config = PrismConfig.from_dict({**model.config.to_dict(), "chunk_size": chunk_size})
    other = Prism(config).to(next(model.parameters()).dtype).train(model.training)
    other.load_state_dict(model.state_dict())
    return other


def check_equal(one: Prism, other: Prism, bar: float, segment_ids=None) -> None:
    tokens = tokens_of(3, 2, 29)
    found, wanted = (m(tokens, segment_ids=segment_ids).logits for m in (one, other))
    assert_close(found, wanted, bar, "logits")
    assert_same_gradients(gradients(one, loss_of(found)), gradients(other, loss_of(wanted)), bar)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("packed", (False, True), ids=("one_document", "packed"))
def test_the_chunk_size_changes_speed_not_results(name, packed):
    model = perturbed(VARIANTS[name])
    segment_ids = segments_of(3, 2, 29) if packed else None
    for chunk_size in (1, 2, 7, 64):
        check_equal(with_chunk(model, chunk_size), model, 1e-10, segment_ids)


def test_the_chunk_size_changes_nothing_in_single_precision():
    # without hard choices, which may fall differently where two are within rounding
    config = shrunk("tiny", expert_kinds=("neural", "memory"))
    model = perturbed(config, torch.float32)
    check_equal(with_chunk(model, 64), with_chunk(model, 3), 1e-5)


@many_draws
@given(config=configs(), chunk_size=st.sampled_from((1, 2, 5, 32)))
def test_no_option_makes_the_chunk_size_visible(config, chunk_size):
    model = perturbed(config)
    check_equal(with_chunk(model, chunk_size), model, 1e-10)


@pytest.mark.parametrize(
    "dtype, bar, layers", ((torch.float64, 1e-10, 3), (torch.float32, 1e-5, 1)), ids=str
)
@pytest.mark.parametrize("name", ("300m", "top1", "top2_always_on"))
def test_sparse_compute_is_the_masked_mixture(name, dtype, bar, layers, monkeypatch):
    # one layer in single precision: a second would choose again from inputs that differ by
    # rounding, and a choice may fall differently where two kinds are that near
    values = {**VARIANTS[name].to_dict(), "num_layers": layers, "memory_layers": None}
    model, tokens = perturbed(PrismConfig.from_dict(values), dtype), tokens_of(5, 3, 21)
    sparse = model(tokens).logits
    sparse_gradients = gradients(model, loss_of(sparse))
    monkeypatch.setattr(block, "dispatch", dispatch_loop)
    masked = model(tokens).logits
    assert_close(sparse, masked, bar, "logits")
    assert_same_gradients(sparse_gradients, gradients(model, loss_of(masked)), bar)


def test_full_exploration_is_the_soft_mixture():
    hard = perturbed(shrunk("tiny", router_topk=1), epsilon=1.0)
    soft = Prism(shrunk("tiny", router_topk=None)).double()
    soft.load_state_dict(hard.state_dict())
    check_equal(hard, soft, 1e-10)


def test_asking_for_the_routing_changes_nothing():
    model, tokens = perturbed(VARIANTS["300m"]), tokens_of(0, 2, 9)
    assert torch.equal(model(tokens, routing=True).logits, model(tokens).logits)
    assert model(tokens).routing is None
