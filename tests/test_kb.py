"""``python -m prism.kb``: deeds, exit codes, JSON, and hostile text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from prism import Prism, PrismConfig
from prism.kb import BUSY, NOT_FOUND, main
from prism.mind import Busy, KnowledgeBase
from prism.mind.documents import LEFT
from prism.mind.records import SAID


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run a deed on ``mind.db``: exit code and lines of both streams."""
    monkeypatch.chdir(tmp_path)

    def go(*argv: str) -> tuple[int, list[str], str]:
        try:
            code = main(["--kb", "mind.db", *argv])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return go


def test_a_fact_is_added_asked_changed_and_undone(run) -> None:
    code, lines, _ = run("add", "Freedonia", "capital", "Fredville", "--source", "atlas")
    assert code == 0 and lines[0].startswith("added: 1  capital of Freedonia = Fredville  (atlas, ")
    run("add", "Freedonia", "capital", "Newtown")
    assert "= Newtown" in run("get", "freedonia", "capital")[1][0]
    assert len(run("history", "Freedonia", "capital")[1]) == 2
    assert "= Fredville" in run("undo")[1][1]
    assert "= Fredville" in run("get", "Freedonia", "capital")[1][0]
    assert run("audit")[:2] == (0, ["1 facts; the tape equals one built from them"])


def test_what_is_not_there_has_an_exit_code_of_its_own(run) -> None:
    run("add", "Freedonia", "capital", "Fredville")
    for argv, line in (
        (("get", "Sylvania", "capital"), "capital of Sylvania: nothing holds"),
        (("get", "Freedonia", "capital", "--at", "2020-01-02"),
         "capital of Freedonia: nothing holds at 2020-01-02 00:00:00"),
        (("history", "Sylvania", "capital"), "capital of Sylvania: nothing was ever added"),
        (("list", "--subject", "Sylvania"), "no facts about Sylvania"),
        (("--tenant", "other", "list"), "no facts"),
        (("list", "--limit", "0"), "--limit 0 shows none"),
    ):  # fmt: skip
        assert run(*argv) == (NOT_FOUND, [], f"prism.kb: {line}\n")
    assert run("--json", "get", "a", "b")[1:] == (
        ['{"facts": []}'],
        "prism.kb: b of a: nothing holds\n",
    )
    code, _, err = run("retract", "9")
    assert (code, err) == (NOT_FOUND, "prism.kb: fact 9: there is none\n")
    assert run("erase", "--subject", "Sylvania")[0] == NOT_FOUND


def test_a_list_says_how_many_kept_sentences_it_does_not_show(run) -> None:
    run("add", "Freedonia", "capital", "Fredville")
    assert run("list")[2] == ""
    with KnowledgeBase("mind.db") as kb:
        kb.add("me", SAID, "I parked on level 3.", many=True)
    hidden = "kept sentences that are not shown: 1; export - prints them\n"
    code, lines, err = run("list")
    assert (code, len(lines), err) == (0, 1, hidden)
    assert run("list", "--subject", "Freedonia")[2] == ""
    none = (NOT_FOUND, [], f"prism.kb: no facts about me\n{hidden}")
    assert run("list", "--subject", "me") == none
    assert len(run("export", "-")[1]) == 2


@pytest.mark.parametrize(("deed", "other"), [("list", "export"), ("export", "list")])
def test_the_help_of_list_and_export_says_how_they_differ(capsys, deed, other) -> None:
    with pytest.raises(SystemExit):
        main([deed, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "sentences" in said and f"which {other}" in said


def test_reading_makes_no_file(run) -> None:
    code, _, err = run("list")
    assert code == 2 and "--kb mind.db: there is no such file" in err
    assert not Path("mind.db").exists()


def test_tables_long_and_wide_are_imported_with_their_lines(run) -> None:
    Path("wide.csv").write_text(
        "name,capital,currency\nFreedonia,Fredville,peso\nSylvania,,crown\n"
    )
    code, lines, _ = run("import", "wide.csv", "--subject", "name", "--relation", "capital",
                         "--relation", "currency")  # fmt: skip
    assert (code, lines) == (
        0,
        ["wide.csv: 3 added, 0 known, 0 superseded, 0 pending, 0 bad"],
    )
    assert "(wide.csv:3, " in run("get", "Sylvania", "currency")[1][0]
    Path("long.csv").write_text("subject,relation,object\nFreedonia,capital,Newtown\n")
    assert "1 superseded" in run("import", "long.csv")[1][0]


def test_a_bad_row_stops_the_import_before_anything_is_added(run) -> None:
    Path("long.csv").write_text("subject,relation,object\nFreedonia,capital,Fredville\nx,,y\n")
    code, _, err = run("import", "long.csv")
    assert code == 2 and "long.csv: line 3: relation ''" in err
    assert run("list")[0] == NOT_FOUND
    assert "1 added" in run("import", "long.csv", "--bad", "skip")[1][0]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ("x,,y\n", ""),
        ("x,,y\na,b,c\n,b,c\n\nd,e\n", " (bad lines: 2, 4, 6)"),
        ("x,,y\n" * 25, " (bad lines: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 15 more)"),
    ],
)
def test_an_import_that_stops_names_all_bad_lines(run, rows, lines) -> None:
    Path("long.csv").write_text(f"subject,relation,object\n{rows}")
    code, _, err = run("import", "long.csv")
    assert code == 2 and err.startswith("prism.kb: long.csv: line 2: relation ''")
    assert err.endswith(f"{lines}\n") and err.count("bad lines") == bool(lines)


