"""Presets: the parameter counts that their names promise, and every field open to change."""

import pytest
import torch

from prism import Prism, PrismConfig, presets

PARAMETERS = {
    "tiny": 7e6,
    "300m": 320e6,
    "350m": 370e6,
    "700m": 700e6,
    "1b": 1.0e9,
    "flannel": 0.78e6,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_count_is_within_five_percent_of_the_promise(name):
    with torch.device("meta"):
        count = Prism(presets.get(name)).num_parameters()
    assert count == pytest.approx(PARAMETERS[name], rel=0.05)


def test_every_preset_has_a_promise():
    assert set(presets.BY_NAME) == set(PARAMETERS)


def test_300m_keeps_the_first_recipe():
    config = presets.m300()
    assert len(config.bus_half_lives) == 8
    assert config.tape.num_slots == 64
    assert config.router_topk == 2
    assert config.hidden < 4 * config.d_model


@pytest.mark.parametrize("name", PARAMETERS)
def test_any_field_can_be_overridden(name):
    config = presets.get(name, vocab_size=17, num_layers=2, memory_layers=(1,), seed=4)
    assert isinstance(config, PrismConfig)
    assert (config.vocab_size, config.num_layers, config.seed) == (17, 2, 4)
    assert config.memory_layers == (1,)


@pytest.mark.parametrize("name", PARAMETERS)
def test_another_depth_needs_no_other_override(name):
    assert presets.get(name, num_layers=4).num_layers == 4


@pytest.mark.parametrize("name", ("350m", "700m", "1b"))
def test_deep_presets_hold_memory_in_a_few_blocks(name):
    config = presets.get(name)
    assert 0 < len(config.memory_layers) <= config.num_layers // 4


def test_an_unknown_name_is_refused_with_those_known():
    with pytest.raises(ValueError, match=r"preset = 'huge': must be one of \['1b', '300m'"):
        presets.get("huge")
