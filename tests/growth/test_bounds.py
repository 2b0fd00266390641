"""Bounds of growth: refused in one line with the field, its value and what is allowed."""

import dataclasses

import pytest

from prism import SymbolicConfig, TapeConfig, grow
from prism.baselines.transformer import Transformer
from tests.growth.pairs import SOFT, larger
from tests.model.families import VARIANTS, perturbed, shrunk

EVERYWHERE = shrunk("tiny", anchor_hidden=5, symbolic=VARIANTS["answers"].symbolic)
TAPE, MACHINE = EVERYWHERE.tape, EVERYWHERE.symbolic


def tape(**changes: object) -> dict[str, TapeConfig]:
    return {"tape": dataclasses.replace(TAPE, **changes)}


def machine(**changes: object) -> dict[str, SymbolicConfig]:
    return {"symbolic": dataclasses.replace(MACHINE, **changes)}


REFUSED = {
    "d_model": {"d_model": 8},
    "num_layers": {"num_layers": 2},
    "neural_hidden": {"neural_hidden": 7},
    "anchor_hidden": {"anchor_hidden": None},
    "router_gates": {"router_gates": "independent"},
    "tape.content_heads": tape(content_heads=1),
    "tape.position_heads": tape(position_heads=1),
    "tape.d_mem": tape(d_mem=3),
    "tape.num_slots": tape(num_slots=16),
    "tape.scope": tape(scope="layer"),
    "tape.retention": tape(retention=0.5),
    "symbolic.units": machine(units=8),
    "symbolic.primitives": machine(primitives=MACHINE.primitives[:3]),
    "symbolic.moduli": machine(moduli=(2, 3)),
    "symbolic.fade": machine(fade=0.5),
    "symbolic.answers": machine(answers=False),
    "symbolic.width": machine(width=7),
    "symbolic.dials": machine(dials=1),
    "symbolic.dial_positions": machine(dial_positions=5),
    "symbolic.dial_reach": machine(dial_reach=2),
    "symbolic.reflections": machine(reflections=0),
    "symbolic.reflection_size": machine(reflection_size=4),
    "neural_taps": {"neural_taps": 1},
    "bus_reset": {"bus_reset": False},
    "token_skip": {"token_skip": True},
    "vocab_size": {"vocab_size": 12},
    "expert_kinds": {"expert_kinds": ("neural", "memory")},
    "router_topk": {"router_topk": 2},
    "always_on": {"always_on": ("neural",)},
    "tie_embeddings": {"tie_embeddings": False},
    "holo_mode": {"holo_mode": True},
    "half_lives": {"half_life_max": 2048.0, "d_model": 32},
    "memory_layers": {"memory_layers": (0,)},
}


@pytest.mark.parametrize("field", REFUSED)
def test_a_refusal_names_the_field_the_value_and_what_is_allowed(field):
    new = dataclasses.replace(EVERYWHERE, **REFUSED[field])
    with pytest.raises(ValueError, match=rf"^PrismConfig\.{field} = .*: must be ") as refusal:
        grow(perturbed(EVERYWHERE), new)
    assert "\n" not in str(refusal.value)


def test_more_rates_need_the_channels_that_the_others_have():
    new = dataclasses.replace(EVERYWHERE, half_lives=(*EVERYWHERE.bus_half_lives, *range(5, 13)))
    with pytest.raises(ValueError, match="d_model = 16: must be at least 32: 16 rates of 2"):
        grow(perturbed(EVERYWHERE), new)


def test_a_new_memory_block_below_an_old_one_would_erase_what_it_reads():
    old = shrunk("tiny", num_layers=2, memory_layers=(1,))
    new = dataclasses.replace(old, num_layers=4, memory_layers=(0, 3))
    with pytest.raises(ValueError, match=r"memory_layers = \(0, 3\): must be .* block 0 would"):
        grow(perturbed(old), new)


def test_a_tape_of_each_layer_alone_lets_memory_blocks_in_below():
    old = shrunk("tiny", num_layers=2, memory_layers=(1,), **tape(scope="layer"))
    new = dataclasses.replace(old, num_layers=4, memory_layers=(0, 3))
    assert grow(perturbed(old), new).report.blocks == (None, 0, None, 1)


@pytest.mark.parametrize("name", ("dials", "reflections"))
def test_machines_that_answer_get_no_other_beside_them(name):
    old = VARIANTS["one_answer"]
    new = dataclasses.replace(old, symbolic=dataclasses.replace(old.symbolic, **{name: 1}))
    with pytest.raises(ValueError, match=rf"symbolic\.{name} = 1: must be 0, .* share of every"):
        grow(perturbed(old), new)


def test_the_width_of_answers_that_there_are_not_does_not_matter():
    wider = dataclasses.replace(SOFT.symbolic, width=SOFT.symbolic.width + 1)
    assert grow(perturbed(SOFT), dataclasses.replace(SOFT, symbolic=wider)).report.exact


def test_only_a_prism_grows():
    with pytest.raises(ValueError, match="model = Transformer: must be a Prism"):
        grow(Transformer(SOFT, 8), SOFT)


def test_the_method_is_known():
    with pytest.raises(ValueError, match="method = 'magic': must be one of"):
        grow(perturbed(SOFT), larger(SOFT, {"depth"}), method="magic")


def test_what_moves_no_logit_may_change():
    free = {
        "router_z_loss": 0.0,
        "expert_output_penalty": 0.0,
        "balance_rate": 0.1,
        "chunk_size": 7,
        "dropout": 0.1,
        "seed": 5,
    }
    assert grow(perturbed(SOFT), dataclasses.replace(SOFT, **free)).report.exact


def test_the_tape_of_a_model_without_memory_does_not_matter():
    old = shrunk("tiny", expert_kinds=("neural",), memory_layers=None)
    assert grow(perturbed(old), dataclasses.replace(old, **tape(num_slots=2))).report.exact