def test_two_objects_on_two_lines_are_a_conflict_unless_many(run) -> None:
    Path("long.csv").write_text("subject,relation,object\na,b,c\nA,b,d\nA,b,C\n")
    code, _, err = run("import", "long.csv")
    assert code == 2
    assert "line 3: b of A is 'c' on line 2 and 'd' here; with many it is both" in err
    assert "2 added, 1 known" in run("import", "long.csv", "--many")[1][0]


def test_an_export_is_an_import(run) -> None:
    run("add", "Freedonia", "capital", "Fredville")
    run("add", "Freedonia", "minister", "Rufus", "--many")
    assert run("export", "out.jsonl")[1] == ["out.jsonl: 2 facts"]
    with KnowledgeBase("again.db") as kb:
        from prism.mind.documents import import_table

        assert import_table(kb, Path("out.jsonl")).added == 2
        assert [f.object for f in kb.get("Freedonia", "minister")] == ["Rufus"]


def test_an_import_says_that_sources_and_times_were_not_taken_over(run) -> None:
    run("add", "Freedonia", "capital", "Fredville", "--source", "atlas")
    run("export", "out.jsonl")
    rows = "subject,relation,object{}\nFreedonia,capital,Fredville{}\n"
    Path("plain.csv").write_text(rows.format("", ""))
    Path("claims.csv").write_text(rows.format(",source", ",me"))
    wide = ("claims.csv", "--subject", "subject", "--relation", "source")
    for argv, says in (
        (("out.jsonl",), True),
        (("out.jsonl", "--many"), True),
        (("claims.csv",), True),
        (("plain.csv",), False),
        (wide, False),
    ):
        lines = run("--kb", "again.db", "import", *argv)[1]
        assert lines[1:] == [LEFT] * says
    assert "(out.jsonl:1, " in run("--kb", "again.db", "get", "Freedonia", "capital")[1][0]
    [line] = run("--json", "--kb", "again.db", "import", "out.jsonl")[1]
    assert json.loads(line)["sources_and_times_left"] is True


