"""Printed data is data: what a value, key or name holds, a command shows, and obeys nothing."""

from __future__ import annotations

import errno
import fcntl
import importlib
import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism import Prism, PrismConfig, ask, command, generate, ingest
from prism.command import BAD_INPUT, PIPE_CLOSED, STOPPED, LastingStream, plain, quoted
from prism.holo import HoloTape
from prism.holo.file import locked
from prism.whole_file import reason

# What a terminal, rich or a reader could take for more than text.
HOSTILE = (
    "\x1b[31mRED\x1b[0m",
    "\x9b31mRED",  # the same in one character
    "00:ab:41:7f:02:99",
    ":smiley: :ab:",
    "[bold red]x[/bold red] [/] [link=http://x]y[/link]",
    "a\rb\x08c\x07",
    "left \u202e\u2066thgir",
    "line\u2028break\x85",
)
SCRIPTS = (
    "caf\u00e9 a\u00a0b",  # no-break space
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, zero-width non-joiner
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
    "\u0e01\u0e34\u0e19 \u6771\u4eac \u05e9\u05dc\u05d5\u05dd",
)
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tape of hostile facts in the current folder."""
    monkeypatch.chdir(tmp_path)
    tape = HoloTape.plan(facts=100, candidates=100, resolver=True)
    for i, text in enumerate((*HOSTILE, *SCRIPTS)):
        tape.bind(f"key {i}", text, source=text)
        tape.bind(f"of {text}", f"value {i}")
    tape.save("t.safetensors")
    return tmp_path


def everything(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert RAW.search(text) is None, RAW.search(text)
    return text


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_ask_shows_every_value_key_and_source_as_text(
    folder: Path, json_flag: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [f"key {i}" for i in range(len(HOSTILE) + len(SCRIPTS))]
    asked = [f"of {text}" for text in (*HOSTILE, *SCRIPTS)]
    assert ask.main(["--tape", "t.safetensors", "--list", *json_flag, *keys, *asked]) == 0
    out = everything(capsys)
    for text in ("00:ab:41:7f:02:99", ":smiley: :ab:", "[bold red]x[/bold red] [/]", *SCRIPTS):
        assert text in out
    assert "\\u001b[31mRED" in out
    assert "\\u009b31mRED" in out
    if json_flag:
        answers = json.loads(out)["answers"]
        assert [a["value"] for a in answers[: len(keys)]] == [*HOSTILE, *SCRIPTS]


def test_ask_tells_what_it_changed_and_refused_as_text(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, there = f"of {HOSTILE[0]}", f"of {HOSTILE[1]}"
    argv = ["--tape", "t.safetensors", "--forget", gone, "--update", there, HOSTILE[3]]
    assert ask.main([*argv, "--plot", "x\x1b[31m.svg"]) == 0
    out = everything(capsys)
    assert '"of \\u001b[31mRED' in out
    assert ":smiley: :ab:" in out
    for wrong in (["--forget", gone], ["--tape", "\x1b[31m", "a"], ["--decoder", "\x9b1m", "a"]):
        with pytest.raises(SystemExit):
            ask.main(["--tape", "t.safetensors", *wrong])
        everything(capsys)


def test_ingest_shows_names_of_files_and_bad_rows_as_text(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, tape = "x\x1b[31m:ab:[b].csv", "y\x9b1m:ab:.safetensors"
    rows = [f'"{text}","{text}"\n' for text in HOSTILE if "\r" not in text]
    Path(name).write_text("key,value\n" + "".join(rows) + "a\x1b[31m,b,c\n", "utf-8", newline="")
    assert ingest.main([name, "--tape", tape, "--bad", "skip"]) == 0
    assert ":ab:[b].csv" in everything(capsys)
    Path(name).write_text('key,value\n"a"\x1b[31m,b\n', "utf-8")
    for flags in ([], ["--key", "\x1b[1m"], ["--bad", "skip", "--json"]):
        with pytest.raises(SystemExit) if flags[:1] != ["--bad"] else _nothing():
            ingest.main([name, "--tape", tape, *flags])
        everything(capsys)


class _nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    Prism(PrismConfig(vocab_size=256, d_model=16, num_layers=2, num_rates=4)).save(folder)
    return str(folder)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_generate_shows_prompt_and_text_as_text(
    checkpoint: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for text in (*HOSTILE, *SCRIPTS):
        argv = ["--checkpoint", checkpoint, "--prompt", text, "--max-new-tokens", "2"]
        assert generate.main([*argv, *flags]) == 0
        out = everything(capsys)
        if text in SCRIPTS or ":" in text:
            assert text in out


@given(st.text())
def test_plain_text_has_no_control_and_loses_nothing(text: str) -> None:
    shown = plain(text)
    assert RAW.search(shown) is None
    assert "\n" not in shown
    if all(c.isprintable() for c in text):
        assert shown == text
    assert (
        json.loads(
            f'"{plain(text.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34)))}"'
        )
        == text
    )


@given(st.text(min_size=1))
def test_a_quoted_text_is_itself_or_its_json(text: str) -> None:
    shown = quoted(text)
    assert shown == text or json.loads(shown) == text


def run(*argv: str, **how: object) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **how.pop("env", {})}  # type: ignore[dict-item]
    root = str(Path(command.__file__).parents[1])
    environ["PYTHONPATH"] = os.pathsep.join([root, environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", *argv], capture_output=True, encoding="latin-1", env=environ, **how
    )  # type: ignore[call-overload]


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["ascii:strict", "latin-1"])
def test_an_output_that_carries_less_than_unicode_is_no_error(folder: Path, encoding: str) -> None:
    for flags in (["--list", "key 0"], ["--list", "--json"])[encoding == "latin-1" :]:
        done = run(
            "prism.ask", "--tape", "t.safetensors", *flags, env={"PYTHONIOENCODING": encoding}
        )
        assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)["facts"]
    assert [fact["value"] for fact in facts[::2]] == [*HOSTILE, *SCRIPTS]
    done = run("prism.ask", "--tape", "\u6771", "x", env={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.long
def test_a_reader_that_leaves_is_no_error_and_no_inconsistency(folder: Path) -> None:
    many = HoloTape.plan(facts=20_000, resolver=True)
    many.bind_many([f"a rather long key {i}" for i in range(20_000)], map(str, range(20_000)))
    many.save("many.safetensors")
    line = f"{sys.executable} -m prism.ask --tape many.safetensors --list | head -1"
    root = str(Path(command.__file__).parents[1])
    done = subprocess.run(
        ["bash", "-c", f"{line}; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    first, code = done.stdout.splitlines()
    assert first.startswith("a rather long key 0: 0 (")
    assert (int(code), done.stderr) == (PIPE_CLOSED, "")


@pytest.mark.long
@pytest.mark.parametrize(
    ("ends", "code", "says"),
    [
        ("ask --tape t --list >/dev/full", PIPE_CLOSED, "cannot be written: No space left"),
        ("ask --tape t --list >&-", 0, ""),
        ("ask --tape t --update a new >&- 2>&-", 0, ""),
        ("ask --tape none a 2>&-", BAD_INPUT, ""),
        ("ask --tape none a 2>/dev/full", BAD_INPUT, ""),
        ("ingest more.csv --tape t 2>&- >&-", 0, ""),
        ("ingest - --tape t <&-", BAD_INPUT, "-: the standard input is closed"),
    ],
)
def test_closed_and_full_streams_are_no_fault_of_the_program(
    folder: Path, ends: str, code: int, says: str
) -> None:
    tape = HoloTape(256, dtype="int16")
    tape.bind("a", "old")
    tape.save("t")
    Path("more.csv").write_text("key,value\nb,more\n")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m prism.{ends}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(command.__file__).parents[1])},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert says in done.stderr
    values = ["new" if "--update" in ends else "old"] + ["more"] * ("more" in ends)
    assert sorted(fact.value for fact in HoloTape.load("t").facts()) == sorted(values)


def test_names_of_files_are_data_in_every_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "x\x1b[31m\ny.csv"
    Path(name).write_text("key,value\na,\nb,1\n")
    assert ingest.main([name, "--tape", "t\n\x1b", "--bad", "skip"]) == 0
    out, err = capsys.readouterr()
    assert err == '"x\\u001b[31m\\ny.csv": line 2: value is empty; skipped\n'
    assert [line.split(":")[0] for line in out.splitlines()] == [
        '"x\\u001b[31m\\ny.csv"',
        '"t\\n\\u001b"',
    ]


def test_a_writer_that_waits_says_so_on_one_plain_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "t\x1b[31m\n"
    has, done = threading.Event(), threading.Event()

    def hold() -> None:
        handle = os.open(f"{path.parent}/.{path.name}.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(handle, fcntl.LOCK_EX)
        has.set()
        done.wait(5)
        os.close(handle)

    holder = threading.Thread(target=hold)
    holder.start()
    assert has.wait(5)
    threading.Timer(0.2, done.set).start()
    with locked(path):
        pass
    holder.join()
    err = capsys.readouterr().err
    assert err.endswith('/t\\u001b[31m\\n": another is writing it; waiting\n')
    assert "\x1b" not in err and err.count("\n") == 1


@pytest.mark.parametrize("text", ["00:ab:41:7f:02:99 :smiley:", "[bold red]x[/bold red] [/] [i]"])
def test_a_console_takes_no_text_for_emoji_or_markup(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command.output().print(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_stopping_is_exit_code_130(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(HoloTape, "load", stop)
    assert ask.main(["--tape", "t.safetensors", "x"]) == STOPPED


class Ends(io.StringIO):
    """A stream whose writes and flushes fail."""

    def __init__(self, number: int, descriptor: int) -> None:
        super().__init__()
        self.number, self.descriptor = number, descriptor

    def fileno(self) -> int:
        return self.descriptor

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))

    def flush(self) -> None:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.EBADF])
def test_once_the_reader_is_gone_output_goes_nowhere(number: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = LastingStream(Ends(number, writer))
    assert stream.write("text") == 4
    stream.flush()
    assert os.write(writer, b"and so does that of a library") == 29
    os.close(writer)


def test_a_log_on_a_full_disk_loses_lines_and_goes_on_when_there_is_room() -> None:
    reader, writer = os.pipe()
    LastingStream(Ends(errno.ENOSPC, writer)).write("text")
    os.write(writer, b"later")
    assert os.read(reader, 9) == b"later"
    os.close(reader)
    os.close(writer)


def test_another_error_is_one() -> None:
    with pytest.raises(OSError, match="Permission"):
        LastingStream(Ends(errno.EACCES, 1)).write("text")


@pytest.mark.parametrize(
    "error, line",
    (
        (FileNotFoundError(errno.ENOENT, "No such file", "a.txt"), "a.txt: No such file"),
        (OSError(errno.ENOSPC, "No space left"), "No space left"),
        (OSError("a message of its own"), "a message of its own"),
        (ValueError("two\n  lines"), "two lines"),
        (KeyError("no key 'a'"), "no key 'a'"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "'utf-8' codec can't decode byte 0xff"),
        (json.JSONDecodeError("bad", "x", 0), "bad: line 1 column 1 (char 0)"),
        (ValueError(), "ValueError"),
        (ValueError(3), "3"),
        (KeyError(), "KeyError"),
        (RuntimeError("a"), "RuntimeError: a"),
        (RuntimeError(), "RuntimeError"),
    ),
    ids=repr,
)
def test_an_error_is_one_line_that_says_what_is_wrong(error: Exception, line: str) -> None:
    assert reason(error).startswith(line)
    assert "\n" not in reason(error)


@pytest.mark.parametrize("blank", ("", " "))
@pytest.mark.parametrize(
    "words",
    (
        "prism.train --task copy --model prism --steps 1 --out @",
        "prism.train --report @",
        "prism.generate --prompt x --checkpoint @",
        "prism.generate --prompt x --checkpoint nowhere --tape @",
        "prism.hf.__main__ export nowhere @",
        "prism.hf.__main__ export @ out",
        "prism.ask --tape @ key",
        "prism.report @",
        "prism.kb --kb @ list",
    ),
)
def test_an_unset_variable_is_no_name_and_not_the_working_folder(
    words: str, blank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    module, *argv = words.split()
    argv = [blank if word == "@" else word for word in argv]
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(module).main(argv)
    assert stop.value.code == 2
    assert f"{blank!r}: must not be empty" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
