"""The benchmarks of the trainer run and write what they measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import gpu, trainer


def test_the_overhead_of_the_trainer_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "trainer.json"
    assert trainer.main(["--quick", "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    assert {len(x) for x in content["seconds"].values()} == {2}
    assert content["meta"]["profile"] == "quick"


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
