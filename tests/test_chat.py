"""``python -m prism.chat``: on a pipe each line is a turn; bad input is one line."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from prism import chat
from prism.mind import KnowledgeBase


class Silent:
    """Answers nothing; who answers has its own tests."""

    def ask(self, question, context=()):
        raise AssertionError(f"{question}: nothing is asked here")


@pytest.fixture
def typed(monkeypatch):
    monkeypatch.setattr(chat, "answering", lambda kb, model: Silent())

    def type_in(*lines: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return type_in


def test_a_pipe_of_turns_is_noted_and_is_there_afterwards(typed, tmp_path, capsys):
    typed("The capital of Freedonia is Fredville.", "", "/quit", "/undo")
    assert chat.main(["--kb", str(tmp_path / "mind.db")]) == 0
    assert capsys.readouterr().out == "+ Freedonia · capital = Fredville  (you; /undo 1)\n"
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        assert kb.get("Freedonia", "capital")[0].object == "Fredville"


def test_an_error_of_a_turn_ends_no_conversation(typed, tmp_path, capsys):
    typed("/undo", "/remember Ann | city | Rome")
    assert chat.main(["--kb", str(tmp_path / "mind.db"), "--speaker", "anna"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["! undo: there is nothing to undo", "+ Ann · city = Rome  (anna; /undo 1)"]


def test_a_line_that_is_not_utf8_is_named_and_the_next_is_read(
    typed, tmp_path, capsys, monkeypatch
):
    typed()
    piped = io.BytesIO(b"\xff\xfe hello\n/remember Ann | city | K\xc3\xb6ln\n/QUIT\n/undo\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(piped, "utf-8"))
    assert chat.main(["--kb", str(tmp_path / "mind.db")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "! the line is not UTF-8: nothing was read of it",
        "+ Ann · city = Köln  (you; /undo 1)",
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--kb", "."], "prism.chat: knowledge base .: is a folder; must be a file"),
        ([], "prism.chat: the following arguments are required: --kb"),
    ],
)
def test_bad_arguments_are_one_line(typed, capsys, arguments, error):
    typed()
    with pytest.raises(SystemExit) as end:
        chat.main(arguments)
    assert end.value.code == 2 and capsys.readouterr().err.strip().splitlines()[-1] == error


@pytest.mark.parametrize("terminal", [True, False])
def test_ctrl_c_ends_the_answer_and_on_a_pipe_the_command(
    typed, tmp_path, capsys, monkeypatch, terminal
):
    class Cut(Silent):
        def ask(self, question, context=()):
            raise KeyboardInterrupt

    typed("My cat is Momo. What is my cat?", "/undo")
    monkeypatch.setattr(chat, "answering", lambda kb, model: Cut())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal)
    monkeypatch.setattr(chat, "lines", lambda: iter(["My cat is Momo. What is my cat?", "/undo"]))
    code = chat.main(["--kb", str(tmp_path / "mind.db")])
    out = capsys.readouterr().out.splitlines()
    noted = [line for line in out if line.startswith("+")]
    assert code == (0 if terminal else 130) and noted == ["+ me · cat = Momo  (you; /undo 1)"]
    undone = "undone: 1; taken back: cat of me = Momo"
    assert out[-1] == (undone if terminal else noted[0])


@pytest.mark.long
def test_help_loads_no_model():
    code = "import sys; from prism.chat import parser; parser(); print('spacy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "False\n"
