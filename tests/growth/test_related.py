"""A small config of the family of a larger one can grow into it."""

import dataclasses

import pytest

from prism import PrismConfig, SymbolicConfig, TapeConfig, presets
from prism.growth import layer_mapping, related

LARGE = {name: presets.get(name, vocab_size=32) for name in ("300m", "350m", "700m", "1b")}


@pytest.mark.parametrize("name", LARGE)
def test_the_smallest_preset_grows_into_every_other_after_taking_what_cannot_change(name):
    small = presets.tiny(vocab_size=32)
    with pytest.raises(ValueError, match=r"PrismConfig\."):
        layer_mapping(small, LARGE[name])
    config, taken = related(small, LARGE[name])
    sources = layer_mapping(config, LARGE[name])
    assert [source for source in sources if source is not None] == [0, 1, 2, 3]
    assert (config.d_model, config.num_layers) == (small.d_model, small.num_layers)
    assert "tape.num_slots" in taken


def test_a_config_of_the_family_stays_as_it_is():
    small = dataclasses.replace(LARGE["350m"], d_model=512)
    assert related(small, LARGE["350m"]) == (small, {})


def test_what_a_config_has_of_its_own_stays():
    small = presets.tiny(vocab_size=32, num_rates=4)
    own = ("tape.num_slots", "num_rates", "symbolic.suffix_slots")
    config, taken = related(small, LARGE["350m"], own=own)
    assert (config, taken) == (small, {})


def test_routing_comes_as_a_whole():
    kinds = {"expert_kinds": ("symbolic", "neural", "memory"), "router_topk": 2}
    chosen = {"always_on": ("neural",), "balance_target": (0.2, 1.0, 0.8)}
    large = presets.tiny(vocab_size=32, **kinds, **chosen)
    config, taken = related(presets.tiny(vocab_size=32), large)
    assert config == large
    assert taken == {**kinds, **chosen}


def test_machines_that_answer_come_as_a_whole():
    large = presets.tiny(
        vocab_size=32,
        symbolic=SymbolicConfig(answers=True, dials=4, reflections=0, width=8, units=16),
    )
    config, taken = related(presets.tiny(vocab_size=32), large)
    assert taken == {"symbolic.answers": True, "symbolic.width": 8, "symbolic.dials": 4}
    assert (config.symbolic.dials > 0) == (large.symbolic.dials > 0)
    layer_mapping(config, large)


def test_retention_comes_for_the_heads_that_there_are():
    tape = TapeConfig(content_heads=3, retention=(1.0, 0.9, 0.5))
    large = PrismConfig(vocab_size=32, d_model=64, tape=tape)
    config, taken = related(PrismConfig(vocab_size=32, d_model=32), large)
    assert config.tape.retention == taken["tape.retention"] == (1.0, 0.9)


def test_no_config_of_the_family_that_is_too_small_is_refused():
    large = PrismConfig(vocab_size=32, d_model=64, num_rates=16, symbolic=SymbolicConfig(units=4))
    with pytest.raises(ValueError, match=r"PrismConfig.d_model = 8: must be a multiple of .* 16"):
        related(PrismConfig(vocab_size=32, d_model=8), large)
