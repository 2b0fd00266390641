"""``python -m prism.eval_mind``: checks before deeds; what is measured is kept."""

from __future__ import annotations

import json

import pytest

from prism.eval_mind import main
from prism.mind.reflect import trace
from prism.studies.facts.tables import available

SET = {
    "questions": [
        {"text": "What is the capital of {country}?", "start": "country", "path": ["capital"]},
        {
            "text": "Who is the mayor of the capital of {country}?",
            "start": "country",
            "path": ["capital", "mayor"],
        },
    ],
    "no_answer": [{"text": "What is the anthem of {country}?", "start": "country"}],
}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sets", "nine"], "set 'nine'"),
        (["--sets", "dev", "--facts", "many"], "--facts many"),
        (["--sets", "dev", "--facts", "5"], "--facts 5: must be in"),
        (["--sets", "dev", "--parts", "all"], "--parts all: must be of"),
        (["--sets", "dev", "--seeds", "0"], "must be >= 1"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, capsys, flags, message):
    with pytest.raises(SystemExit) as stop:
        main([*flags, "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not available(), reason="needs the extra facts")
def test_what_was_measured_is_kept_and_not_measured_again(tmp_path, capsys, monkeypatch):
    path, out = tmp_path / "small.json", tmp_path / "out"
    path.write_text(json.dumps(SET), "utf-8")
    monkeypatch.setattr(trace, "AGREEMENT", tmp_path / "agreement.json")
    flags = ["--sets", str(path), "--facts", "300", "--seeds", "1", "--parts", "questions,changes"]
    assert main([*flags, "--out", str(out), "--calibrate"]) == 0
    first = json.loads((out / "mind.json").read_text("utf-8"))
    assert {run["arm"] for run in first["runs"] if run["part"] == "questions"} >= {"tape", "dict"}
    assert first["meta"]["command"].startswith("python -m prism.eval_mind --sets")
    counts = json.loads((tmp_path / "agreement.json").read_text("utf-8"))["answers"]
    assert sum(total for _, total in counts.values()) == 2
    capsys.readouterr()
    assert main([*flags, "--out", str(out)]) == 0
    assert json.loads((out / "mind.json").read_text("utf-8"))["runs"] == first["runs"]
    assert "right" in capsys.readouterr().out
