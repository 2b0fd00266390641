"""Runs are kept, and a rate is searched until its neighbours are worse."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.levers.runs import FURTHER, Runs, tuned
from benchmarks.levers.summary import finals
from prism.config import PrismConfig
from prism.former_names import former_fields
from tests.benchmarks.fakes import META


def search(tmp_path: Path, rates: list[float], best: float) -> tuple[float, list[float]]:
    """What is chosen where the loss is least at ``best``, and what was tried for it."""
    runs = Runs(tmp_path / "levers.json", "growth", dict(META), {}, lambda line: None)
    chosen = tuned(runs, "scratch", rates, lambda rate: {"loss": max(rate / best, best / rate)})
    return chosen, [row["lr"] for row in runs.runs]


@pytest.mark.parametrize(
    ("best", "tried"),
    [
        (0.004, [0.002, 0.004, 0.008]),
        (0.008, [0.002, 0.004, 0.008, 0.016]),
        (0.002, [0.002, 0.004, 0.008, 0.001]),
        (0.001, [0.002, 0.004, 0.008, 0.001, 0.0005]),
    ],
)
def test_the_search_goes_on_until_both_neighbours_are_worse(tmp_path, best, tried):
    assert search(tmp_path, [0.002, 0.004, 0.008], best) == (best, tried)


def test_it_ends_somewhere(tmp_path):
    _, tried = search(tmp_path, [0.002, 0.004], best=1.0)
    assert len(tried) == 2 + FURTHER


def test_one_rate_is_taken_as_it_is(tmp_path):
    assert search(tmp_path, [0.01], best=1.0) == (0.01, [0.01])


def test_a_search_that_was_interrupted_finds_its_runs_again(tmp_path):
    first = search(tmp_path, [0.002, 0.004], best=0.008)
    assert search(tmp_path, [0.002, 0.004], best=0.008) == first


def test_a_rate_that_diverges_is_passed_by_and_a_final_run_that_does_is_an_error(tmp_path):
    runs = Runs(tmp_path / "levers.json", "growth", dict(META), {}, lambda line: None)
    found = {0.1: 1.0, 0.2: math.nan, 0.05: 2.0}
    assert tuned(runs, "scratch", [0.1, 0.2], lambda rate: {"loss": found[rate]}) == 0.1
    assert [row["loss"] for row in runs.runs] == [1.0, None, 2.0]
    with pytest.raises(ValueError, match="the loss is nan"):
        runs.once({"phase": "final", "seed": 0}, lambda: {"loss": math.nan})


def test_finals_at_two_rates_are_refused():
    rows = [{"phase": "final", "arm": "a", "seed": i, "lr": lr} for i, lr in ((0, 0.1), (1, 0.2))]
    assert set(finals({"runs": rows[:1]})["a"]) == {0}
    with pytest.raises(ValueError, match="runs of a at rates"):
        finals({"runs": rows})


def test_runs_of_other_sizes_are_refused(tmp_path):
    Runs(tmp_path / "levers.json", "growth", dict(META), {"steps": 1}, print).once(
        {"phase": "clock"}, lambda: {"seconds": 1.0}
    )
    with pytest.raises(ValueError, match="runs of growth with steps = 1, now 2"):
        Runs(tmp_path / "levers.json", "growth", dict(META), {"steps": 2}, print)


def test_runs_of_a_config_with_former_field_names_go_on(tmp_path):
    path, config = tmp_path / "levers.json", PrismConfig(vocab_size=11, d_model=16).to_dict()
    Runs(path, "selection", dict(META), {"config": former_fields(config)}, print).write()
    assert "z_loss" in path.read_text()
    Runs(path, "selection", dict(META), {"config": config}, print)
    with pytest.raises(ValueError, match="holds runs of selection with config"):
        Runs(path, "selection", dict(META), {"config": config | {"router_z_loss": 0.5}}, print)
