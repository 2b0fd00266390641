"""Kernels of a training step: how many a preset may launch, and that the counter counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.speed.kernels import count, main, measure
from prism.model.protocol import LanguageModel, PrismOutput

# forward and backward at batch 1; lower them when fewer are needed. The time gate and the filter
# brought 2,184 and 552 more at 350m, a backward pass of its own took 768 from the gate again, and
# the lookup has 126 of its own (docs/LOG.md). What was asked for there is 8,000.
MOST = {("tiny", 256): 2270, ("350m", 2048): 7160}


class Doubling(LanguageModel):
    """Three kernels that one can count by hand, and a view."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(4, 4)

    def forward(self, tokens, state=None, segment_ids=None):
        x = self.embedding(tokens)
        return PrismOutput((x + x).transpose(0, 1).transpose(0, 1), None, x.new_zeros(()))


@pytest.mark.parametrize(("preset", "length"), MOST, ids=str)
def test_a_step_launches_no_more_kernels_than_it_did(preset: str, length: int) -> None:
    row = measure(preset, ["prism"], length)[0]
    assert row["kernels"] <= MOST[preset, length]
    assert row["kernels"] == sum(row["operations"].values()) == sum(row["modules"].values())


def test_views_are_no_kernels_and_gradients_are_counted_where_they_come_from() -> None:
    with torch.device("meta"):
        model = Doubling()
    step = count(model, 6)
    assert "transpose" not in step.operations
    assert step.modules["Embedding"] == 2  # the look-up and its gradient
    assert step.operations["add"] == 3  # x + x, its gradient, and the auxiliary loss
    assert step.flops == 0
    assert step.peak_bytes >= 6 * 4 * 4


def test_the_command_writes_a_row_per_model(tmp_path: Path) -> None:
    out = tmp_path / "kernels.json"
    assert main(["--quick", "--models", "prism", "transformer", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["model"] for row in rows] == ["prism", "transformer"]
    assert all(row["kernels"] > 0 and row["flops"] > 0 for row in rows)


def test_an_unknown_preset_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--preset", "2b"])
    assert "--preset 2b: must be one of" in capsys.readouterr().err