def test_the_help_of_import_says_what_is_not_taken_over(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    assert "are not taken over" in " ".join(capsys.readouterr().out.split())


def test_an_export_replaces_no_file_unasked(run) -> None:
    run("add", "Freedonia", "capital", "Fredville")
    Path("c.csv").write_text("mine")
    Path("old.jsonl").write_text("mine")
    for argv, line in (
        (("c.csv",), "c.csv: extension '.csv': must be .jsonl"),
        (("c.csv", "--force"), "c.csv: extension '.csv': must be .jsonl"),
        (("none",), "none: extension '': must be .jsonl"),
        (("old.jsonl",), "old.jsonl: is there already; must be a new file, or --force be given"),
        (("-", "--force"), "--force: must be left out of export -, which replaces no file"),
    ):
        assert run("export", *argv) == (2, [], f"prism.kb: {line}\n")
    code, _, err = run("export", "nodir/x.jsonl")
    assert code == 2 and "/nodir: is not there; must be made first" in err
    assert not Path("nodir").exists() and not Path("none").exists()
    assert Path("c.csv").read_text() == Path("old.jsonl").read_text() == "mine"
    assert run("export", "old.jsonl", "--force")[1] == ["old.jsonl: 1 facts"]
    assert json.loads(Path("old.jsonl").read_text())["object"] == "Fredville"


def test_an_export_never_replaces_its_knowledge_base(tmp_path, capsys) -> None:
    kb = str(tmp_path / "mind.jsonl")
    assert main(["--kb", kb, "add", "Freedonia", "capital", "Fredville"]) == 0
    with pytest.raises(SystemExit):
        main(["--kb", kb, "export", kb, "--force"])
    assert "is the knowledge base; must be another file" in capsys.readouterr().err
    assert main(["--kb", kb, "get", "Freedonia", "capital"]) == 0


def test_a_dash_is_the_standard_output_and_the_standard_input(run, monkeypatch) -> None:
    run("add", "Freedonia", "capital", "Frédville")
    run("add", "Freedonia", "minister", "Rufus", "--many")
    run("add", "Freedonia", "minister", "Otis", "--many")
    code, lines, err = run("export", "-")
    assert (code, err) == (0, "3 facts\n") and not Path("-").exists()
    assert [json.loads(line)["object"] for line in lines] == ["Frédville", "Rufus", "Otis"]
    typed = io.TextIOWrapper(io.BytesIO("".join(f"{x}\n" for x in lines).encode()))
    monkeypatch.setattr("sys.stdin", typed)
    assert run("--kb", "again.db", "import", "-")[1][0].startswith("-: 3 added")
    assert len(run("--kb", "again.db", "get", "Freedonia", "minister")[1]) == 2


def test_json_says_the_same(run) -> None:
    _, [line], _ = run("--json", "add", "Freedonia", "capital", "Fredville")
    said = json.loads(line)
    assert said["outcome"] == "added" and said["fact"]["object"] == "Fredville"
    _, [line], _ = run("--json", "get", "Freedonia", "capital")
    assert json.loads(line)["facts"][0]["id"] == said["fact"]["id"]


def test_text_is_shown_not_obeyed(run) -> None:
    run("add", "a\x1b[31m", "says", "\x1b]0;title\x07", "--source", "\x1b[2J")
    for deed in (("list",), ("get", "a\x1b[31m", "says"), ("--json", "list")):
        assert "\x1b" not in "".join(run(*deed)[1])


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("get", "a", "b", "--at", "yesterday"), "'yesterday': must be a date or time in ISO 8601"),
        (("import", "no.csv"), "no.csv"),
        (("--tenant", " ", "add", "a", "b", "c"), "tenant ' '"),
        (("import", "x.csv", "--relation", "a"), "relations are given without the column"),
        (("list", "--limit", "-1"), "limit = -1: must be a whole number, 0 or more"),
        (("--json", "export", "-"), "--json: must be left out of export -"),
        (("--kb", "-", "add", "a", "b", "c"), "knowledge base -: must be a file"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run, argv, line) -> None:
    Path("mind.db").touch()
    Path("x.csv").write_text("a,b\n1,2\n")
    code, lines, err = run(*argv)
    assert code == 2 and lines == [] and line in err and err.count("\n") == 1


def test_a_busy_file_has_an_exit_code_of_its_own(run, monkeypatch) -> None:
    def busy(*_, **__):
        raise Busy("knowledge base mind.db: another writer has held it for 30 s")

    monkeypatch.setattr("prism.mind.KnowledgeBase.add", busy)
    code, _, err = run("add", "a", "b", "c")
    assert code == BUSY and "another writer" in err


def test_a_document_is_captured_as_a_state_that_generation_starts_from(tmp_path, capsys):
    config = PrismConfig(vocab_size=257, d_model=32, num_layers=2, num_rates=4)
    Prism(config).save(tmp_path / "model")
    (tmp_path / "notes.txt").write_text("The capital of Freedonia is Fredville.")
    state = tmp_path / "notes.state"
    run = ["--checkpoint", str(tmp_path / "model"), "--tokenizer", "bytes"]
    assert main(["capture", str(tmp_path / "notes.txt"), "--out", str(state), *run]) == 0
    assert "38 tokens as " in capsys.readouterr().out
    more = ["continue", str(state), "--prompt", "It is", "--max-new-tokens", "3", *run]
    assert main(["--json", *more]) == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == "It is"


def test_a_deed_says_whether_it_needs_a_knowledge_base(capsys):
    with pytest.raises(SystemExit):
        main(["list"])
    assert capsys.readouterr().err == "prism.kb: --kb: is required\n"
    with pytest.raises(SystemExit):
        main(["--kb", "a.db", "continue", "s", "--prompt", "x", "--checkpoint", "m"])
    assert capsys.readouterr().err == "prism.kb: --kb a.db: continue needs none\n"
