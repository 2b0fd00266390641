"""The benchmarks of the trainer run and write what they measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.gpu.__main__ import main as gpu_main
from benchmarks.trainer import __main__ as trainer
from benchmarks.trainer.page import trainer_criteria


def test_the_overhead_of_the_trainer_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "trainer.json"
    assert trainer.main(["--quick", "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert [(size["rows"], size["length"]) for size in content["sizes"]] == [(2, 64), (2, 128)]
    for size in content["sizes"]:
        assert {len(x) for x in size["seconds"].values()} == {2}
        assert all(x > 0 for times in size["cpu_seconds"].values() for x in times)
    assert content["meta"]["profile"] == "quick"
    assert len(trainer_criteria(content)) == 2


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_an_interval_of_the_median_holds_it(values: list[float]) -> None:
    low, high = trainer.median_interval(sorted(values))
    assert low <= median(values) <= high


def test_an_interval_of_the_median_narrows() -> None:
    ordered = [i / 1000 for i in range(1001)]
    low, high = trainer.median_interval(ordered)
    assert (low, high) == pytest.approx((0.469, 0.531), abs=2e-3)


def test_the_gpu_script_works_without_a_gpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gpu.json"
    assert gpu_main(["--quick", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [r["model"] for r in rows] == ["prism", "transformer", "gdn"]
    assert all(r["tokens_per_second"] > 0 and r["mfu_of_measured"] > 0 for r in rows)
    with pytest.raises(SystemExit) as stop:
        gpu_main(["--quick", "--steps", "0"])
    assert stop.value.code == 2


@pytest.mark.long
def test_a_run_outlives_a_little_torture(tmp_path: Path) -> None:
    """Kills, damages, full disks and double starts, a few of each; `-m slow` does all of them."""
    tortured(tmp_path / "torture.json", "--quick")


@pytest.mark.slow
def test_a_run_outlives_all_of_the_torture(tmp_path: Path) -> None:
    content = tortured(tmp_path / "torture.json")
    kinds = Counter((trial["kind"], trial["ranks"]) for trial in content["trials"])
    assert kinds == {("kill", 1): 21, ("kill", 2): 21, ("corruption", 1): 20, ("full disk", 1): 5,
                     ("double start", 1): 10}  # fmt: skip


def tortured(out: Path, *flags: str) -> dict[str, Any]:
    """The JSON of a torture in which nothing was lost."""
    command = [sys.executable, "-m", "benchmarks.trainer.torture", "--out", str(out), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    content: dict[str, Any] = json.loads(out.read_text())
    assert not [trial for trial in content["trials"] if trial["problem"]]
    return content
