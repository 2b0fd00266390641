"""What ``python -m prism.ingest`` refuses, or is stopped in, leaves no trace."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import save_file

from prism import ingest
from prism.holo import HoloTape
from prism.holo.ingestion import gather
from prism.ingest import main
from tests.ingest.runs import made, refused


def test_stopping_leaves_the_old_tape(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    before = Path("t.safetensors").read_bytes()
    Path("facts.csv").write_text("key,value\nnew,fact\n")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for method in ("bind_many", "save"):
        with monkeypatch.context() as patch:
            patch.setattr(HoloTape, method, stop)
            assert main(["facts.csv", "--tape", "t.safetensors"]) == 130
        assert "t.safetensors is as it was" in capsys.readouterr().err
        assert Path("t.safetensors").read_bytes() == before
    assert sorted(p.name for p in folder.iterdir()) == ["facts.csv", "t.safetensors"]


def test_a_full_disk_leaves_the_old_tape(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    before = Path("t.safetensors").read_bytes()
    Path("facts.csv").write_text("key,value\nnew,fact\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "No space left on" in refused(["facts.csv", "--tape", "t.safetensors"], capsys)
    assert Path("t.safetensors").read_bytes() == before


def test_a_tape_that_may_not_grow_stays_as_it_was(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    before = Path("t.safetensors").read_bytes()
    rows = "".join(f"k{i},same\n" for i in range(12_000))
    Path("facts.csv").write_text("key,value\n" + rows)
    argv = ["facts.csv", "--tape", "t.safetensors", "--no-grow"]
    assert "is too full" in refused(argv, capsys)
    assert Path("t.safetensors").read_bytes() == before


def test_a_terminal_sees_a_progress_bar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(ingest, "output", lambda _: console)
    made()
    assert "binding" in screen.getvalue()
    assert "2/2" in screen.getvalue()


def _foreign(path: Path) -> None:
    save_file({"x": torch.zeros(2)}, path)


def _truncated(path: Path) -> None:
    HoloTape(64).save(path)
    path.write_bytes(path.read_bytes()[:-9])


def _other_encoder(path: Path) -> None:
    HoloTape(64, seed=1).save(path)
    with safe_open(path, "pt") as found:
        header = json.loads(found.metadata()["prism"])
        tensors = {name: found.get_tensor(name) for name in found.keys()}  # noqa: SIM118
    header["config"]["seed"] = 2
    save_file(tensors, path, {"prism": json.dumps(header)})


def _ledgerless(path: Path) -> None:
    HoloTape(64, ledger=False).save(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_foreign, "not a HoloTape"),
        (_truncated, "truncated or not a safetensors file"),
        (_other_encoder, "damaged tape: "),
        (_ledgerless, "a tape without a ledger cannot tell which keys it holds"),
        (Path.mkdir, "is not a file"),
    ],
)
def test_a_tape_that_cannot_be_added_to_is_refused_and_left_alone(
    folder: Path, make: Any, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("t.safetensors")
    make(path)
    before = path.read_bytes() if path.is_file() else None
    assert says in refused(["facts.csv", "--tape", str(path)], capsys)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["none.csv"], "none.csv: No such file or directory"),
        (["."], "extension '': must be .csv, .tsv, .tab, .jsonl or .ndjson"),
        (["facts.txt"], "facts.txt: extension '.txt': must be .csv, .tsv"),
        (["facts.csv", "--key", "name"], "facts.csv: column 'name': must be there once"),
        (["facts.csv", "--value", "key"], "column 'key': is both key and value"),
        (["facts.csv", "--value", "a", "--value", "b"], "2 value columns: need a key template"),
        (["facts.csv", "--value", "a", "--value", "a"], "column 'a': is given as value twice"),
        (["facts.csv", "--key-template", "x"], "key template 'x': names no column"),
        (["facts.csv", "--key-template", "{"], "key template '{': "),
        (["facts.csv", "--key-template", "{key!r}"], "{key} must be a column's name"),
        (["facts.csv", "--key", "a", "--key-template", "{b}"], "--key-template makes the keys"),
        (["facts.csv", "--key-template", "of {no}"], "column 'no': must be there once"),
        (
            ["facts.csv", "--key-template", "{key}", "--value", "a", "--value", "b"],
            "must hold {}, the name of the value column",
        ),
        (["facts.csv", "--source", " "], "--source ' ': must not be empty"),
        (["facts.csv", "--many", "--on-conflict", "keep"], "--on-conflict: with --many"),
        (["facts.csv", "--delimiter", "ab"], "delimiter 'ab': must be one character"),
        (["facts.jsonl", "--delimiter", ";"], "delimiter ';': JSON lines have none"),
        (["semicolon.csv"], "columns: 'key;value'; try --delimiter ';'"),
        (["cut.csv.gz"], "cut.csv.gz: not a whole gzip file"),
        (["plain.csv.gz"], "plain.csv.gz: not a whole gzip file"),
        (["twice.csv"], "column 'key': must be there once; columns: 'key', 'key', 'value'"),
        (["empty.csv"], "column 'key': must be there once; columns: none"),
        (["header.csv"], "header.csv: holds no fact"),
        (["latin.csv"], "latin.csv: not UTF-8 text"),
        (["facts.csv", "--facts", "0"], "plan facts = 0: must be an integer in 1..1,000,000,000"),
        (["facts.csv", "--facts", "99999999999999"], "must be an integer in 1..1,000,000,000"),
        (["facts.csv", "--values", "1"], "plan candidates = 1: must be an integer >= 2"),
        (["facts.csv", "--accuracy", "1"], "plan accuracy = 1.0: must be in (0, 1)"),
        (["facts.csv", "--alpha", "0"], "plan alpha = 0.0: must be in (0, 1]"),
        (["facts.csv", "--bad", "maybe"], "invalid choice: 'maybe'"),
        (["facts.csv", "--tape", "no/such/t.safetensors"], "there is no folder no/such"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    folder: Path, argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("twice.csv").write_text("key,key,value\na,b,c\n")
    Path("empty.csv").write_text("")
    Path("semicolon.csv").write_text("key;value\na;b\n")
    Path("cut.csv.gz").write_bytes(gzip.compress(b"key,value\na,b\n")[:-6])
    Path("plain.csv.gz").write_bytes(b"key,value\na,b\n")
    Path("header.csv").write_text("key,value\n")
    Path("latin.csv").write_bytes("key,value\na,é\n".encode("latin-1"))
    tape = [] if "--tape" in argv else ["--tape", "t.safetensors"]
    assert says in refused([*argv, *tape], capsys)
    assert not Path("t.safetensors").exists()


def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    said = refused(["none.csv", "--tape", "t.safetensors"], capsys)
    assert "folder . cannot be written" in said


@pytest.mark.parametrize(
    ("rule", "says"),
    [({"bad": "maybe"}, "bad = 'maybe'"), ({"on_conflict": "ask"}, "on_conflict = 'ask'")],
)
def test_an_unknown_rule_is_refused(rule: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        gather([], **rule)


def test_a_tape_that_does_not_fit_the_memory_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_large(**plan: object) -> None:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(HoloTape, "plan", too_large)
    said = refused(["facts.csv", "--tape", "t.safetensors"], capsys)
    assert "facts: can't allocate memory" in said
    assert not (folder / "t.safetensors").exists()


def test_a_link_that_leads_nowhere_is_refused_by_its_target(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("loop").symlink_to("loop")
    assert "loop: Too many levels of symbolic links" in refused(
        ["facts.csv", "--tape", "loop"], capsys
    )
    Path("link").symlink_to("missing/t.safetensors")
    said = refused(["facts.csv", "--tape", "link"], capsys)
    assert said.endswith(f"--tape link: there is no folder {folder.resolve() / 'missing'}")
    said = refused(["facts.csv", "--tape", "none/t.safetensors"], capsys)
    assert said.endswith("--tape none/t.safetensors: there is no folder none")
