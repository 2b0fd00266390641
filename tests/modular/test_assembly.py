"""Assembly: by name, bit for bit, and only on one backbone."""

import dataclasses
from itertools import combinations

import pytest
import torch

import prism
from prism import Prism, PrismConfig
from prism.modular import (
    KINDS,
    assemble,
    backbone_hash,
    branch_of,
    largest_budget,
    only_gates,
    parameter_group,
    report_of,
)
from tests.model.families import tokens_of
from tests.modular.branches import (
    ANSWERS,
    FULL,
    answers,
    backbone_of,
    branches_of,
    loss_of,
    moved,
    unheard,
)

TOKENS = tokens_of(3, 3, 20)


@pytest.fixture(scope="module", params=(FULL, ANSWERS), ids=("plain", "answers"))
def config(request: pytest.FixtureRequest) -> PrismConfig:
    return request.param


@pytest.fixture(scope="module")
def backbone(config: PrismConfig) -> Prism:
    return backbone_of(config)


@pytest.fixture(scope="module")
def branches(backbone: Prism, config: PrismConfig) -> dict[str, Prism]:
    return branches_of(backbone, config)


def log_probabilities(model: Prism, like: Prism) -> torch.Tensor:
    """Logits of ``model``; their logarithms of probabilities if ``like`` gives those, because its
    symbolic machines answer."""
    logits = model(TOKENS).logits
    return logits if not answers(like) else logits.log_softmax(dim=-1)


def shut(model: Prism, patch: pytest.MonkeyPatch, *kinds: str) -> None:
    """Close the gates of ``kinds`` for good."""
    with torch.no_grad():
        for block in model.blocks:
            for i, kind in enumerate(block.kinds):
                if kind in kinds:
                    block.router.score.weight[i] = 0
                    block.router.score.bias[i] = -1e4
    if "symbolic" in kinds:
        unheard(patch)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_where_one_gate_is_open_the_sum_is_that_branch(backbone, branches, kind, monkeypatch):
    model = assemble(backbone, branches)
    shut(model, monkeypatch, *(other for other in KINDS if other != kind))
    branch = branches[kind]
    found, wanted = (log_probabilities(m.double(), model) for m in (model, branch))
    branch.float()
    assert (found - wanted).abs().max() < 1e-12


@torch.no_grad()
def test_where_no_gate_is_open_the_sum_is_the_backbone(backbone, branches, monkeypatch):
    model = assemble(backbone, branches)
    shut(model, monkeypatch, *KINDS)
    bar = 1e-5 if answers(model) else 0.0  # a mixture of probabilities, fp32
    found, wanted = model(TOKENS).logits, log_probabilities(backbone, model)
    assert (found - wanted).abs().max() <= bar


@pytest.mark.parametrize("count", (1, 2, 3))
def test_every_tensor_is_that_of_its_source(backbone, branches, count):
    for kinds in combinations(KINDS, count):
        some = {kind: branches[kind] for kind in reversed(kinds)}
        model = assemble(backbone, some)
        report = report_of(model)
        assert model.config.expert_kinds == kinds
        found = model.state_dict()
        assert [row.name for row in report.tensors] == list(found)
        for row in report.tensors:
            assert row.shape == tuple(found[row.name].shape)
            rows = {kind: branches[kind].state_dict().get(row.name) for kind in kinds}
            if parameter_group(row.name) == "router":
                wanted = torch.cat([rows[kind] for kind in row.sources])
            else:
                (source,) = row.sources
                wanted = (backbone if source == "backbone" else branches[source]).state_dict()[
                    row.name
                ]
            assert torch.equal(found[row.name], wanted), row.name


def test_a_block_without_memory_has_no_row_for_it(backbone, branches):
    report = {row.name: row.sources for row in report_of(assemble(backbone, branches)).tensors}
    assert report["blocks.0.router.score.weight"] == KINDS
    assert report["blocks.1.router.score.weight"] == ("neural", "symbolic")
    assert "blocks.1.memory.write.weight" not in report


def test_the_report_names_backbone_and_every_tensor(backbone, branches):
    report = report_of(assemble(backbone, branches))
    assert report.hash == backbone_hash(backbone)
    lines = str(report).splitlines()
    assert lines[0].startswith(f"backbone {report.hash[:16]} with neural, memory, symbolic: ")
    assert f"{len(report.tensors)} tensors" in lines[0]
    assert len(lines) == 1 + len(report.tensors)
    rows = "rows of neural, memory, symbolic  blocks.0.router.score.bias  3"
    assert rows in lines
    assert str(report_of(branches["memory"])).splitlines()[0].endswith("tensors")


def test_the_assembled_model_is_plain_and_can_be_saved(backbone, branches, tmp_path):
    model = assemble(backbone, branches)
    assert type(model) is Prism
    model.save(tmp_path)
    again = prism.load(tmp_path)
    assert again.config == model.config
    assert torch.equal(again(TOKENS).logits, model(TOKENS).logits)
    assert backbone_hash(again) == backbone_hash(backbone)


def test_a_branch_of_another_backbone_is_refused_with_both_hashes(backbone, branches):
    other = backbone_of()
    with torch.no_grad():
        other.last_norm.weight[0] += 1e-7
    stranger = moved(branch_of(other, "memory", FULL), 5)
    with pytest.raises(ValueError) as caught:
        assemble(backbone, {**branches, "memory": stranger})
    message = str(caught.value)
    assert f"the memory branch stands on backbone {backbone_hash(other)}" in message
    assert f"the backbone given is {backbone_hash(backbone)}" in message
    assert "\n" not in message


@pytest.mark.parametrize("field", ("half_lives", "tie_embeddings"))
def test_what_the_tensors_mean_is_branch_of_the_hash(field):
    lives = tuple(x + 1 for x in FULL.bus_half_lives)
    changed = {"half_lives": lives, "tie_embeddings": False}[field]
    assert backbone_hash(backbone_of()) != backbone_hash(
        backbone_of(dataclasses.replace(FULL, **{field: changed}))
    )


def test_training_a_branch_does_not_change_its_backbone_hash(backbone, branches):
    assert {backbone_hash(branch) for branch in branches.values()} == {backbone_hash(backbone)}


def test_branches_are_checked_before_anything_is_built(backbone, branches):
    with pytest.raises(ValueError, match=r"branches = \[\]: must be one or more of neural, memory"):
        assemble(backbone, {})
    with pytest.raises(
        ValueError, match=r"the neural branch holds .'memory',.: must be .'neural',."
    ):
        assemble(backbone, {"neural": branches["memory"]})
    with pytest.raises(ValueError, match="modular backbone: expert_kinds"):
        assemble(branches["neural"], branches)


def test_calibration_moves_gates_and_nothing_else(backbone, branches):
    model = only_gates(assemble(backbone, branches))
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
        moved_now = parameter_group(name) == "router" and "score" in name
        assert torch.equal(x, before[name]) is not moved_now, name


def test_a_calibration_may_see_a_twentieth_of_the_tokens():
    assert largest_budget(1000) == 50
    assert largest_budget(19) == 0
