"""A run goes on exactly where it was saved, on as many ranks as there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from prism.engine.settings import Settings
from prism.engine.store import folder
from prism.engine.store.checkpoint import rng_state
from tests.engine.fakes import SMALL, TOP2, Ranks, fit, small, small_trainer, whole

Result = tuple[list[float], dict[str, torch.Tensor], dict[str, Any]]


def train(s: Settings, run: Path, start: Path | None = None, draws: int = 0) -> Result:
    """Losses, every tensor that is saved, and the random generators."""
    with small_trainer(s, run, start, resume=start is not None) as t:
        torch.rand(draws)
        records = fit(t)
        tensors = whole(t._tensors()) | whole(t.states.tensors())
        assert t.spec.feed.state()
    return [r["loss"] for r in records if "loss" in r], tensors, rng_state()


def same(a: Result, b: Result) -> None:
    assert a[0] == b[0]
    assert a[1].keys() == b[1].keys()
    for name, tensor in a[1].items():
        assert torch.equal(tensor, b[1][name]), name
    assert a[2] == b[2]


# the symbolic parameters that only thresholds use never get a gradient, hence no moments
NO_THRESHOLD = (*SMALL, 'symbolic.primitives=["compare", "rotor"]')
OPTIONS: list[dict[str, Any]] = [
    {"set": TOP2},
    {"model": "gdn", "async_save": False, "micro_batch_size": 1},
    {"model": "transformer", "optimizer": "muon"},
    {"dtype": "bf16", "schedule": "wsd", "skip_outliers": 3.0},
    {"set": NO_THRESHOLD},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_resumed_run_is_equal_to_the_bit(options: dict[str, Any], tmp_path: Path) -> None:
    s = small(**options)
    through = train(s, tmp_path / "a", draws=3)
    start = folder.final_name(tmp_path / "a", 3)
    resumed = train(s, tmp_path / "b", start)
    same((through[0][3:], *through[1:]), resumed)


def test_two_ranks_resume_to_the_bit_and_one_goes_on_from_two(pair: Ranks, tmp_path: Path) -> None:
    s = small(dtype="fp64", set=TOP2)
    through = pair.run(train, tmp_path, s, tmp_path / "a")
    start = folder.final_name(tmp_path / "a", 3)
    for before, after in zip(
        through, pair.run(train, tmp_path, s, tmp_path / "b", start), strict=True
    ):
        same((before[0][3:], *before[1:]), after)
    alone = train(small(dtype="fp64", set=TOP2, micro_batch_size=2), tmp_path / "c", start)
    assert alone[0] == pytest.approx(through[0][0][3:], rel=1e-9)
    lanes = through[0][1] | through[1][1]
    for name, tensor in alone[1].items():
        torch.testing.assert_close(tensor, lanes[name], rtol=1e-6, atol=1e-9)


def test_other_data_are_refused(tmp_path: Path) -> None:
    s = small(steps=3)
    train(s, tmp_path)
    with small_trainer(s, tmp_path) as t:
        t.spec.identity["data"] = "other"
        with pytest.raises(ValueError, match=r"data was ragged, is now other; must be the same"):
            t._resume(folder.newest(tmp_path))


def test_weights_alone_can_be_the_start_of_another_run(tmp_path: Path) -> None:
    first = train(small(steps=3), tmp_path / "a")
    start = folder.newest(tmp_path / "a")
    with small_trainer(small(lr=1e-30), tmp_path / "b", start) as t:
        assert t.step == 0
        assert not t.optimizers.tensors()
        for name, tensor in whole(t._tensors()).items():
            assert torch.equal(tensor, first[1][name]), name


@pytest.mark.slow
def test_a_run_saved_on_two_ranks_goes_on_with_four(pair: Ranks, tmp_path: Path) -> None:
    s = small(dtype="fp64", set=TOP2)
    through = pair.run(train, tmp_path, s, tmp_path / "a")
    four = Ranks(4)
    try:
        start = folder.final_name(tmp_path / "a", 3)
        for losses, _, _ in four.run(train, tmp_path, s, tmp_path / "b", start):
            assert losses == pytest.approx(through[0][0][3:], rel=1e-6)
    finally:
        four.close()
