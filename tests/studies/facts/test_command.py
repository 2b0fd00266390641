"""The command prism.eval_facts: a measured tape is on disk at once, a stopped command continues."""

from __future__ import annotations

import json

from prism import eval_facts
from prism.command import STOPPED
from prism.record import ROOT
from prism.studies.facts import protocol
from prism.studies.facts.measures import FactsRow
from prism.studies.facts.tables import Fact
from tests.inject import tiny


def test_every_place_of_the_fingerprint_exists():
    assert [place for place in protocol.CODE if not (ROOT / place).exists()] == []


class Small:
    """The command on a random model, with one row a tape, that stops after some tapes."""

    def __init__(self, monkeypatch, stop_after: int) -> None:
        self.measured, self.left = [], stop_after
        monkeypatch.setattr(eval_facts, "_open", lambda *_: tiny.attached(tiny.llama()))
        monkeypatch.setattr(eval_facts, "real_facts", lambda: self.facts())
        monkeypatch.setattr(protocol, "measure", self.measure)
        monkeypatch.setattr(protocol, "cost", lambda *_: [])
        monkeypatch.setattr(protocol, "controls", lambda *_: [])
        monkeypatch.setattr(eval_facts, "plot", lambda *_: None)

    @staticmethod
    def facts() -> dict[str, list[Fact]]:
        lands = ("Elbonia", "Freedonia", "Genovia", "Latveria", "Ruritania", "Zamunda")
        return {"capital": [Fact(land, "capital", f"Town{i}") for i, land in enumerate(lands)]}

    def measure(self, lm, readings, exam, sizes):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.measured.append((len(exam.bound), exam.seed))
        return [
            FactsRow("written", 1.0, sizes.asked, "as told"),
            FactsRow("alias", 0.0, 0, "nobody"),
        ]


def test_ctrl_c_keeps_what_was_measured_and_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    argv = ["--facts", "2,4", "--seeds", "2", "--out", str(tmp_path)]
    first = Small(monkeypatch, stop_after=3)
    assert eval_facts.main(argv) == STOPPED
    assert "3 tapes are in" in " ".join(capsys.readouterr().out.split())
    rest = Small(monkeypatch, stop_after=9)
    assert eval_facts.main(argv) == 0
    assert first.measured + rest.measured == [(2, 0), (2, 1), (4, 0), (4, 1)]
    kept = json.loads((tmp_path / "facts.json").read_text())
    assert [(run["facts"], run["seed"]) for run in kept["runs"]] == first.measured + rest.measured
    assert all([row["metric"] for row in run["rows"]] == ["written"] for run in kept["runs"])
    before = kept["meta"]["settings"]["parameters"]
    assert {run["parameters after"] for run in kept["runs"]} == {before}


def test_the_command_in_the_file_names_no_folder(tmp_path, monkeypatch):
    Small(monkeypatch, stop_after=9)
    eval_facts.main(["--facts", "2", "--seeds", "1", "--out", str(tmp_path)])
    kept = json.loads((tmp_path / "facts.json").read_text())
    assert kept["meta"]["command"] == "python -m prism.eval_facts --facts 2 --seeds 1"
    assert str(tmp_path) not in json.dumps(kept)
