"""A part is the trunk until it learns, and only its own kind does."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism
from prism.modular import KINDS, freeze_trunk, owner, part_of, trunk_config, trunk_hash
from prism.modular.trunk import LANE_RATE
from tests.model.families import configs, tokens_of
from tests.modular.parts import FULL, loss_of, moved, trunk_of

kinds = pytest.mark.parametrize("kind", KINDS)


@given(config=configs())
def test_a_trunk_of_any_config_is_a_model_without_kinds(config):
    trunk = trunk_config(config)
    assert trunk.expert_kinds == ()
    assert trunk.anchor_hidden == (config.anchor_hidden or config.hidden)
    assert (trunk.d_model, trunk.bus_half_lives) == (config.d_model, config.bus_half_lives)
    assert trunk_config(trunk) == trunk


@given(config=configs(), kind=st.sampled_from(KINDS))
def test_step_0_of_a_part_is_the_trunk_exactly(config, kind):
    trunk = moved(Prism(trunk_config(config)), 0)
    part = part_of(trunk, kind)
    tokens = tokens_of(0, 2, 9)
    assert torch.equal(part(tokens).logits, trunk(tokens).logits)
    assert trunk_hash(part) == trunk_hash(trunk)


@kinds
def test_training_a_part_moves_its_kind_and_nothing_else(kind):
    part = part_of(trunk_of(), kind, FULL)
    before = {name: x.clone() for name, x in part.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in part.parameters() if p.requires_grad], lr=1e-2)
    for step in range(2):
        optimizer.zero_grad()
        loss_of(part, step).backward()
        optimizer.step()
    for name, x in part.state_dict().items():
        if owner(name) == "trunk":
            assert torch.equal(x, before[name]), name
        elif name.endswith((".write.weight", ".score.weight", ".score.bias")):
            assert not torch.equal(x, before[name]), name


@kinds
def test_the_writer_learns_at_once_and_what_is_before_it_one_step_later(kind):
    part = part_of(trunk_of(), kind, FULL)
    loss_of(part).backward()
    block = getattr(part.blocks[0], kind)
    assert (block.write.weight.grad != 0).any(dim=0).float().mean() > 0.5
    others = [p for n, p in block.named_parameters() if n != "write.weight"]
    assert all(p.grad is None or not p.grad.any() for p in others)
    with torch.no_grad():
        block.write.weight -= 0.1 * block.write.weight.grad
    loss_of(part).backward()
    assert any(p.grad is not None and p.grad.any() for p in others)


def test_a_part_has_the_fields_of_its_own_kind_only():
    like = dataclasses.replace(
        FULL, neural_hidden=3, tape=dataclasses.replace(FULL.tape, d_mem=7), memory_layers=(1,)
    )
    trunk = trunk_of()
    memory = part_of(trunk, "memory", like).config
    assert (memory.tape.d_mem, memory.memory_layers) == (7, (1,))
    assert memory.neural_hidden == FULL.hidden
    neural = part_of(trunk, "neural", like).config
    assert (neural.hidden, neural.tape) == (3, FULL.tape)


def test_freezing_a_part_again_changes_nothing():
    part = part_of(trunk_of(), "memory")
    learn = {name for name, p in part.named_parameters() if p.requires_grad}
    again = freeze_trunk(part.requires_grad_(True))
    assert {name for name, p in again.named_parameters() if p.requires_grad} == learn


def test_only_a_trunk_can_have_parts():
    trunk = trunk_of()
    with pytest.raises(ValueError, match="modular part 'attention': must be one of neural, memory"):
        part_of(trunk, "attention")
    for config in (FULL, part_of(trunk, "neural").config):
        with pytest.raises(ValueError, match=r"modular trunk: expert_kinds = .*an anchor and no"):
            part_of(Prism(config), "memory")


def test_a_symbolic_part_has_slow_lanes_unless_it_says_how_fast():
    trunk = trunk_of()
    plain = dataclasses.replace(
        FULL, symbolic=dataclasses.replace(FULL.symbolic, unit_input_rate=None)
    )
    quick = dataclasses.replace(
        FULL, symbolic=dataclasses.replace(FULL.symbolic, unit_input_rate=1.0)
    )
    found = {
        part_of(trunk, "symbolic", like).config.symbolic.unit_input_rate for like in (None, plain)
    }
    assert found == {LANE_RATE}
    assert part_of(trunk, "symbolic", quick).config.symbolic.unit_input_rate == 1.0
