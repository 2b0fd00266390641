"""The quick form of the speed benchmark measures all that the long one does, only smaller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import memory
from benchmarks.speed.__main__ import LONG_RUNNERS, QUICK, main
from benchmarks.speed.neural_share import neural_share
from prism.compare.protocol import MODELS
from prism.config import PrismConfig


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("speed") / "speed.json"
    assert main(["--quick", "--threads", "1", "--out", str(out)]) == 0
    return out, json.loads(out.read_text())


def test_every_model_takes_every_step(quick: tuple[Path, dict[str, Any]]) -> None:
    rows = quick[1]["steps"]
    expected = [(name, s.batch, s.length) for s in QUICK.shapes for name in MODELS]
    assert [(row["model"], row["batch"], row["length"]) for row in rows] == expected
    assert all(len(row["seconds"]) == 2 and row["median"] > 0 for row in rows)


def test_models_are_of_equal_size(quick: tuple[Path, dict[str, Any]]) -> None:
    sizes = quick[1]["parameters"]
    assert max(sizes.values()) <= 1.02 * sizes["prism"]
    assert min(sizes.values()) >= 0.98 * sizes["prism"]


def test_memory_decoding_and_share_are_there(quick: tuple[Path, dict[str, Any]]) -> None:
    content = quick[1]
    contexts = [(name, c) for name in LONG_RUNNERS for c in QUICK.contexts]
    assert [(row["model"], row["context"]) for row in content["decode"]] == contexts
    assert [row["topk"] for row in content["neural_share"]] == [1, 2]
    if memory.STATUS.exists():
        assert [row["model"] for row in content["memory"]] == list(LONG_RUNNERS)
        assert all(row["bytes"] > 0 for row in content["memory"])


def test_the_file_says_where_it_comes_from(quick: tuple[Path, dict[str, Any]]) -> None:
    meta = quick[1]["meta"]
    assert meta["profile"] == "quick"
    assert meta["threads"] == 1
    assert meta["command"].startswith("python -m benchmarks.speed --quick")
    assert {"torch", "commit", "cpus", "cpu", "load_average", "finished"} <= meta.keys()


def test_it_is_drawn(quick: tuple[Path, dict[str, Any]]) -> None:
    for suffix in (".svg", ".png"):
        assert quick[0].with_suffix(suffix).stat().st_size > 1000


def test_rows_that_the_router_did_not_send_are_not_computed() -> None:
    """Exact counts: rows and FLOPs of the dispatched expert are its share of all."""
    for row in neural_share((1, 2), (32,), rows=256, rounds=1):
        assert 0 < row["share"] < 1
        assert row["rows_per_choice"] == 1
        assert row["flops_cost"] == pytest.approx(1, rel=1e-6)


@pytest.mark.skipif(not memory.STATUS.exists(), reason="needs /proc")
def test_a_process_that_fails_is_reported_not_hidden() -> None:
    config = PrismConfig(vocab_size=8, d_model=32, num_layers=1)
    row = memory.peak_memory(config, "no such model", 8)
    assert row["bytes"] is None
    assert "no such model" in row["error"]


def test_bad_threads_end_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--threads", "0"])
    assert capsys.readouterr().err == "benchmarks.speed: --threads 0: must be >= 1\n"
