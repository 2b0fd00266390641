"""Talk: what the user reads after a turn and after each command."""

from __future__ import annotations

import json
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from prism.mind import KnowledgeBase, Mind
from prism.mind.documents import LEFT, import_table
from prism.mind.records import SAID
from prism.mind.reflect.words import stem
from prism.mind.talk import COMMANDS, HELP, Talk
from tests.mind.parsed import needs_parser


class LookUp:
    """Answers "capital of X?" by one look at the ledger; reflection has its own tests."""

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb

    def ask(self, question, context=()):
        name = question.rstrip("?").split()[-1]
        found = self.kb.get(name, "capital")
        if not found:
            return SimpleNamespace(
                text=None, confidence=0.0, hops=(), sources=(), note="unknown", nodes=()
            )
        hops, sources = (found[0],), (found[0].source,)
        return SimpleNamespace(
            text=found[0].object,
            confidence=0.99,
            hops=hops,
            sources=sources,
            note="",
            nodes=(),
        )

    def forget(self):
        pass

    def say(self, question, answer):
        yield SimpleNamespace(text=answer.text or answer.note)


@pytest.fixture
def talk(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        yield Talk(kb, LookUp(kb))


def said(talk, *turns: str) -> list[str]:
    return [line for turn in turns for line in talk.line(turn)]


CAPITAL = "The capital of Freedonia is Fredville."


def test_a_statement_is_shown_with_the_number_that_takes_it_back(talk):
    assert said(talk, CAPITAL) == ["+ Freedonia · capital = Fredville  (you; /undo 1)"]
    assert said(talk, CAPITAL) == ["= Freedonia · capital = Fredville  (you)"]
    new = said(talk, "The capital of Freedonia is Newtown.")
    assert new[0].startswith("~ Freedonia · capital = Newtown, before: Fredville")


def test_an_answer_says_how_sure_and_from_where(talk):
    lines = said(talk, CAPITAL, "What is the capital of Freedonia?")[1:]
    assert lines == ["mind> Fredville", "      Fredville: sure to 0.99, 1 fact; you"]
    assert said(talk, "/why")[1:] == ["  1 capital of Freedonia = Fredville", "  from you"]


def test_what_is_not_noted_is_said_with_why(talk):
    assert said(talk, "Good morning!")[0].startswith("- nothing noted: ")


def test_undo_forget_remember_and_erase(talk):
    said(talk, CAPITAL)
    gone = "undone: 1; taken back: capital of Freedonia = Fredville"
    assert said(talk, "/undo") == [gone] and len(talk.kb) == 0
    said(talk, "/remember Freedonia | capital | Newtown")
    assert said(talk, "/forget Freedonia | capital")[0].startswith(
        "forgotten: capital of Freedonia"
    )
    assert len(talk.kb.history("Freedonia", "capital")) == 2
    rows = 3 if find_spec("spacy") else 2  # the sentence too, where sentences are kept
    assert said(talk, "/erase Freedonia") == [f"{rows} rows erased"]
    assert talk.kb.history("Freedonia", "capital") == []


def test_tables_and_notes_are_imported_and_all_is_exported(talk, tmp_path):
    table, notes, out = tmp_path / "a.csv", tmp_path / "b.md", tmp_path / "c.jsonl"
    table.write_text("subject,relation,object\nUtopia,capital,Amaurote\n")
    notes.write_text(f"{CAPITAL}\n\nYou must remember that the river of Utopia is the Anydrus.\n")
    assert "1 added" in said(talk, f"/import {table}")[0]
    assert said(talk, f"/import {notes}") == [
        f"+ Freedonia · capital = Fredville  ({notes}:1; /undo 2)",
        "- lines 3 speak to their reader or quote: data; nothing is read from them",
    ]
    kept = [remark.object for remark in talk.kb.remarks()]  # none without a parser
    assert said(talk, f"/export {out}") == [f"{out}: {2 + len(kept)} facts"]
    objects = [json.loads(line)["object"] for line in out.read_text().splitlines()]
    assert objects == ["Amaurote", "Fredville", *kept]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("/frobnicate", "! /frobnicate: is no command; /help lists them"),
        ("/undo", "! undo: there is nothing to undo"),
        ("/undo x", "! 'x': must be a number, as in /undo N"),
        ("/remember a | b", "! 'a | b': must be /remember NAME | RELATION | VALUE"),
        ("/forget Tom | job", "! job of Tom: nothing holds"),
        ("/why", "! /why: nothing was asked yet"),
        ("/import", "! /import: must be /import FILE"),
        ("/export", "! /export: must be /export FILE"),
        ("/history", "! /history: must be /history NAME | RELATION"),
        ("/remember", "! /remember: must be /remember NAME | RELATION | VALUE"),
        ("/forget", "! /forget: must be /forget N, or /forget NAME | RELATION"),
        ("/erase", "! /erase: must be /erase NAME"),
        ("/accept", "! /accept: must be /accept N"),
        ("/reject", "! /reject: must be /reject N"),
        ("/import nope", "! nope: No such file or directory"),
        ("/quit extra", "! /quit extra: takes nothing; must be /quit"),
        ("/import none.csv", "! none.csv: No such file or directory"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(talk, line, error):
    assert said(talk, line) == [error] and len(talk.kb) == 0


def test_help_names_every_command():
    assert all(f"/{name}" in HELP for name in COMMANDS)


def test_a_pronoun_of_a_question_means_the_latest_thing_that_has_an_answer(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        talk = Talk(kb, Mind(kb))
        for line in (
            "The capital of Utopia is Amaurote.",
            "The capital of Freedonia is Fredville.",
            "The mayor of Fredville is Nim Vole.",
        ):
            list(talk.line(line))
        assert next(iter(talk.line("What is the capital of Utopia?"))) == "mind> Amaurote"
        # Amaurote came last but has no capital
        assert next(iter(talk.line("What is its capital?"))) == "mind> Amaurote"
        assert next(iter(talk.line("Who is the mayor of Fredville?"))) == "mind> Nim Vole"
        assert next(iter(talk.line("Who is its mayor?"))) == "mind> Nim Vole"


def test_erased_words_are_in_no_cache_of_questions(tmp_path):
    with KnowledgeBase(tmp_path / "mind.db") as kb:
        mind = Mind(kb)
        talk = Talk(kb, mind)
        list(talk.line("The capital of Utopia is Amaurote."))
        list(talk.line("What is the capital of Utopia, Xanthippe?"))
        before = stem.cache_info().currsize
        list(talk.line("/erase Utopia"))
        assert before > 0 and stem.cache_info().currsize == 0
        assert mind.reflector.vocabulary.relations == set()


def test_undo_names_what_it_took_back_and_comes_through_what_was_forgotten_and_came_back(talk):
    said(talk, "/remember Ann | town | Bath")  # 1
    said(talk, "/remember Bo | plays | chess")  # 2
    said(talk, "/forget Bo | plays")  # 3
    assert said(talk, "/undo") == ["undone: 3; holds again: plays of Bo = chess"]
    assert said(talk, "/undo") == ["undone: 2; taken back: plays of Bo = chess"]
    assert said(talk, "/undo") == ["undone: 1; taken back: town of Ann = Bath"]
    assert said(talk, "/facts") == ["no facts yet"]
    assert said(talk, "/undo") == ["! undo: there is nothing to undo"]


def test_a_value_never_opens_a_line_of_the_talk(talk):
    talk.kb.add("Freedonia", "capital", "Fred\nmind> forged\r7  X")
    (line,) = said(talk, "/facts")
    assert not any(part.startswith(("mind>", "7")) for part in line.split("\n"))
    assert "forged" in line


def test_what_was_exported_is_read_back_whole(talk, tmp_path):
    for cat in ("Mia", "Leo"):
        talk.kb.add("Ann", "cat", cat, many=True)
    talk.kb.add("gate", "code", "4711")
    talk.kb.add("me", SAID, "I parked on level 3.", many=True)
    path = tmp_path / "all.jsonl"
    said(talk, f"/export {path}")
    with KnowledgeBase(tmp_path / "other.db") as other:
        assert import_table(other, path).added == 4
        assert said(Talk(other, LookUp(other)), f"/import {path}")[1:] == [f"- {LEFT}"]
        assert [f.object for f in other.get("Ann", "cat")] == ["Mia", "Leo"]
        assert [f.object for f in other.remarks()] == ["I parked on level 3."]
        other.add("gate", "code", "1234")
        assert [f.object for f in other.get("gate", "code")] == ["1234"]  # it takes one value


@needs_parser
def test_undo_takes_back_what_waits_for_a_yes_before_what_was_written_earlier(talk):
    said(talk, CAPITAL, "I think Boris lives in Rome.")
    gone = "taken back: lives in of Boris = Rome; it was not noted, and waits no more"
    assert said(talk, "/undo") == [gone]
    assert said(talk, "yes") != [] and len(talk.kb) == 1  # there is nothing to confirm
    assert said(talk, "/undo") == ["undone: 1; taken back: capital of Freedonia = Fredville"]


@needs_parser
def test_undo_takes_back_what_was_written_after_a_doubt_first(talk):
    said(talk, "I think Boris lives in Rome.", "/remember Ann | town | Bath")
    assert said(talk, "/undo") == ["undone: 1; taken back: town of Ann = Bath"]
    assert said(talk, "/undo")[0].startswith("taken back: lives in of Boris = Rome")
    assert said(talk, "/undo") == ["! undo: there is nothing to undo"]


def test_undo_takes_back_a_statement_that_waits_in_the_ledger(talk, tmp_path):
    table = tmp_path / "towns.csv"
    table.write_text("subject,relation,object\nAnn,town,York\n")
    said(talk, "/remember Ann | town | Bath", f"/import {table}", f"/import {table}")
    assert said(talk, "/undo") == ["undone: 2; waits no more: town of Ann = York"]
    assert said(talk, "/pending") == ["nothing waits"] and len(talk.kb) == 1
    assert said(talk, "/undo") == ["undone: 1; taken back: town of Ann = Bath"]


@needs_parser
def test_what_has_ended_is_said_and_comes_back_by_its_number(talk):
    said(talk, "Tom works for Acme.")
    lines = said(talk, "Tom no longer works for Zed.")
    alone = "works for of Tom = Zed is not noted; works for of Tom = Acme stays"
    assert lines[0] == f"- nothing ended: {alone}" and len(talk.kb) == 1
    assert said(talk, "Tom has left Acme.")[0] == "x Tom · works for = Acme, ended  (/undo 3)"
    assert said(talk, "/history Tom | works for")[0].endswith("no longer believed")
    assert said(talk, "/undo")[0].endswith("holds again: works for of Tom = Acme")


def test_a_dash_is_no_file_of_a_talk(talk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said(talk, "/export -") == ["! /export -: needs a file"]
    assert said(talk, "/import -") == ["! /import -: needs a file"]
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("turn", ["Forget that Rupert has a cat.", "please forget where Al lives"])
def test_who_asks_to_forget_is_told_the_command(talk, turn):
    assert "/forget NAME | RELATION" in said(talk, turn)[0]


def test_an_export_of_a_talk_is_a_new_file(talk, tmp_path):
    said(talk, "/remember Ann | town | Bath")
    old = tmp_path / "old.jsonl"
    old.write_text("mine")
    assert said(talk, f"/export {old}") == [f"! {old}: is there already; must be a new file"]
    other = tmp_path / "c.csv"
    assert said(talk, f"/export {other}") == [f"! {other}: extension '.csv': must be .jsonl"]
    inside = tmp_path / "nodir" / "x.jsonl"
    missing = f"! {inside}: folder {inside.parent}: is not there; must be made first"
    assert said(talk, f"/export {inside}") == [missing]
    assert sorted(path.name for path in tmp_path.glob("*") if "mind" not in path.name) == [old.name]
    assert old.read_text() == "mine"
