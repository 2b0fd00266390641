"""``prism.run_holo_train``, ``prism.eval_holo``, ``prism.two_axes_demo``: what they make, and one
clear line when they cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prism import Prism, eval_holo, load, run_holo_train, two_axes_demo
from prism.studies.retrieval import measures, probes, report
from prism.studies.retrieval.training import RetrievalPlan, default_config, train

TRAIN = ["--steps", "2", "--batch-size", "2", "--length", "24", "--facts", "3"]
TRAIN += ["--asked", "4", "--dim", "1024"]


@pytest.fixture(autouse=True)
def few_cases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measures, "TEXT_ROWS", 2)
    monkeypatch.setattr(measures, "TEXT_LENGTH", 32)
    monkeypatch.setattr(probes, "TRIALS", 2)
    monkeypatch.setattr(report, "REPEATS", 2)


@pytest.mark.parametrize(
    ("main", "arguments", "says"),
    [
        (run_holo_train.main, ["--steps", "0"], "--steps 0: must be >= 1"),
        (run_holo_train.main, ["--smoke", "--steps", "9"], "--smoke always takes"),
        (run_holo_train.main, ["--length", "15"], "--length 15: must be >= 16"),
        (run_holo_train.main, ["--lr", "nan"], "--lr nan: must be > 0"),
        (run_holo_train.main, ["--seed", "-1"], "--seed -1: must be >= 0"),
        (run_holo_train.main, ["--asked", "0"], "--asked 0: must be >= 1"),
        (run_holo_train.main, ["--dim", "8"], "--dim 8: must be >= 256"),
        (eval_holo.main, ["--probe", "luck"], "invalid choice: 'luck'"),
        (eval_holo.main, ["--dim", "1"], "--dim 1: must be in 64"),
        (eval_holo.main, ["--checkpoint", "no/such"], "no/such/config.json: no such file"),
        (two_axes_demo.main, ["--steps", "0"], "--steps 0: must be >= 1"),
        (two_axes_demo.main, ["--facts", "7"], "--facts 7: must be a multiple of 5"),
        (two_axes_demo.main, ["--seed", "-1"], "--seed -1: must be >= 0"),
    ],
)
def test_a_bad_command_ends_in_one_line_and_code_2(
    main: Callable, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("prism.")
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_training_writes_a_model_and_what_it_reached(capsys: pytest.CaptureFixture[str]):
    assert run_holo_train.main([*TRAIN, "--out", "run"]) == 0
    assert load("run").config.holo_mode
    results = json.loads(Path("run/results.json").read_text())
    assert results["plan"]["steps"] == 2
    assert {"answered", "parameters unchanged"} <= {row["metric"] for row in results["rows"]}
    assert results["cost"]["parameters added"] > 0
    assert "holo_mode adds" in capsys.readouterr().out
    # Again: there is nothing left to train, the figures are the same.
    assert run_holo_train.main([*TRAIN, "--out", "run"]) == 0
    assert json.loads(Path("run/results.json").read_text())["rows"] == results["rows"]


def test_training_never_touches_a_run_of_another_plan(capsys: pytest.CaptureFixture[str]):
    plan = RetrievalPlan(steps=2, batch_size=2, length=24, facts=3)
    train(Prism(default_config()), plan, Path("run"))
    kept = Path("run/model.safetensors").read_bytes()
    with pytest.raises(SystemExit, match="2"):
        run_holo_train.main([*TRAIN, "--out", "run", "--seed", "1"])
    assert "holds a run with seed = 0, not 1" in capsys.readouterr().err
    assert Path("run/model.safetensors").read_bytes() == kept


def test_probes_are_written_with_theory_and_control(capsys: pytest.CaptureFixture[str]):
    assert eval_holo.main(["--probe", "specificity", "--dim", "256", "--out", "p.json"]) == 0
    found = json.loads(Path("p.json").read_text())
    assert {row["probe"] for row in found["rows"]} == {"specificity"}
    assert {"measured", "theory", "control", "expected"} <= found["rows"][0].keys()
    assert "no model took part" in capsys.readouterr().out


def test_the_demo_walks_both_axes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(two_axes_demo, "STEPS_GROWN", 1)
    assert two_axes_demo.main(["--steps", "1", "--facts", "10", "--out", "."]) == 0
    told = capsys.readouterr().out
    for words in ("FIRST AXIS", "It grows to", "SECOND AXIS", "10 facts are bound", "unchanged."):
        assert words in told
    numbers = json.loads(Path("two_axes.json").read_text())
    assert numbers["scaled"]["large"] > numbers["scaled"]["small"]
    assert numbers["scaled"]["changed"] <= 1e-5
    assert numbers["taught"]["weights_unchanged"]
    assert Path("two_axes.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_demo_answers_forgets_and_refuses():
    assert two_axes_demo.main(["--out", "."]) == 0
    taught = json.loads(Path("two_axes.json").read_text())["taught"]
    assert taught["stages"][0] == {"bound": "none", "right": 0, "unknown": 50, "wrong": 0}
    assert taught["stages"][5]["right"] >= 48
    assert (taught["forgotten"], taught["refused"]) == (5, 5)
    assert taught["kept"] >= 43
