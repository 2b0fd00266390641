"""Whatever a user does to the command ends in one line and exit code 2, before anything is lost."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prism import run_scale
from prism.data.find import RUN_LOCK
from prism.engine.logs.log import read
from prism.engine.store import folder

pytestmark = pytest.mark.long
TINY = ("--set", "d_model=16", "num_layers=1", "num_rates=2", "--seq-len", "16", "--device", "cpu",
        "--global-batch-size", "2", "--eval-tokens", "32", "--eval-every", "0")  # fmt: skip
TEXT = "\n<|endoftext|>\n".join(f"Chapter {i} says hello to reader {i * i}." for i in range(300))


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a text."""
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return tmp_path


def start(*flags: str) -> int:
    data = () if "--data" in flags else ("--data", "file:book.txt")
    return run_scale.main([*TINY, *data, "--steps", "2", "--out-dir", "run", *flags])


def refused(capsys: pytest.CaptureFixture[str], *flags: str, fresh: bool = True) -> str:
    """The line that the command ends with."""
    with pytest.raises(SystemExit) as stop:
        start(*flags) if fresh else run_scale.main(list(flags))
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert err.startswith("prism.run_scale: ")
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--data", ""), "--data '': must not be empty"),
        (("--data", " "), "--data ' ': must not be empty"),
        (("--tokenizer", ""), "--tokenizer '': must not be empty"),
        (("--out-dir", ""), "--out-dir '': must not be empty"),
        (("--resume", ""), "--resume '': must not be empty"),
        (("--init-from", ""), "--init-from '': must not be empty"),
        (("--set", ""), "--set '': must not be empty"),
        (("--set", "vocab_size=100"), "--set vocab_size=100: must be >= 257, the ids of"),
        (("--set", "vocab_size=[1]"), "--set vocab_size=[1]: must be >= 257"),
        (("--out-dir", "book.txt"), "book.txt: File exists"),
        (("--out-dir", "book.txt/run"), "book.txt/run: Not a directory"),
        (("--skip-bad-rows", "-1"), "--skip-bad-rows -1: must be >= 0"),
        (("--wandb",), "--wandb: not installed"),
        (("--data", "folder:book.txt"), "book.txt: no such folder"),
    ],
)
def test_a_bad_flag(flags: tuple[str, ...], says: str, capsys: Any) -> None:
    assert says in refused(capsys, *flags)
    assert not Path("run").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ("--set", "d_model=8000000000"),
        ("--set", "vocab_size=100000000000"),
        ("--set", "tape.num_slots=10000000000"),
        ("--seq-len", "1000000000000"),
    ],
)
def test_more_than_the_memory_there_is(flags: tuple[str, ...], capsys: Any) -> None:
    line = refused(capsys, *flags)
    assert "bytes of memory for one tensor; a smaller model, --seq-len or --micro-batch" in line
    assert not folder.complete(Path("run"))


def test_a_run_that_diverges_before_it_is_saved_promises_no_way_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert start("--lr", "1e30", "--steps", "9", "--out-dir", "a") == 3
    assert capsys.readouterr().err.endswith("row stream 1 (book.txt); nothing is saved yet\n")
    assert start("--lr", "1e30", "--steps", "9", "--out-dir", "b", "--save-every", "1") == 3
    assert capsys.readouterr().err.endswith("; --resume b goes back\n")


def test_data_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plain.txt.gz").write_text(TEXT)
    Path("cut.txt.gz").write_bytes(gzip.compress(os.urandom(9000))[:-9] + b"\xff" * 4)
    Path("chat.jsonl").write_text("\n".join([json.dumps({"messages": []})] * 50))
    for name, says in (
        ("plain.txt.gz", "not packed by gzip, though its name ends in .gz"),
        ("cut.txt.gz", "cannot be unpacked"),
        ("chat.jsonl", '"messages": "messages" in a mix:FILE.json'),
    ):
        assert says in refused(capsys, "--data", f"file:{name}")
        assert not Path("run").exists()


