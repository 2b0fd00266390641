"""Switching a kind off touches that kind, at those decisions, and nothing after it is over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.specialisation import __main__ as command
from benchmarks.specialisation.ablation import LEAST, routed, specialisation, without
from prism import Prism, PrismConfig
from prism.compare.training import NOT_SCORED
from prism.config import EXPERT_KINDS

BATCH, LENGTH, LAYERS = 8, 32, 2


@pytest.fixture
def model() -> Prism:
    return Prism(PrismConfig(vocab_size=12, d_model=32, num_layers=LAYERS)).eval()


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(12, (BATCH, LENGTH), generator=torch.Generator().manual_seed(1))


def nowhere() -> Tensor:
    return torch.zeros(LAYERS, BATCH, LENGTH, dtype=torch.bool)


@torch.no_grad()
def test_nothing_off_changes_nothing_and_no_hook_stays(model: Prism, tokens: Tensor) -> None:
    plain = model(tokens).logits
    with without(model, "neural", nowhere()):
        assert torch.equal(model(tokens).logits, plain)
    with without(model, "neural", ~nowhere()):
        assert not torch.equal(model(tokens).logits, plain)
    assert torch.equal(model(tokens).logits, plain)


@torch.no_grad()
def test_off_everywhere_is_a_model_whose_expert_says_nothing(model: Prism, tokens: Tensor) -> None:
    with without(model, "neural", ~nowhere()):
        ablated = model(tokens).logits
    for block in model.blocks:
        for matrix in block.neural.modules():
            if isinstance(matrix, nn.Linear):
                matrix.weight.zero_()
    torch.testing.assert_close(model(tokens).logits, ablated)


@torch.no_grad()
def test_off_at_one_token_changes_that_row_from_there_on(model: Prism, tokens: Tensor) -> None:
    plain = model(tokens).logits
    where = nowhere()
    where[0, 3, 10] = True
    with without(model, "memory", where):
        changed = (model(tokens).logits != plain).any(dim=-1)
    assert changed[3, 10]
    assert not changed[3, :10].any()
    assert not changed[:3].any()
    assert not changed[4:].any()


def test_every_decision_has_one_winner(model: Prism, tokens: Tensor) -> None:
    batch = routed(model, tokens, tokens)
    assert (sum(batch.won[kind].int() for kind in EXPERT_KINDS) == 1).all()


def test_a_block_without_memory_neither_wins_nor_loses_for_it(tokens: Tensor) -> None:
    config = PrismConfig(vocab_size=12, d_model=32, num_layers=LAYERS, memory_layers=(1,))
    batch = routed(Prism(config), tokens, tokens)
    assert batch.held["memory"].tolist() == [False, True]
    assert not batch.won["memory"][0].any()


def test_a_kind_harms_most_where_its_weight_is_largest(model: Prism, tokens: Tensor) -> None:
    """With a decided router, a kind that lost has no weight to lose; the targets are what the
    model says itself, so that losing weight harms."""
    with torch.no_grad():
        for block in model.blocks:
            block.router.score.weight.mul_(100)
            for parameter in block.neural.parameters():
                parameter.mul_(2)
    targets = model(tokens).logits.argmax(dim=-1)
    batch = routed(model, tokens, targets)
    row = specialisation(model, batch, "neural", scored_only=False, draws=2, seed=0)
    assert row["decisions"] >= LEAST
    assert row["harm_won"] > 3 * abs(row["harm_others"])
    assert row == specialisation(model, batch, "neural", scored_only=False, draws=2, seed=0)


def test_too_few_decisions_give_no_number(model: Prism, tokens: Tensor) -> None:
    targets = torch.full_like(tokens, NOT_SCORED)
    targets[:, -1] = tokens[:, -1]
    row = specialisation(model, routed(model, tokens, targets), "neural", True, draws=1, seed=0)
    assert row["decisions"] < LEAST
    assert row["harm_won"] is row["harm_others"] is row["ratio"] is None


def test_the_command_writes_every_task_and_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SEQUENCES", 8)
    monkeypatch.setattr(command, "DRAWS", 1)
    out = tmp_path / "specialisation.json"
    quick = ["--tasks", "parity", "--steps", "1", "--seeds", "1", "--threads", "1"]
    assert command.main([*quick, "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert content["meta"]["profile"] == "quick"
    (run,) = content["runs"]
    assert (run["task"], run["steps"], run["error"]) == ("parity", 1, None)
    assert [(row["where"], row["kind"]) for row in run["kinds"]] == [
        (where, kind) for where in ("all", "scored") for kind in EXPERT_KINDS
    ]


@pytest.mark.parametrize(
    "argv", [["--tasks", "chess"], ["--steps", "0"], ["--seeds", "0"], ["--threads", "0"]]
)
def test_bad_values_end_in_one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(argv)
    assert argv[0] in capsys.readouterr().err
