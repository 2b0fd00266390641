"""Configs check themselves: a bad value names its field, itself and what is allowed."""

import dataclasses
import json
import re

import pytest
from hypothesis import given

from prism import PrismConfig, SymbolicConfig, TapeConfig
from prism.former_names import check_architecture, current_fields, former_fields
from tests.model.families import configs

BAD = [
    (PrismConfig, "vocab_size", 0, "an integer >= 1"),
    (PrismConfig, "vocab_size", 2.0, "an integer >= 1"),
    (PrismConfig, "vocab_size", True, "an integer >= 1"),
    (PrismConfig, "d_model", -8, "an integer >= 1"),
    (PrismConfig, "d_model", 60, "a multiple of the number of rates, 8"),
    (PrismConfig, "num_layers", 0, "an integer >= 1"),
    (PrismConfig, "half_lives", (), "a non-empty list of numbers > 0"),
    (PrismConfig, "half_lives", (1.0, 0.0), "a non-empty list of numbers > 0"),
    (PrismConfig, "half_lives", (float("inf"),), "a non-empty list of numbers > 0"),
    (PrismConfig, "half_lives", 3.0, "a list"),
    (PrismConfig, "num_rates", 0, "an integer >= 1"),
    (PrismConfig, "half_life_min", 0.0, "a number > 0"),
    (PrismConfig, "half_life_min", float("nan"), "a number > 0"),
    (PrismConfig, "half_life_max", 0.1, "a number >= half_life_min"),
    (PrismConfig, "tape", {"num_slots": 4}, "a TapeConfig"),
    (PrismConfig, "expert_kinds", (), "distinct names from"),
    (PrismConfig, "expert_kinds", ("neural", "neural"), "distinct names from"),
    (PrismConfig, "expert_kinds", ("attention",), "distinct names from"),
    (PrismConfig, "expert_kinds", "neural", "a list"),
    (PrismConfig, "anchor_hidden", 0, "None or an integer >= 1"),
    (PrismConfig, "router_gates", "sigmoid", "one of ('softmax', 'independent')"),
    (PrismConfig, "router_topk", 0, "None or an integer in 1..3"),
    (PrismConfig, "router_topk", 4, "None or an integer in 1..3"),
    (PrismConfig, "always_on", ("attention",), "at most router_topk = 3 of expert_kinds"),
    (PrismConfig, "neural_hidden", 0, "None or an integer >= 1"),
    (PrismConfig, "symbolic", None, "a SymbolicConfig"),
    (PrismConfig, "memory_layers", (3,), "distinct block indices in 0..2"),
    (PrismConfig, "memory_layers", (1, 1), "distinct block indices in 0..2"),
    (PrismConfig, "memory_layers", (-1,), "distinct block indices in 0..2"),
    (PrismConfig, "tie_embeddings", 1, "True or False"),
    (PrismConfig, "holo_mode", 1, "True or False"),
    (PrismConfig, "router_z_loss", -1e-3, "a number >= 0"),
    (PrismConfig, "expert_output_penalty", -1e-3, "a number >= 0"),
    (PrismConfig, "balance_rate", "fast", "a number >= 0"),
    (PrismConfig, "balance_target", (0.5, 0.5), "3 loads in [0, 1] that sum to router_topk = 3"),
    (PrismConfig, "balance_target", (1.5, 1.0, 0.5), "3 loads in [0, 1] that sum to"),
    (PrismConfig, "neural_taps", 0, "an integer >= 1"),
    (PrismConfig, "bus_reset", 1, "True or False"),
    (PrismConfig, "token_skip", None, "True or False"),
    (PrismConfig, "dropout", 1.0, "a number in [0, 1)"),
    (PrismConfig, "chunk_size", 0, "an integer >= 1"),
    (PrismConfig, "seed", -1, "an integer >= 0"),
    (TapeConfig, "content_heads", -1, "an integer >= 0"),
    (TapeConfig, "position_heads", 1.5, "an integer >= 0"),
    (TapeConfig, "num_slots", 7, "an even integer >= 2"),
    (TapeConfig, "num_slots", 0, "an even integer >= 2"),
    (TapeConfig, "d_mem", 0, "an integer >= 1"),
    (TapeConfig, "scope", "global", "one of ('shared', 'layer')"),
    (TapeConfig, "retention", 0.0, "in (0, 1]"),
    (TapeConfig, "retention", 1.5, "in (0, 1]"),
    (TapeConfig, "retention", (1.0, 1.0, 1.0), "a number or 2 numbers, one per content head"),
    (SymbolicConfig, "units", 0, "an integer >= 1"),
    (SymbolicConfig, "answers", 1, "True or False"),
    (SymbolicConfig, "width", 0, "an integer >= 1"),
    (SymbolicConfig, "dials", -1, "an integer >= 0"),
    (SymbolicConfig, "dial_positions", 1, "an integer >= 2"),
    (SymbolicConfig, "dial_reach", 0, "an integer >= 1"),
    (SymbolicConfig, "reflections", 1.0, "an integer >= 0"),
    (SymbolicConfig, "reflection_width", 0, "an integer >= 1"),
    (SymbolicConfig, "reflection_size", 1, "an integer >= 2"),
    (SymbolicConfig, "suffixes", (0,), "distinct integers in 1..64"),
    (SymbolicConfig, "suffixes", (2, 2), "distinct integers in 1..64"),
    (SymbolicConfig, "suffixes", (65,), "distinct integers in 1..64"),
    (SymbolicConfig, "suffix_slots", 0, "an integer >= 1"),
    (SymbolicConfig, "unit_input_rate", 0.0, "None or a number in (0, 1]"),
    (SymbolicConfig, "unit_input_rate", 2, "None or a number in (0, 1]"),
    (SymbolicConfig, "primitives", (), "distinct names from"),
    (SymbolicConfig, "primitives", ("add",), "distinct names from"),
    (SymbolicConfig, "fade", 1.5, "a number in [0, 1]"),
    (SymbolicConfig, "moduli", (1,), "a non-empty list of divisors >= 2 of 240"),
    (SymbolicConfig, "moduli", (7,), "a non-empty list of divisors >= 2 of 240"),
    (SymbolicConfig, "moduli", (), "a non-empty list of divisors >= 2 of 240"),
    (SymbolicConfig, "moduli", 5, "a list"),
]
# explicit, so that no message here depends on a default
GOOD = {
    PrismConfig: {
        "vocab_size": 11,
        "d_model": 64,
        "num_layers": 3,
        "num_rates": 8,
        "half_life_min": 0.25,
        "half_life_max": 64.0,
        "expert_kinds": ("neural", "memory", "symbolic"),
        "router_topk": 3,
    },
    TapeConfig: {"content_heads": 2, "position_heads": 2, "num_slots": 8, "d_mem": 4},
    SymbolicConfig: {"units": 4},
}


