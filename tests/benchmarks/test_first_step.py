"""The gradient of step 1 before and after the fix: the old way shows what the new one does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.first_step.__main__ import OVER_MEDIAN, main, measured, zero_key_normalised
from prism import Prism, PrismConfig


def test_the_old_way_differs_in_the_gradient_and_not_in_what_a_new_model_says() -> None:
    key = {"task": "induction", "seed": 0, "steps": 0}
    before, after = (measured(key | {"way": way}) for way in ("before", "after"))
    assert "memory.mix" in before["largest"]
    assert before["over_median"] > 10 * OVER_MEDIAN
    assert after["over_median"] <= OVER_MEDIAN
    tokens = torch.arange(5)[None]
    model = Prism(PrismConfig(vocab_size=5, num_layers=1)).eval()
    with torch.no_grad(), zero_key_normalised(True):
        old = model(tokens).logits
    assert torch.allclose(old, model(tokens).logits, atol=1e-6)


def test_the_command_writes_both_ways_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "first_step.json"
    flags = ["--quick", "--tasks", "induction", "--steps", "0", "--out", str(out)]
    assert main(flags) == 0
    runs = json.loads(out.read_text())["runs"]
    assert [run["way"] for run in runs] == ["before", "after"]
    before = out.read_bytes()
    assert main(flags) == 0
    assert json.loads(out.read_text())["runs"] == json.loads(before)["runs"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--tasks", "nothing"], "--tasks 'nothing': must be of"),
        (["--steps", "-1"], "--steps -1: must be >= 0"),
    ],
)
def test_bad_input_is_one_line(
    flags: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(flags)
    assert says in capsys.readouterr().err