def test_a_key_that_is_missing_is_told_before_there_is_a_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**options: Any) -> None:
        raise RuntimeError("No API key configured.\nUse wandb login.")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    monkeypatch.setattr("prism.engine.run.build_spec", lambda *_: pytest.fail("too late"))
    says = "--wandb: RuntimeError: No API key configured. Use wandb login; WANDB_MODE=offline"
    assert says in refused(capsys, "--wandb")


def test_the_folder_of_the_run_is_never_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    Path("proj/deep").mkdir(parents=True)
    Path("proj/deep/a.txt").write_text(TEXT)
    flags = ("--data", "folder:proj", "--out-dir", "proj/runs/x")
    assert start(*flags) == 0
    assert "1 file read, 1 skipped: proj/runs/x/ (the folder of a run)" in capsys.readouterr().out
    assert run_scale.main(["--resume", "proj/runs/x", "--steps", "3"]) == 0
    assert folder.newest(Path("proj/runs/x")).name == "step-00000003"
    line = refused(capsys, "--data", "folder:proj", "--out-dir", "proj")
    assert "proj is the folder of a run" in line
    assert not Path("proj", RUN_LOCK).exists()
    assert start("--data", "folder:proj", "--out-dir", "other") == 0


def test_data_that_changed_are_named_and_data_that_moved_are_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in").mkdir()
    for name in ("a", "b"):
        Path(f"in/{name}.txt").write_text(f"{TEXT} {name}")
    assert start("--data", "folder:in:2,file:book.txt", "--out-dir", "run") == 0
    monkeypatch.chdir(Path("in"))  # another working folder
    assert run_scale.main(["--resume", "../run", "--steps", "3"]) == 0
    monkeypatch.chdir(Path(".."))
    Path("in").rename("moved")
    assert "in: no such folder" in refused(capsys, "--resume", "run", fresh=False)
    moved = ("--resume", "run", "--data", "folder:moved:2,file:book.txt")
    assert run_scale.main([*moved, "--steps", "4"]) == 0
    assert run_scale.main(["--resume", "run", "--steps", "5"]) == 0  # and stays so
    Path("moved/b.txt").write_text(f"{TEXT} c")  # as long as before
    line = refused(capsys, "--resume", "run", "--steps", "6", fresh=False)
    assert "source moved: moved/b.txt has changed" in line
    assert "must have the same contents" in line
    assert [r["step"] for r in read(Path("run")) if "loss" in r] == [2, 3, 4, 5]


