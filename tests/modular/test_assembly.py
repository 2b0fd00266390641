"""Assembly: by name, bit for bit, and only on one trunk."""

import dataclasses
from itertools import combinations

import pytest
import torch

import prism
from prism import Prism
from prism.modular import (
    KINDS,
    assemble,
    largest_budget,
    only_gates,
    owner,
    part_of,
    report_of,
    trunk_hash,
)
from tests.model.families import tokens_of
from tests.modular.parts import FULL, loss_of, moved, parts_of, trunk_of

TOKENS = tokens_of(3, 3, 20)


@pytest.fixture(scope="module")
def trunk() -> Prism:
    return trunk_of()


@pytest.fixture(scope="module")
def parts(trunk: Prism) -> dict[str, Prism]:
    return parts_of(trunk)


def shut(model: Prism, *kinds: str) -> None:
    """Close the gates of ``kinds`` for good."""
    with torch.no_grad():
        for block in model.blocks:
            for i, kind in enumerate(block.kinds):
                if kind in kinds:
                    block.router.score.weight[i] = 0
                    block.router.score.bias[i] = -1e4


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_where_one_gate_is_open_the_sum_is_that_part(trunk, parts, kind):
    model = assemble(trunk, parts).model
    shut(model, *(other for other in KINDS if other != kind))
    part = parts[kind]
    found, wanted = model.double()(TOKENS).logits, part.double()(TOKENS).logits
    part.float()
    assert (found - wanted).abs().max() < 1e-12


@torch.no_grad()
def test_where_no_gate_is_open_the_sum_is_the_trunk(trunk, parts):
    model = assemble(trunk, parts).model
    shut(model, *KINDS)
    assert torch.equal(model(TOKENS).logits, trunk(TOKENS).logits)


@pytest.mark.parametrize("count", (1, 2, 3))
def test_every_tensor_is_that_of_its_source(trunk, parts, count):
    for kinds in combinations(KINDS, count):
        some = {kind: parts[kind] for kind in reversed(kinds)}
        model, report = assemble(trunk, some).model, assemble(trunk, some).report
        assert model.config.expert_kinds == kinds
        found = model.state_dict()
        assert [row.name for row in report.tensors] == list(found)
        for row in report.tensors:
            assert row.shape == tuple(found[row.name].shape)
            rows = {kind: parts[kind].state_dict().get(row.name) for kind in kinds}
            if owner(row.name) == "router":
                wanted = torch.cat([rows[kind] for kind in row.sources])
            else:
                (source,) = row.sources
                wanted = (trunk if source == "trunk" else parts[source]).state_dict()[row.name]
            assert torch.equal(found[row.name], wanted), row.name


def test_a_block_without_memory_has_no_row_for_it(trunk, parts):
    report = {row.name: row.sources for row in assemble(trunk, parts).report.tensors}
    assert report["blocks.0.router.score.weight"] == KINDS
    assert report["blocks.1.router.score.weight"] == ("neural", "symbolic")
    assert "blocks.1.memory.write.weight" not in report


def test_the_report_names_trunk_and_every_tensor(trunk, parts):
    report = assemble(trunk, parts).report
    assert report.hash == trunk_hash(trunk)
    lines = str(report).splitlines()
    assert lines[0].startswith(f"trunk {report.hash[:16]} with neural, memory, symbolic: ")
    assert f"{len(report.tensors)} tensors" in lines[0]
    assert len(lines) == 1 + len(report.tensors)
    rows = "rows of neural, memory, symbolic  blocks.0.router.score.bias  3"
    assert rows in lines
    assert str(report_of(parts["memory"])).splitlines()[0].endswith("tensors")


def test_the_assembled_model_is_plain_and_can_be_saved(trunk, parts, tmp_path):
    model = assemble(trunk, parts).model
    assert type(model) is Prism
    model.save(tmp_path)
    again = prism.load(tmp_path)
    assert again.config == model.config
    assert torch.equal(again(TOKENS).logits, model(TOKENS).logits)
    assert trunk_hash(again) == trunk_hash(trunk)


def test_a_part_of_another_trunk_is_refused_with_both_hashes(trunk, parts):
    other = trunk_of()
    with torch.no_grad():
        other.last_norm.weight[0] += 1e-7
    stranger = moved(part_of(other, "memory", FULL), 5)
    with pytest.raises(ValueError) as caught:
        assemble(trunk, {**parts, "memory": stranger})
    message = str(caught.value)
    assert f"the memory part stands on trunk {trunk_hash(other)}" in message
    assert f"the trunk given is {trunk_hash(trunk)}" in message
    assert "\n" not in message


@pytest.mark.parametrize("field", ("half_lives", "tie_embeddings"))
def test_what_the_tensors_mean_is_part_of_the_hash(field):
    lives = tuple(x + 1 for x in FULL.bus_half_lives)
    changed = {"half_lives": lives, "tie_embeddings": False}[field]
    assert trunk_hash(trunk_of()) != trunk_hash(
        trunk_of(dataclasses.replace(FULL, **{field: changed}))
    )


def test_training_a_part_does_not_change_its_trunk_hash(trunk, parts):
    assert {trunk_hash(part) for part in parts.values()} == {trunk_hash(trunk)}


def test_parts_are_checked_before_anything_is_built(trunk, parts):
    with pytest.raises(ValueError, match=r"parts = \[\]: must be one or more of neural, memory"):
        assemble(trunk, {})
    with pytest.raises(ValueError, match=r"the neural part holds .'memory',.: must be .'neural',."):
        assemble(trunk, {"neural": parts["memory"]})
    with pytest.raises(ValueError, match="modular trunk: expert_kinds"):
        assemble(parts["neural"], parts)


def test_calibration_moves_gates_and_nothing_else(trunk, parts):
    model = only_gates(assemble(trunk, parts).model)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    start = loss_of(model).item()
    for _ in range(5):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()
    assert loss_of(model).item() < start
    for name, x in model.state_dict().items():
        moved_now = owner(name) == "router" and "score" in name
        assert torch.equal(x, before[name]) is not moved_now, name


def test_a_calibration_may_see_a_twentieth_of_the_tokens():
    assert largest_budget(1000) == 50
    assert largest_budget(19) == 0
