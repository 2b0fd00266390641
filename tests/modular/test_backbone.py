"""A branch is the backbone until it learns, and only its own kind does."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism
from prism.modular import (
    KINDS,
    backbone_config,
    backbone_hash,
    branch_of,
    freeze_backbone,
    parameter_group,
)
from prism.modular.backbone import UNIT_INPUT_RATE, outputs_of
from tests.model.families import configs, tokens_of
from tests.modular.branches import (
    ANSWERS,
    FULL,
    answers,
    backbone_of,
    loss_of,
    moved,
    unheard,
)

kinds = pytest.mark.parametrize("kind", KINDS)
modes = pytest.mark.parametrize("config", (FULL, ANSWERS), ids=("plain", "answers"))


@given(config=configs())
def test_a_backbone_of_any_config_is_a_model_without_kinds(config):
    backbone = backbone_config(config)
    assert backbone.expert_kinds == ()
    assert backbone.anchor_hidden == (config.anchor_hidden or config.hidden)
    assert (backbone.d_model, backbone.bus_half_lives) == (config.d_model, config.bus_half_lives)
    assert backbone_config(backbone) == backbone


@given(config=configs(), kind=st.sampled_from(KINDS))
def test_step_0_of_a_branch_is_the_backbone_exactly(config, kind):
    backbone = moved(Prism(backbone_config(config)), 0)
    branch = branch_of(backbone, kind)
    tokens = tokens_of(0, 2, 9)
    wanted, bar = backbone(tokens).logits, 0.0
    if answers(branch):  # answers of machines are mixed with probabilities
        wanted, bar = wanted.log_softmax(dim=-1), 1e-5
    with pytest.MonkeyPatch.context() as patch:
        unheard(patch)
        assert (branch(tokens).logits - wanted).abs().max() <= bar
    assert backbone_hash(branch) == backbone_hash(backbone)


@modes
@kinds
def test_training_a_branch_moves_its_kind_and_nothing_else(kind, config):
    branch = branch_of(backbone_of(config), kind, config)
    before = {name: x.clone() for name, x in branch.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in branch.parameters() if p.requires_grad], lr=1e-2)
    for step in range(2):
        optimizer.zero_grad()
        loss_of(branch, step).backward()
        optimizer.step()
    for name, x in branch.state_dict().items():
        if parameter_group(name) == "backbone":
            assert torch.equal(x, before[name]), name
        elif name.endswith((".write.weight", ".score.weight", ".score.bias")):
            assert not torch.equal(x, before[name]), name


@modes
@kinds
def test_the_writer_learns_at_once_and_what_is_before_it_one_step_later(kind, config):
    branch = branch_of(backbone_of(config), kind, config)
    loss_of(branch).backward()
    output = outputs_of(branch.config)
    own = {n: p for n, p in branch.named_parameters() if parameter_group(n) == kind}
    if answers(branch):  # the machines learn from their own answers alone, at once
        alone = [n for n in own if n.startswith("machine.") and not n.endswith(output)]
        assert all(own.pop(name).grad.any() for name in alone if name != "machine.theta")
        own.pop("machine.theta", None)
    writers = [p for name, p in own.items() if name.endswith(output)]
    others = [p for name, p in own.items() if not name.endswith(output)]
    assert writers and others
    for writer in writers:
        assert (writer.grad != 0).any(dim=0).float().mean() > 0.5
    assert all(p.grad is None or not p.grad.any() for p in others)
    with torch.no_grad():
        for writer in writers:
            writer -= 0.1 * writer.grad
    loss_of(branch).backward()
    assert any(p.grad is not None and p.grad.any() for p in others)


def test_a_branch_has_the_fields_of_its_own_kind_only():
    like = dataclasses.replace(
        FULL, neural_hidden=3, tape=dataclasses.replace(FULL.tape, d_mem=7), memory_layers=(1,)
    )
    backbone = backbone_of()
    memory = branch_of(backbone, "memory", like).config
    assert (memory.tape.d_mem, memory.memory_layers) == (7, (1,))
    assert memory.neural_hidden == FULL.hidden
    neural = branch_of(backbone, "neural", like).config
    assert (neural.hidden, neural.tape) == (3, FULL.tape)


def test_freezing_a_branch_again_changes_nothing():
    branch = branch_of(backbone_of(), "memory")
    learn = {name for name, p in branch.named_parameters() if p.requires_grad}
    again = freeze_backbone(branch.requires_grad_(True))
    assert {name for name, p in again.named_parameters() if p.requires_grad} == learn


def test_only_a_backbone_can_have_branches():
    backbone = backbone_of()
    with pytest.raises(
        ValueError, match="modular branch 'attention': must be one of neural, memory"
    ):
        branch_of(backbone, "attention")
    for config in (FULL, branch_of(backbone, "neural").config):
        with pytest.raises(
            ValueError, match=r"modular backbone: expert_kinds = .*an anchor and no"
        ):
            branch_of(Prism(config), "memory")


def test_a_symbolic_branch_has_slow_lanes_unless_it_says_how_fast():
    backbone = backbone_of()
    plain = dataclasses.replace(
        FULL, symbolic=dataclasses.replace(FULL.symbolic, unit_input_rate=None)
    )
    quick = dataclasses.replace(
        FULL, symbolic=dataclasses.replace(FULL.symbolic, unit_input_rate=1.0)
    )
    found = {
        branch_of(backbone, "symbolic", like).config.symbolic.unit_input_rate
        for like in (None, plain)
    }
    assert found == {UNIT_INPUT_RATE}
    assert branch_of(backbone, "symbolic", quick).config.symbolic.unit_input_rate == 1.0
