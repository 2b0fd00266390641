"""``exact``: whatever grows, the function stays, to 1e-10 in fp64 and 1e-5 in fp32."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism, PrismConfig, SymbolicConfig, grow, load
from prism.config import TapeConfig
from tests.growth.pairs import ANSWERS, PARTS, SOFT, SPARSE, larger, pairs
from tests.model.families import (
    UNITS,
    VARIANTS,
    VOCAB,
    perturbed,
    read_in_pieces,
    segments_of,
    shrunk,
    tokens_of,
)


@torch.no_grad()
def difference(model: Prism, grown: Prism, length: int = 21) -> float:
    """Largest difference of logits over packed rows, read in two calls that carry the state."""
    tokens, segments = tokens_of(1, 3, length), segments_of(2, 3, length)
    before, _ = read_in_pieces(model, tokens, [length // 3], segments)
    after, _ = read_in_pieces(grown, tokens, [length // 3], segments)
    return (before - after).abs().max().item()


@given(pairs())
def test_any_growth_keeps_the_function(pair):
    old, new = pair
    model = perturbed(old)
    assert difference(model, grow(model, new).model) <= 1e-10


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("config", [SOFT, SPARSE, ANSWERS], ids=["soft", "top1", "answers"])
def test_every_part_alone_keeps_the_function(part, config):
    model = perturbed(config)
    result = grow(model, larger(config, {part}))
    assert result.report.parameters[1] > result.report.parameters[0]
    assert difference(model, result.model) <= 1e-10


@pytest.mark.parametrize("name", VARIANTS)
def test_everything_at_once_keeps_the_function(name):
    model = perturbed(VARIANTS[name])
    grown = grow(model, larger(VARIANTS[name], PARTS, amount=2)).model
    assert difference(model, grown) <= 1e-10


def test_half_soft_routing_stays_half_soft():
    model = perturbed(SPARSE, epsilon=0.3)
    grown = grow(model, larger(SPARSE, PARTS)).model
    assert difference(model, grown) <= 1e-10


@pytest.mark.parametrize("kinds", [("neural", "memory"), ("neural", "symbolic"), ("memory",)])
def test_single_precision_is_kept_to_its_rounding(kinds):
    config = shrunk("tiny", expert_kinds=kinds, memory_layers=None)
    model = Prism(config)
    assert difference(model, grow(model, larger(config, PARTS, amount=2)).model, 9) <= 1e-5


def test_growing_twice_keeps_the_function():
    model = perturbed(SOFT)
    middle = grow(model, larger(SOFT, PARTS)).model
    last = grow(middle, larger(middle.config, PARTS)).model
    assert difference(model, last) <= 1e-10


def test_a_grown_model_is_the_same_after_saving(tmp_path):
    model = perturbed(SPARSE)
    grown = grow(model, larger(SPARSE, PARTS)).model
    grown.save(tmp_path)
    again = load(tmp_path)
    assert again.config == grown.config
    assert difference(grown, again) == 0
    assert difference(model, again) <= 1e-10


def test_growing_to_the_same_config_is_a_copy():
    model = perturbed(SOFT)
    result = grow(model, SOFT)
    assert {tensor.how for tensor in result.report.tensors} == {"copied"}
    for name, value in model.state_dict().items():
        assert torch.equal(value, result.model.state_dict()[name])


def test_the_stream_keeps_its_root_mean_square():
    model = perturbed(SOFT)
    grown = grow(model, larger(SOFT, {"width"}, amount=2)).model
    tokens = tokens_of(0, 2, 5)
    small, large = (m.first_norm(m.embedding(tokens)) for m in (model, grown))
    torch.testing.assert_close(small.square().mean(-1), large.square().mean(-1))


def test_new_blocks_come_between_old_ones_where_the_memory_pattern_asks_for_it():
    old = shrunk("tiny", num_layers=2, memory_layers=(1,))
    new = dataclasses.replace(old, num_layers=5, memory_layers=(2, 4))
    model = perturbed(old)
    result = grow(model, new)
    assert result.report.blocks == (0, None, 1, None, None)
    assert difference(model, result.model) <= 1e-10


@given(units=st.integers(1, 5), more=st.integers(1, 9), library=st.sampled_from([("shift",), ()]))
def test_any_number_of_units_can_be_added_where_units_are_not_counted(units, more, library):
    symbolic = SymbolicConfig(
        **UNITS | {"units": units, "primitives": ("rotor", "select", *library)}
    )
    old = shrunk("tiny", num_layers=1, expert_kinds=("symbolic",), symbolic=symbolic)
    old = dataclasses.replace(old, memory_layers=None)
    new = dataclasses.replace(old, symbolic=dataclasses.replace(symbolic, units=units + more))
    model = perturbed(old)
    assert difference(model, grow(model, new).model) <= 1e-10


def test_the_presets_700m_and_1b_differ_by_growth_alone():
    old, new = shrunk("700m", num_layers=20), shrunk("1b", num_layers=24)
    old = dataclasses.replace(old, memory_layers=(2, 7, 12, 17))
    new = dataclasses.replace(new, memory_layers=(3, 9, 15, 21))
    sources = grow(perturbed(old), new).report.blocks
    assert sources.count(None) == 4
    assert [sources.index(layer) for layer in (2, 7, 12, 17)] == [3, 9, 15, 21]


def test_the_head_that_asks_a_tape_hears_the_same():
    config = PrismConfig(vocab_size=VOCAB, d_model=16, holo_mode=True, tape=TapeConfig(d_mem=4))
    model = perturbed(config)
    grown = grow(model, dataclasses.replace(config, d_model=24)).model
    tokens = tokens_of(3, 2, 12)
    before, after = model(tokens).holo, grown(tokens).holo
    torch.testing.assert_close(before.part_logits, after.part_logits, rtol=0, atol=1e-10)
    assert torch.equal(before.keys, after.keys)


@pytest.mark.parametrize("tie_embeddings", (True, False))
@pytest.mark.parametrize("widths", ((48, 80), (80, 96)), ids=str)
def test_widths_where_the_logit_scale_bends_keep_the_function(widths, tie_embeddings):
    old = PrismConfig(
        vocab_size=VOCAB,
        d_model=widths[0],
        num_layers=1,
        holo_mode=True,
        tie_embeddings=tie_embeddings,
        tape=TapeConfig(num_slots=4, d_mem=4),
    )
    model = perturbed(old)
    grown = grow(model, dataclasses.replace(old, d_model=widths[1])).model
    assert difference(model, grown) <= 1e-10
    tokens = tokens_of(0, 2, 9)
    before, after = model(tokens).holo.part_logits, grown(tokens).holo.part_logits
    torch.testing.assert_close(before, after, rtol=0, atol=1e-10)


def test_growing_leaves_model_and_generator_alone():
    model = perturbed(SOFT)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.random.get_rng_state()
    first = grow(model, larger(SOFT, PARTS)).model
    assert torch.equal(generator, torch.random.get_rng_state())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    torch.manual_seed(123)
    second = grow(model, larger(SOFT, PARTS)).model
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
