"""Lines that fit a terminal, a bar where there is one, and a run that outlives it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from prism.engine.flags import as_flags
from prism.engine.logs.log import read
from prism.engine.logs.terminal import WIDTH, Terminal, fitting, passes_text
from prism.engine.loop.optimizer import learning_rate, schedule_change
from prism.engine.settings import WHAT, Settings

RECORD: dict[str, Any] = {
    "step": 20,
    "loss": 2.345678,
    "bits_per_byte": 3.3842,
    "lr": 1e-3,
    "grad_norm": 0.5178,
    "tokens_per_second": 12345.6,
    "eta_seconds": 192.0,
    "memory_mib": 300.0,
    "passes": {"pydoc": 0.4233},
    "loads": {"neural": 0.5, "memory": 1 / 3},
}


def shown(terminal: bool, *records: dict[str, Any], width: int = 100) -> str:
    """What people see; on a terminal with all that the bar left behind."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width, highlight=False)
    view = Terminal(1000, console)
    view.begin(0)
    for record in records:
        view.write(record)
    if view.bar is not None:
        view.bar.refresh()
    view.close()
    return stream.getvalue()


def test_a_log_line_has_the_numbers_that_matter_in_words() -> None:
    held_out = {
        "step": 20,
        "held_out_loss": 2.1,
        "held_out_bits_per_byte": 3.03,
        "validation_seconds": 4.25,
    }
    assert shown(False, RECORD, held_out, {"step": 20, "time": {"saving": 1.0}}) == (
        "step   20/1000  loss 2.3457  3.384 bits/byte  12,346 tokens/s  ETA 3:12  0.42 passes  "
        "grad 0.518\n"
        "step   20/1000  held out: loss 2.1000  3.030 bits/byte  in 4.2 s\n"
    )


def test_the_bar_shows_the_same_and_leaves_only_validations() -> None:
    text = shown(True, RECORD, {"step": 20, "held_out_loss": 2.1})
    for word in ("loss 2.3457", "3.384 bits/byte", "12,346 tokens/s", "ETA 3:1", "0.42 passes"):
        assert word in text
    assert "held out: loss 2.1000" in text


@given(
    loss=st.floats(0, 1e9),
    speed=st.floats(0, 1e12),
    eta=st.floats(0, 1e9),
    step=st.integers(1, 10**9),
    passes=st.lists(st.floats(0, 1e7), min_size=1, max_size=3),
)
def test_no_line_is_wider_than_a_terminal(
    loss: float, speed: float, eta: float, step: int, passes: list[float]
) -> None:
    stream = io.StringIO()
    view = Terminal(10**9, Console(file=stream, width=WIDTH, highlight=False))
    numbers = {"loss": loss, "bits_per_byte": loss, "tokens_per_second": speed, "eta_seconds": eta}
    named = {f"source {i}": x for i, x in enumerate(passes)}
    view.write({"step": step, **numbers, "passes": named, "skipped": 3, "mfu": 0.41})
    view.write({"step": step, "held_out_loss": loss, "held_out_bits_per_byte": loss})
    view.say("word " * 80)
    assert all(len(line) <= WIDTH for line in stream.getvalue().splitlines())


def test_a_path_is_never_broken(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/" + "folder-name/" * 10
    Terminal(1).say(f"stopped; --resume {path} goes on")
    assert path in capsys.readouterr().out


def test_what_does_not_fit_is_left_out_whole() -> None:
    assert fitting(["step 1", "loss 2", "grad 3"], 15) == "step 1  loss 2"
    assert fitting(["a" * 20, "b"], 10) == "a" * 20


def test_passes_of_sources_that_differ_are_a_range() -> None:
    assert passes_text([0.123, 3.0]) == "0.12-3 passes"
    assert passes_text([12.4]) == "12 passes"


def test_a_long_validation_speaks_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stream = io.StringIO()
    view = Terminal(50, Console(file=stream, width=100))
    view.begin(7)
    for done in range(1, 31):
        now[0] += 1.0
        view.validating(done, 30)
    assert stream.getvalue() == "step 7/50  validation 12/30\nstep 7/50  validation 23/30\n"


def test_the_chosen_settings_are_shown_as_they_are_typed() -> None:
    s = Settings(seq_len=64, set=("d_model=32", "num_layers=2"), wandb=True, async_save=False)
    assert as_flags(s) == [
        "--set d_model=32 num_layers=2",
        "--seq-len 64",
        "--no-async-save",
        "--wandb",
    ]
    assert as_flags(Settings()) == []
    everything = as_flags(Settings(), everything=True)
    assert "--seq-len 1024" in everything
    assert not any(x.startswith("--dry-run") for x in as_flags(Settings(dry_run=True), {WHAT}))


def test_a_resume_with_other_steps_says_what_the_rate_does() -> None:
    before = Settings(steps=2000, lr=3e-3)
    now = Settings(steps=4000, lr=3e-3)
    line = schedule_change(before, now, 2000)
    assert line is not None
    was, will = learning_rate(1999, before), learning_rate(2000, now)
    assert (was, will) == (pytest.approx(3e-4), pytest.approx(1.69e-3, rel=0.01))
    assert line == (
        "learning rate: was 0.0003 at step 2,000 of 2,000; with --steps 4000 it is 0.00169 and "
        "ends at 0.0003 (cosine)"
    )
    assert schedule_change(before, before, 1000) is None
    assert "router exploration: was 0.00, is 0.50" in (
        schedule_change(before, Settings(steps=8000, lr=3e-3), 2000) or ""
    )


COMMAND = (
    *(
        sys.executable,
        "-m",
        "prism.run_scale",
        "--set",
        "d_model=16",
        "num_layers=1",
        "num_rates=2",
    ),
    *("--seq-len", "16", "--global-batch-size", "1", "--steps", "2", "--log-every", "1"),
    *("--eval-tokens", "16", "--device", "cpu"),
)


@pytest.mark.long
@pytest.mark.parametrize("closed", ["pipe", "descriptor"])
def test_a_run_goes_on_when_its_terminal_is_gone(closed: str, tmp_path: Path) -> None:
    command = [*COMMAND, "--out-dir", str(tmp_path)]
    if closed == "pipe":
        end, start = os.pipe()
        os.close(end)
        done = subprocess.run(command, stdout=start, stderr=subprocess.PIPE, text=True)
        os.close(start)
    else:
        shell = ["sh", "-c", '"$@" >&-', "sh", *command]
        done = subprocess.run(shell, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [r["step"] for r in read(tmp_path) if "loss" in r] == [1, 2]
    assert json.loads((tmp_path / "step-00000002" / "run.json").read_text())["step"] == 2