@pytest.mark.parametrize("owner, field, value, allowed", BAD)
def test_a_bad_value_names_the_field_the_value_and_what_is_allowed(owner, field, value, allowed):
    with pytest.raises(ValueError) as caught:
        owner(**{**GOOD[owner], field: value})
    message = str(caught.value)
    assert message.startswith(f"{owner.__name__}.{field} = {value!r}: must be ")
    assert allowed in message
    assert "\n" not in message


def test_every_field_has_a_bad_value_above():
    fields = {(o, f.name) for o in GOOD for f in dataclasses.fields(o)}
    assert {(owner, field) for owner, field, _, _ in BAD} >= fields


def test_fields_are_checked_against_each_other():
    with pytest.raises(ValueError, match=r"memory_layers = \(0,\): must be empty without 'memory'"):
        PrismConfig(vocab_size=2, expert_kinds=("neural",), memory_layers=(0,))
    with pytest.raises(ValueError, match="every block when memory is the only kind"):
        PrismConfig(vocab_size=2, expert_kinds=("memory",), num_layers=2, memory_layers=(0,))
    PrismConfig(vocab_size=2, expert_kinds=(), anchor_hidden=4)
    one = {"expert_kinds": ("memory",), "num_layers": 2, "memory_layers": (0,)}
    PrismConfig(vocab_size=2, anchor_hidden=4, **one)
    with pytest.raises(ValueError, match="at most router_topk = 1"):
        PrismConfig(vocab_size=2, router_topk=1, always_on=("neural", "memory"))
    with pytest.raises(ValueError, match="> 0 if position_heads is 0"):
        TapeConfig(content_heads=0, position_heads=0)


