"""Every command of TRAINING.md runs, at the size of a toy."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import prism
from prism import report, run_scale
from prism.engine.logs.log import read
from prism.engine.store import folder
from tests.docs import pages

pytestmark = pytest.mark.long
COMMANDS = [
    command
    for command, _ in pages.commands("TRAINING.md")
    if command.startswith(("python", "torchrun"))
]
TOY = {
    "--seq-len": "256",  # validation reads a whole document: eight forward passes, not sixty
    "--global-batch-size": "4",
    "--steps": "2",
    "--eval-tokens": "256",
    "--dtype": "fp32",
    "--preset": "tiny",
}
NARROW = ("d_model=32", "num_layers=2", "num_rates=4")
SMALLER = {  # a model or its stages -> the same at a size that is built in a moment
    "350m": "tiny",
    "1b": "tiny",
    "tiny:d_model=64:num_layers=2@0.3,tiny@1.0": "tiny:d_model=16:num_layers=1@0.5,tiny@1.0",
    "tiny@0.3,350m@1.0": "tiny@0.3,tiny:num_layers=6@1.0",
}


def toy(command: str) -> list[str]:
    """The flags of a command, made small; what needs a network or an extra is left out."""
    words = shlex.split(command.partition("-m prism.run_scale")[2])
    for flag, value in TOY.items():
        if flag in words and "--dry-run" not in words:
            words[words.index(flag) + 1] = value
    if "--resume" in words and "--steps" in words:
        words[words.index("--steps") + 1] = "4"
    small = {"mix:pretrain": "pydoc", **SMALLER}
    words = [small.get(w, w) for w in words if w != "--wandb"]
    if "--resume" in words or "--smoke" in words or "--dry-run" in words:
        return words
    for flag, value in TOY.items():
        named = flag == "--preset" and ("--init-from" in words or "--progressive" in words)
        if flag not in words and not named:
            words += [flag, value]
    if "--set" in words:
        return [w if w != "d_model=96" else "d_model=48" for w in words]
    return words if "--init-from" in words else [*words, "--set", *NARROW]


def test_the_page_shows_each_thing_that_can_be_done() -> None:
    text = " ".join(COMMANDS)
    for word in ("--smoke", "--dry-run", "--resume", "--export", "--phase instruct", "torchrun"):
        assert word in text
    assert "prism.report" in text


def test_the_commands_run_in_the_order_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(
        "\n<|endoftext|>\n".join(f"Chapter {i} says hello." for i in range(600))
    )
    lines = [json.dumps({"text": f"Question {i}? Answer {i}."}) for i in range(400)]
    Path("chat.jsonl").write_text("\n".join(lines))
    for command in COMMANDS:
        if "--smoke" in command:
            continue  # tests/engine/test_killed.py runs it
        if "prism.report" in command:
            assert report.main(shlex.split(command)[3:]) == 0
        else:
            assert run_scale.main(toy(command)) == 0, command
    out = capsys.readouterr().out
    assert "tokens/s" in out
    pages.run_python("TRAINING.md")
    assert (
        prism.load("runs/tiny").state_dict().keys()
        == prism.load("model.safetensors").state_dict().keys()
    )
    assert [r["step"] for r in read(Path("runs/tiny")) if "loss" in r] == [2, 4]
    assert folder.newest(Path("runs/chat")).name == "step-00000002"
    page = Path("runs/tiny/report.html").read_text()
    assert page.count("<svg") == 1
    assert not re.search(r'(src|href)="(?!#)', page)  # nothing from outside
