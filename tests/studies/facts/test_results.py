"""A measured tape is on disk at once, a stopped command goes on, and protocols are never mixed."""

from __future__ import annotations

import json

import pytest

from prism import eval_facts
from prism.command import STOPPED
from prism.studies.facts.measures import Row
from prism.studies.facts.results import FactsFile, code_fingerprint
from prism.studies.facts.tables import Fact
from tests.inject import tiny

RUN = {"facts": 20, "seed": 0, "rows": []}


def meta(**settings: object) -> dict:
    return {"settings": {"asked": 50, "code": "abc", **settings}, "started": "now"}


def test_a_file_goes_on_where_it_was_left(tmp_path):
    path = tmp_path / "new" / "facts.json"
    FactsFile(path, meta()).add(RUN, "later")
    again = FactsFile(path, meta() | {"started": "afterwards"})
    assert again.runs == [RUN]
    assert (again.meta["started"], again.has(20, 0), again.has(20, 1)) == ("now", True, False)
    again.add(RUN | {"seed": 1}, "at the end")
    kept = json.loads(path.read_text())
    assert [run["seed"] for run in kept["runs"]] == [0, 1]
    assert kept["meta"]["finished"] == "at the end"
    assert [p.name for p in path.parent.iterdir()] == ["facts.json"]


@pytest.mark.parametrize("other", [{"asked": 40}, {"code": "def"}, {"layers": [1]}])
def test_figures_of_another_protocol_are_refused_and_kept(tmp_path, other):
    path = tmp_path / "facts.json"
    FactsFile(path, meta()).add(RUN, "later")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"{next(iter(other))} = .*another --out"):
        FactsFile(path, meta(**other))
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"meta": {"settings": 1}, "runs": [1]}'])
def test_a_foreign_file_is_refused(tmp_path, text):
    path = tmp_path / "facts.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="must be a file of this command"):
        FactsFile(path, meta())


def test_the_code_has_a_fingerprint():
    assert len(code_fingerprint()) == 12


class Small:
    """The command on a random model, with one row a tape, that stops after some tapes."""

    def __init__(self, monkeypatch, stop_after: int) -> None:
        self.measured, self.left = [], stop_after
        monkeypatch.setattr(eval_facts, "_open", lambda *_: tiny.attached(tiny.llama()))
        monkeypatch.setattr(eval_facts, "real_facts", lambda: self.facts())
        monkeypatch.setattr(eval_facts, "measure", self.measure)
        monkeypatch.setattr(eval_facts, "cost", lambda *_: [])
        monkeypatch.setattr(eval_facts, "controls", lambda *_: [])
        monkeypatch.setattr(eval_facts, "plot", lambda *_: None)

    @staticmethod
    def facts() -> dict[str, list[Fact]]:
        lands = ("Elbonia", "Freedonia", "Genovia", "Latveria", "Ruritania", "Zamunda")
        return {"capital": [Fact(land, "capital", f"Town{i}") for i, land in enumerate(lands)]}

    def measure(self, lm, readings, case, sizes):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.measured.append((case.number, case.seed))
        return [Row("written", 1.0, sizes.asked, "as told"), Row("alias", 0.0, 0, "nobody")]


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