def test_a_run_of_an_older_version_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checkpoint has sizes for hashes and fingerprints of names and sizes."""
    assert start("--out-dir", "run") == 0
    newest = folder.newest(Path("run"))
    from prism.data import parse_mix
    from prism.data.row_streams import RowStreams
    from prism.data.tokens import ByteTokenizer

    mix = parse_mix("file:book.txt")
    with monkeypatch.context() as patch:
        patch.setattr("prism.data.mix.Mix.fingerprint", lambda self: self.former_fingerprint())
        former = RowStreams(mix, ByteTokenizer(), streams=2, mine=[0], seq_len=16, seed=0)._identity
    run, rank = newest / "run.json", newest / "rank0000.json"
    values = json.loads(run.read_text())
    assert values["identity"]["data"] != mix.former_fingerprint()
    values["identity"]["data"] = mix.former_fingerprint()
    del values["working_folder"]
    del values["settings"]["skip_bad_rows"]
    run.write_text(json.dumps(values))
    lanes = json.loads(rank.read_text())
    for lane in lanes["lanes"].values():
        lane["data"] = former
    rank.write_text(json.dumps(lanes))
    files = [p for p in newest.iterdir() if p.name != folder.MARK]
    (newest / folder.MARK).write_text(json.dumps({p.name: p.stat().st_size for p in files}))
    Path("run/data.json").unlink()
    Path("run", RUN_LOCK).unlink()
    assert run_scale.main(["--resume", "run", "--steps", "3"]) == 0


def test_what_was_trained_is_saved_when_a_source_dies(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ("--steps", "6", "--log-every", "1", "--save-every", "100", "--schedule", "wsd")
    assert start(*every, "--out-dir", "alone") == 0
    from prism.data.row_streams import RowStreams

    whole = RowStreams.next

    def dies(self: RowStreams) -> Any:
        self.calls = getattr(self, "calls", 0) + 1  # type: ignore[attr-defined]
        if self.calls == 5:  # type: ignore[attr-defined]
            self._streams[0].take(7)  # one of the streams has gone on
            raise ValueError("source book.txt: book.txt: Input/output error")
        return whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(RowStreams, "next", dies)
        line = refused(capsys, *every)
    assert "book.txt: Input/output error; step 4 is saved, --resume run goes on once" in line
    assert folder.newest(Path("run")).name == "step-00000004"
    assert run_scale.main(["--resume", "run"]) == 0
    a, b = ({r["step"]: r["loss"] for r in read(Path(x)) if "loss" in r} for x in ("alone", "run"))
    assert a == b
    assert len(a) == 6


def test_bad_rows_are_skipped_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.dumps({"text": f"row {i} of a file"}) for i in range(200)]
    Path("rows.jsonl").write_text("\n".join([*rows[:9], "{oops", *rows[9:]]))
    assert "rows.jsonl at byte" in refused(capsys, "--data", "file:rows.jsonl")
    assert start("--data", "file:rows.jsonl", "--skip-bad-rows", "3") == 0
    assert "1 rows were skipped as they cannot be read" in capsys.readouterr().out


def test_a_damaged_checkpoint_is_told_by_the_command_and_by_load(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import prism

    assert start("--save-every", "1") == 0
    last = folder.newest(Path("run"))
    shard = next(last.glob("*.safetensors"))
    raw = bytearray(shard.read_bytes())
    raw[-64:] = b"\xff" * 64
    shard.write_bytes(raw)
    with pytest.raises(ValueError, match="step-00000002 is damaged: the contents of shard"):
        prism.load(last)
    with pytest.warns(UserWarning, match="step-00000002 is damaged.*going back to step-00000001"):
        prism.load("run")
    capsys.readouterr()
    assert run_scale.main(["--resume", "run"]) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("have changed; going back to step-00000001")
    assert folder.newest(Path("run")) == last
    assert last.with_name(f"{last.name}.damaged").is_dir()


def test_a_resume_to_an_end_that_is_past_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert start("--steps", "4", "--save-every", "2") == 0

    def files() -> dict[Path, bytes]:
        found = (p for p in Path("run").rglob("*") if p.is_file() and p.name != RUN_LOCK)
        return {p: p.read_bytes() for p in found}

    before = files()
    line = refused(capsys, "--resume", "run", "--steps", "3", fresh=False)
    assert "--steps 3: run/step-00000004 has done 4; must be >= 4" in line
    assert files() == before
    assert run_scale.main(["--resume", "run", "--steps", "4"]) == 0  # nothing left to do
    assert run_scale.main(["--resume", "run", "--steps", "5"]) == 0
    assert folder.newest(Path("run")).name == "step-00000005"


def test_a_terminal_that_closes_stops_nothing(work: Path) -> None:
    """``| head -0`` with the reader gone at once, and ``>&-``."""
    python = [sys.executable, "-m", "prism.run_scale", *TINY, "--data", "file:book.txt"]
    env = {**os.environ, "PYTHONPATH": str(Path(run_scale.__file__).parents[1])}
    reader, writer = os.pipe()
    os.close(reader)
    piped = subprocess.Popen([*python, "--steps", "2", "--out-dir", "piped"], env=env,
                             stdout=writer, stderr=subprocess.PIPE)  # fmt: skip
    os.close(writer)
    command = " ".join(f"'{x}'" for x in [*python, "--steps", "2", "--out-dir", "closed"])
    closed = subprocess.Popen(["sh", "-c", f"{command} >&-"], env=env, stderr=subprocess.PIPE)
    for process, run in ((piped, "piped"), (closed, "closed")):
        _, err = process.communicate()
        assert (process.returncode, err) == (0, b""), run
        assert folder.newest(work / run).name == "step-00000002"
