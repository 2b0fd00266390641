"""``python -m prism.train``: what it makes, and one clear line when it cannot."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
import torch

from prism.compare.flags import plan_of
from prism.compare.protocol import open_task
from prism.record import ARCHITECTURE
from prism.train import main, parser
from tasks import SUITES


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --compare"),
        (["--compare", "--model", "prism"], "give --compare"),
        (["--compare", "--task", "chess"], "--task 'chess': must be one of copy"),
        (["--compare", "--models", "prism,lstm"], "--models 'lstm': must be one of prism"),
        (["--model", "lstm"], "--model 'lstm': must be one of prism"),
        (["--model", "prism", "--steps", "0"], "--steps 0: must be >= 1"),
        (["--model", "prism", "--steps", "many"], "invalid int value: 'many'"),
        (["--model", "prism", "--batch-size", "0"], "--batch-size 0: must be >= 1"),
        (["--model", "prism", "--lr", "0"], "--lr 0: must be > 0"),
        (["--model", "prism", "--lr", "nan"], "--lr nan: must be > 0"),
        (["--model", "prism", "--seeds", "0"], "--seeds 0: must be >= 1"),
        (["--model", "prism", "--seed", "-1"], "--seed -1: must be >= 0"),
        (["--model", "prism", "--workers", "0"], "--workers 0: must be >= 1"),
        (["--model", "prism", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["--compare", "--corpus", "no/such.txt"], "corpus no/such.txt: No such file"),
        (["--compare", "--task", "copy", "--corpus", "x"], "only mini_lm reads it"),
        (["--model", "prism", "--corpus", ""], "--corpus '': must not be empty"),
        (["--full", "--lr", "0.1"], "--full chooses the learning rate itself"),
        (["--full", "--dropout", "0.1"], "--full chooses the dropout itself"),
        (["--sweep", "--seeds", "3"], "--sweep takes the seeds of --search-seeds"),
        (["--compare", "--search-seeds", "3"], "only --sweep and --full search"),
        (["--model", "prism", "--warm-up", "1.5"], "--warm-up 1.5: must be in 0..1"),
        (["--model", "prism", "--dropout", "1"], "--dropout 1: must be >= 0 and below 1"),
        (["--report", "no/such/folder"], "must be a folder that holds a results.json"),
    ],
)
def test_a_bad_command_ends_in_one_line_and_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("prism.train: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--model", "prism", "--device", "cuda"])
    assert stop.value.code == 2
    assert "torch finds no GPU" in capsys.readouterr().err


def test_a_results_file_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        main(["--model", "prism", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "not a results file" in capsys.readouterr().err


def test_a_comparison_leaves_results_examples_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--compare", "--task", "copy", "--models", "prism,gdn", "--steps", "2"]
    command += ["--device", "cpu", "--workers", "1", "--out", str(tmp_path)]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "quick, one seed" in out
    content = json.loads((tmp_path / "results.json").read_text())
    assert [run["model"] for run in content["runs"]] == ["prism", "gdn"]
    for run in content["runs"]:
        assert run["error"] is None
        assert run["steps"] == 2
        assert 0 <= run["test"]["accuracy"] <= 1
    ours, theirs = (run["parameters"] for run in content["runs"])
    assert abs(theirs - ours) <= 0.02 * ours
    assert content["meta"]["command"].startswith("python -m prism.train --compare --task copy")
    assert content["meta"]["finished"] is not None
    assert [p.name for p in (tmp_path / "examples").iterdir()] == [
        f"copy-steps2-batch32-lr{content['runs'][0]['lr']:g}-architecture{ARCHITECTURE}-seed0.json"
    ]
    page = (tmp_path / "report.html").read_text()
    assert "Inside PRISM" in page

    (tmp_path / "report.html").unlink()
    assert main(["--report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_text() == page
    capsys.readouterr()
    assert main(command) == 0
    assert "2 runs are already in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (gzip.compress(os.urandom(50_000))[:-9], "cannot be unpacked"),
        (b"BZh9" + bytes(50_000), "is packed by bzip2; must be text, or text packed by gzip"),
        (b"PAR1" + bytes(50_000), "is a Parquet file; must be text"),
        (gzip.compress(b"short"), "5 bytes; must be at least"),
    ],
    ids=["cut", "bzip2", "parquet", "short"],
)
def test_a_corpus_that_is_no_text_is_refused(
    tmp_path: Path, raw: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.txt.gz").write_bytes(raw)
    with pytest.raises(SystemExit) as stop:
        main(["--model", "prism", "--corpus", str(tmp_path / "x.txt.gz")])
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


def test_a_packed_corpus_is_its_text_and_only_mini_lm_reads_it(tmp_path: Path) -> None:
    text = b"The value of an object is returned. " * 2000
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(text))
    args = parser().parse_args(["--model", "prism", "--corpus", str(tmp_path / "x.txt.gz")])
    plan, _ = plan_of(args)
    assert plan.tasks == ("mini_lm",)
    assert open_task("mini_lm", plan.corpus).text.tobytes() == text
    assert plan_of(parser().parse_args(["--model", "prism"]))[0].tasks == tuple(SUITES["core"])


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(["--model", "prism", "--task", "copy", "--out", str(tmp_path / "file" / "out")])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
