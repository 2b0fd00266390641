"""The factory gives models of equal size, and says so when it cannot."""

import dataclasses

import pytest
import torch

from prism import Prism, presets
from prism.baselines import BASELINES, build, build_with_budget
from prism.config import PrismConfig


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    ("vocab_size", "d_model", "num_layers", "parameters"),
    [(256, 64, 3, 190_000), (64, 96, 2, 250_000), (50304, 896, 24, 320_000_000)],
)
def test_size_is_met_within_two_percent(name, vocab_size, d_model, num_layers, parameters):
    config = PrismConfig(vocab_size=vocab_size, d_model=d_model, num_layers=num_layers)
    with torch.device("meta"):
        model = build_with_budget(name, config, parameters)
    assert abs(model.num_parameters() - parameters) <= 0.02 * parameters


def test_a_budget_below_the_mixers_is_refused():
    config = PrismConfig(vocab_size=256)
    with pytest.raises(ValueError, match="parameters = 20000: 'ssm' at d_model 64 and 3 layers"):
        build_with_budget("ssm", config, 20_000)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="baseline = 'lstm': must be one of"):
        build_with_budget("lstm", PrismConfig(vocab_size=8), 1000)
    with pytest.raises(ValueError, match="model = 'lstm': must be one of"):
        build("lstm", PrismConfig(vocab_size=8))


def test_attention_refuses_an_odd_width():
    config = PrismConfig(vocab_size=8, d_model=7, num_rates=1)
    with pytest.raises(ValueError, match="d_model = 7: must be even"):
        build_with_budget("transformer", config, 2000)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_match_prism(name):
    config = PrismConfig(vocab_size=32)
    size = build("prism", config).num_parameters()
    assert abs(build(name, config).num_parameters() - size) <= 0.02 * size


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    "preset", [presets.tiny, presets.m300, presets.m350, presets.m700, presets.b1]
)
def test_every_preset_can_be_matched(name, preset):
    config = preset()
    with torch.device("meta"):
        size = Prism(config).num_parameters()
        model = build_with_budget(name, config, size)
    assert abs(model.num_parameters() - size) <= 0.02 * size


def test_a_stack_without_mlps_has_more_layers_of_about_the_papers_size():
    config = PrismConfig(vocab_size=256, memory_layers=(1,))
    model = build("ssm-plain", config)
    assert model.config.num_layers == len(model.blocks) > config.num_layers
    assert all(block.mlp is None for block in model.blocks)
    assert 1.5 < model.blocks[0].mixer.widths[0] / config.d_model < 2.5


def test_overrides_are_fields_of_the_config():
    config = PrismConfig(vocab_size=32)
    assert build("gdn", config, seed=5).config == dataclasses.replace(config, seed=5)
    with pytest.raises(ValueError, match=r"PrismConfig\.heads: unknown field"):
        build("gdn", config, heads=5)
