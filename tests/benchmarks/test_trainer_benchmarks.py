"""The benchmarks of the trainer run and write what they measured."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import gpu
from benchmarks.trainer import __main__ as trainer
from benchmarks.trainer import page as trainer_page
from tests.benchmarks.fakes import META


def test_the_overhead_of_the_trainer_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "trainer.json"
    assert trainer.main(["--quick", "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert [(size["rows"], size["length"]) for size in content["sizes"]] == [(2, 64), (2, 128)]
    for size in content["sizes"]:
        assert {len(x) for x in size["seconds"].values()} == {2}
        assert all(x > 0 for times in size["cpu_seconds"].values() for x in times)
    assert content["meta"]["profile"] == "quick"
    assert len(trainer_page.trainer_bars(content)) == 2


def test_the_bar_is_judged_at_every_size() -> None:
    content = made(0.02, 0.04)
    assert [bar.met for bar in trainer_page.trainer_bars(content)] == [True, False]
    text = "\n".join(trainer_page.sections(content))
    assert "| 4 × 512 | 200 ms | 204 ms | 2.0% [1.0%, 3.0%] |" in text
    assert "| 4 × 512 | 200 ms | 208 ms | 4.0% [3.0%, 5.0%] |" in text
    assert "missed" in text


def made(*overheads: float) -> dict[str, Any]:
    """A trainer.json with these overheads."""
    sizes = [
        {"rows": 4, "length": 512, "parameters": 1000, "overhead": x}
        | {"interval": [x - 0.01, x + 0.01]}
        | {"cpu_seconds": {"bare": [0.2] * 3, "trainer": [0.2 * (1 + x)] * 3}}
        for x in overheads
    ]
    return {"meta": META, "bar": 0.03, "sizes": sizes}


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
    assert gpu.main(["--quick", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [r["model"] for r in rows] == ["prism", "transformer"]
    assert all(r["tokens_per_second"] > 0 and 0 < r["mfu_of_measured"] < 1 for r in rows)
    with pytest.raises(SystemExit) as stop:
        gpu.main(["--quick", "--steps", "0"])
    assert stop.value.code == 2
