"""Every flag that has to do with training changes what it says it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from prism.engine.settings import Settings
from prism.engine.store import folder
from tests.engine.fakes import SMALL, TOP2, fit, small, small_trainer, whole

CHANGES: dict[str, dict[str, Any]] = {
    "model": {"model": "gdn"},
    "set": {"set": (*TOP2, "symbolic.units=6")},
    "seed": {"seed": 1},
    "seq_len": {"seq_len": 16},
    "global_batch_size": {"global_batch_size": 2},
    "carry": {"carry": False},
    "dtype": {"dtype": "bf16"},
    "steps": {"steps": 2},
    "lr": {"lr": 1e-3},
    "min_lr_ratio": {"min_lr_ratio": 0.9},
    "warmup": {"warmup": 0.7},
    "schedule": {"schedule": "wsd"},
    "decay": {"schedule": "wsd", "decay": 1.0},
    "optimizer": {"optimizer": "muon"},
    "weight_decay": {"weight_decay": 0.5},
    "beta2": {"beta2": 0.5},
    "grad_clip": {"grad_clip": 1e-3},
    "exploration": {"exploration": 1.0},
    "token_recycling": {"token_recycling": True},
    "token_selection": {"token_selection": "excess:0.5", "reference": "gdn"},
}


def weights(s: Settings, run: Path) -> dict[str, torch.Tensor]:
    with small_trainer(s, run) as t:
        fit(t)
        return whole(dict(t.model.named_parameters()))


def plain(**values: Any) -> Settings:
    return small(**{"set": TOP2, "steps": 3, "save_every": 9, "async_save": False, **values})


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    return weights(plain(), tmp_path_factory.mktemp("usual"))


def test_the_same_flags_give_the_same_weights(
    usual: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    again = weights(plain(), tmp_path)
    assert all(torch.equal(again[name], usual[name]) for name in usual)


@pytest.mark.parametrize("flag", CHANGES)
def test_a_flag_of_the_mathematics_changes_the_weights(
    flag: str, usual: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    other = weights(plain(**CHANGES[flag]), tmp_path)
    base = usual
    if flag == "decay":
        base = weights(plain(schedule="wsd"), tmp_path / "base")
    assert other.keys() != base.keys() or any(
        other[n].shape != base[n].shape or not torch.equal(other[n], base[n]) for n in base
    )


@pytest.mark.parametrize(
    "values",
    [{"async_save": True}, {"eval_every": 1}, {"log_every": 2}],
    ids=str,
)
def test_a_flag_of_the_machine_does_not(
    values: dict[str, Any], usual: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    other = weights(plain(**values), tmp_path)
    assert all(torch.equal(other[name], usual[name]) for name in usual)


def test_recomputation_changes_no_more_than_the_last_bits(
    usual: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """Blocks that are computed again run alone, not joined: sums have another order."""
    other = weights(plain(recompute=True), tmp_path)
    for name in usual:
        torch.testing.assert_close(other[name], usual[name], rtol=1e-5, atol=1e-6)


def test_saving_validating_and_logging_happen_when_they_should(tmp_path: Path) -> None:
    s = small(set=SMALL, steps=5, save_every=2, keep=3, eval_every=2, log_every=4)
    with small_trainer(s, tmp_path) as t:
        records = fit(t)
    assert [p.name[-1] for p in folder.complete(tmp_path)] == ["2", "4", "5"]
    assert [r["step"] for r in records if "held_out_loss" in r] == [2, 4, 5]
    assert [r["step"] for r in records if "loss" in r] == [4, 5]
    with small_trainer(small(steps=4, save_every=1, keep=1), tmp_path / "b") as t:
        fit(t)
    assert [p.name[-1] for p in folder.complete(tmp_path / "b")] == ["4"]


def test_a_record_says_what_there_is_to_know(tmp_path: Path) -> None:
    with small_trainer(small(steps=2, eval_every=2), tmp_path) as t:
        records = fit(t)
    step, held_out = records[-2], records[-1]
    for name in ("loss", "bits_per_byte", "lr", "grad_norm", "tokens_per_second", "memory_mib"):
        assert step[name] > 0, name
    assert step["eta_seconds"] > 0  # the validation and the checkpoint of this very step
    assert set(step["loads"]) == {"neural", "memory", "symbolic"}
    assert {"data", "gradients", "optimizer"} <= set(step["time"])
    assert len(held_out["half_life_use"]) == 4
    assert sum(held_out["half_life_use"].values()) == pytest.approx(4)
    assert held_out["held_out_bits_per_byte"] > 0