@given(config=configs())
def test_a_config_comes_back_equal_through_json(config):
    text = json.dumps(config.to_dict())
    back = PrismConfig.from_dict(json.loads(text))
    assert back == config
    assert hash(back) == hash(config)


@pytest.mark.parametrize(
    "change, message",
    (
        ({"flux": 1}, "PrismConfig.flux: unknown field"),
        ({"tape": {"flux": 1}}, "TapeConfig.flux: unknown field"),
        ({"symbolic": {"flux": 1}}, "SymbolicConfig.flux: unknown field"),
        ({"tape": 3}, "PrismConfig.tape = 3: must be a TapeConfig"),
        ({"vocab_size": "many"}, "PrismConfig.vocab_size = 'many': must be"),
    ),
)
def test_a_stored_config_that_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PrismConfig.from_dict({"vocab_size": 11, **change})


def test_a_stored_config_without_a_vocabulary_is_refused_by_name():
    with pytest.raises(ValueError, match=r"PrismConfig\.vocab_size: missing"):
        PrismConfig.from_dict({"d_model": 64})


def test_a_config_cannot_be_changed_behind_its_checks():
    config = PrismConfig(vocab_size=11)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_model = 7


def test_an_explicit_list_of_half_lives_is_taken_as_it_is():
    lives = [0.25, 3.0, 1e5, 7.0]
    config = PrismConfig(vocab_size=11, d_model=64, num_rates=8, half_lives=lives)
    assert config.bus_half_lives == tuple(lives)


def test_a_block_holds_memory_where_the_config_says():
    config = PrismConfig(vocab_size=11, num_layers=3, memory_layers=(1,))
    assert [("memory" in config.kinds_at(layer)) for layer in range(3)] == [False, True, False]


@pytest.mark.parametrize("gates", ("softmax", "independent"))
def test_a_config_of_before_the_fields_were_renamed_loads(gates):
    symbolic = {"units": 3, "primitives": ["rotor"], "moduli": [2], "lane_rate": 0.5}
    stored = {"vocab_size": 11, "d_model": 16, "router_gates": gates, "z_loss": 0.03}
    config = PrismConfig.from_dict(stored | {"symbolic": symbolic})
    assert config.symbolic.unit_input_rate == 0.5
    assert config.penalty_weight == 0.03
    assert {config.router_z_loss, config.expert_output_penalty} == {0.03, 0.001}
    assert PrismConfig.from_dict(config.to_dict()) == config
    former = former_fields(config.to_dict())
    assert {name: former[name] for name in stored} == stored
    assert former["symbolic"]["lane_rate"] == 0.5
    assert PrismConfig.from_dict(former) == config


def test_weights_of_an_earlier_architecture_are_refused_in_one_line():
    fields = PrismConfig(vocab_size=11).to_dict()
    check_architecture(fields, "config.json")
    del fields["neural_taps"]
    check_architecture(fields, "config.json", "transformer")  # it has not changed
    with pytest.raises(ValueError, match=r"^config.json: .* by an earlier architecture") as refusal:
        check_architecture(fields, "config.json")
    assert "\n" not in str(refusal.value)


def test_overrides_of_before_the_fields_were_renamed_are_understood():
    former = {"symbolic.lane_rate": 0.5, "z_loss": 0.1, "router_gates": "independent"}
    assert current_fields(former) == {
        "symbolic.unit_input_rate": 0.5,
        "expert_output_penalty": 0.1,
        "router_gates": "independent",
    }
