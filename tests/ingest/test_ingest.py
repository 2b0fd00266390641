"""``python -m prism.ingest``: a table becomes facts."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import ingest
from prism.holo import HoloTape
from prism.holo.ingestion import gather
from prism.holo.ingestion import ingest as bind_rows
from prism.holo.reading import BadRow, FactRow, read_rows
from tests.ingest.runs import CAPITALS, made, refused, values


def test_a_csv_becomes_a_tape(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tape = made()
    found = tape.recall("capital of Freedonia")
    assert (found.value, found.source) == ("Fredville", "facts.csv")
    assert tape.recall("captial of Freedonia").resolved_from == "captial of Freedonia"
    out = capsys.readouterr().out
    assert "facts.csv: 2 added\n" in out
    assert "t.safetensors: HoloTape(1 x" in out


def test_json_lines_say_the_same_as_csv(folder: Path) -> None:
    rows = [{"value": "Fredville", "key": "capital of Freedonia", "more": [1]}]
    rows += [{"key": " capital of Sylvania", "value": "Sylvburg "}]
    Path("facts.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    ours, theirs = made(), made(file="facts.jsonl", tape="u.safetensors")
    assert torch.equal(ours.accumulator.numbers, theirs.accumulator.numbers)


def test_numbers_in_json_are_their_digits_and_booleans_their_words(folder: Path) -> None:
    long = "9" * 5000
    written = {"7": "49", "half": "1.50", "far": "-1e400", "yes": "true", "long": long}
    Path("n.jsonl").write_text(
        "".join(f'{{"key": "{key}", "value": {value}}}\n' for key, value in written.items())
    )
    assert values(made(file="n.jsonl")) == written


def test_a_mark_at_the_front_and_quoted_line_breaks_are_csv(folder: Path) -> None:
    Path("facts.csv").write_text('\ufeffkey,value\r\n"a\nb","c, ""d"""\r\n', encoding="utf-8")
    assert values(made()) == {"a b": 'c, "d"'}  # a line break in a key is white space


@pytest.mark.parametrize(
    ("name", "text", "line", "why"),
    [
        ("x.csv", "key,value\n,b\n", 2, "key is empty"),
        ("x.csv", "key,value\na, \n", 2, "value is empty"),
        ("x.csv", "key,value\n\na,b\na,b,c\n", 4, "3 fields: must be 2"),
        ("x.csv", "key,value\na\n", 2, "1 fields: must be 2"),
        ("x.csv", 'key,value\n"a\nb",c\n"a"x,b\n', 4, "',' expected after a closing quote, not 'x"),
        ("x.csv", 'key,value\na,b\n"c,d\ne,f\n', 3, "a quote is opened and never closed"),
        ("x.jsonl", '{"key": "a", "value": "b"}\n{"key": "c"', 2, "not JSON"),
        ("x.jsonl", "[1]\n", 1, "a JSON list: must be an object"),
        ("x.jsonl", '{"key": "a"}\n', 1, "no field 'value'; fields: 'key'"),
        ("x.jsonl", '{"key": "a", "value": null}\n', 1, "value null: must be text, a number, true"),
        ("x.jsonl", '{"key": {"a": 1}, "value": "b"}\n', 1, 'key {"a": "1"}: must be text'),
        ("x.jsonl", '{"key": "a", "value": ["b"]}\n', 1, 'value ["b"]: must be text'),
        ("x.jsonl", '{"key": "a", "value": NaN}\n', 1, "not JSON (NaN is no number"),
        ("x.jsonl", '{"key": "a", "key": "b", "value": 1}\n', 1, "field 'key' is given twice"),
        ("x.jsonl", '{"key": "a", "value": "\\ud800"}\n', 1, "half a character"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_why(
    folder: Path, name: str, text: str, line: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(text)
    (bad,) = [row for row in read_rows(Path(name)) if isinstance(row, BadRow)]
    assert bad.line == line
    assert why in bad.why
    said = refused([name, "--tape", "t.safetensors"], capsys)
    assert f"{name}: line {line}: " in said
    assert why in said
    assert not Path("t.safetensors").exists()


def test_bad_rows_can_be_skipped_and_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("facts.csv").write_text(CAPITALS + ",x\n" * 25)
    assert made("--bad", "skip").count == 2
    captured = capsys.readouterr()
    assert "facts.csv: 2 added, 25 bad rows skipped" in captured.out
    told = captured.err.splitlines()
    assert told[0] == "facts.csv: line 4: key is empty; skipped"
    assert told[-1] == "facts.csv: 5 more bad rows skipped"
    assert len(told) == ingest.SHOWN + 1


def test_the_same_file_again_changes_no_number(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made()
    again = made()
    assert torch.equal(again.accumulator.numbers, before.accumulator.numbers)
    assert "facts.csv: 2 known already" in capsys.readouterr().out


@pytest.mark.parametrize(("rule", "value"), [("keep", "Fredville"), ("replace", "Newtown")])
@pytest.mark.parametrize("where", ["on the tape", "in the file"])
def test_a_key_with_another_value_goes_by_the_rule(
    folder: Path, rule: str, value: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    later = "capital of Freedonia,Newtown\n"
    if where == "on the tape":
        made()
        Path("facts.csv").write_text("key,value\n" + later)
        held = "but the tape holds 'Fredville'"
    else:
        Path("facts.csv").write_text(CAPITALS + later)
        held = "but 'Fredville' on line 2"
    said = refused(["facts.csv", "--tape", "t.safetensors"], capsys)
    assert f"key 'capital of Freedonia' is 'Newtown', {held}" in said
    tape = made("--on-conflict", rule)
    assert values(tape) == {"capital of Freedonia": value, "capital of Sylvania": "Sylvburg"}
    assert tape.audit().consistent
    counted = {"keep": "1 kept as they were", "replace": "1 replaced"}[rule]
    assert counted in capsys.readouterr().out


@given(
    table=st.dictionaries(
        st.text(min_size=1).filter(lambda t: t == t.strip() != ""),
        st.text(min_size=1).filter(lambda t: t == t.strip() != ""),
        min_size=1,
        max_size=20,
    )
)
def test_any_text_comes_back_from_csv_and_from_json(
    table: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("table")
    lines = io.StringIO()
    csv.writer(lines).writerows([("key", "value"), *table.items()])
    (path / "x.csv").write_bytes(lines.getvalue().encode("utf-8"))
    objects = [json.dumps({"key": k, "value": v}) for k, v in table.items()]
    (path / "x.jsonl").write_text("\n".join(objects))
    for name in ("x.csv", "x.jsonl"):
        rows = list(read_rows(path / name))
        assert {row.key: row.value for row in rows if isinstance(row, FactRow)} == table


@given(order=st.permutations(range(12)), cut=st.integers(1, 11))
def test_neither_order_nor_the_number_of_files_matters(order: list[int], cut: int) -> None:
    rows = [FactRow(i + 2, f"key {i}", f"value {i % 5}") for i in order]
    once, twice = (HoloTape(256, dtype="int16") for _ in range(2))
    bind_rows(once, gather(rows))
    bind_rows(twice, gather(rows[cut:]))
    bind_rows(twice, gather(rows[:cut]))
    assert torch.equal(once.accumulator.numbers, twice.accumulator.numbers)


def test_columns_and_source_are_chosen_by_name(folder: Path) -> None:
    Path("facts.csv").write_text("land,city,key\nFreedonia,Fredville,9\n")
    tape = made("--key", "land", "--value", "city", "--source", "atlas")
    found = tape.recall("Freedonia")
    assert (found.value, found.source) == ("Fredville", "atlas")


def test_the_flags_of_a_new_tape_shape_it(folder: Path) -> None:
    def config(*flags: str) -> Any:
        name = "plain" + "".join(flags)
        return made(*flags, tape=f"{name}.safetensors").config

    def size(*flags: str) -> int:
        c = config(*flags)
        return c.banks * c.dim

    plain = size()
    assert size("--facts", "500") > plain
    assert size("--values", "5000") > plain
    assert size("--accuracy", "0.99999") > plain
    assert config("--alpha", "0.2").alpha == 0.2
    assert config("--decoder", "amp").decoder == "amp"
    assert config().resolver
    assert not config("--no-resolver").resolver


def test_the_shape_of_a_tape_that_is_there_is_fixed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    for flags in (["--facts", "9"], ["--alpha", "0.5"], ["--no-resolver"]):
        said = refused(["facts.csv", "--tape", "t.safetensors", *flags], capsys)
        assert f"{flags[0]}: t.safetensors is there already, and its shape is fixed" in said


def test_a_tape_grows_with_a_line_that_says_so_or_refuses(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("facts.csv").write_text("key,value\n" + "".join(f"k{i},v{i}\n" for i in range(300)))
    said = refused(["facts.csv", "--tape", "no.safetensors", "--facts", "20", "--no-grow"], capsys)
    assert "is too full" in said
    assert not Path("no.safetensors").exists()
    tape = made("--facts", "20")
    assert ": grew from 1 x " in capsys.readouterr().out
    assert tape.audit().accuracy == 1
    assert tape.recall("k299").value == "v299"


def test_values_go_to_a_fixed_vocabulary_or_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    HoloTape(256, dtype="int8", values=["Fredville", "Sylvburg"]).save("named.safetensors")
    assert made(tape="named.safetensors").recall("capital of Sylvania").value == "Sylvburg"
    HoloTape(256, dtype="int8", values=50).save("numbers.safetensors")
    Path("n.csv").write_text("key,value\nseven,49\n")
    assert made(file="n.csv", tape="numbers.safetensors").recall("seven").value == 49
    for tape, text, says in (
        ("named", "a,Atlantis", "value 'Atlantis': must be one of the 2"),
        ("numbers", "a,50", "value 50: must be in 0..49"),
        ("numbers", "a,b", "value 'b': must be a whole number"),
    ):
        Path("x.csv").write_text(f"key,value\n{text}\n")
        said = refused(["x.csv", "--tape", f"{tape}.safetensors"], capsys)
        assert f"x.csv: line 2: {says}" in said


def test_a_tape_of_sequences_takes_a_value_as_one_item(folder: Path) -> None:
    HoloTape(512, dtype="int16", sequence=True).save("t.safetensors")
    made()
    tape = made()
    assert tape.recall("capital of Freedonia").value == ("Fredville",)
    assert tape.count == 2


def test_the_line_of_a_conflict_is_that_of_the_value_that_was_taken_last() -> None:
    rows = [FactRow(i + 2, key, value) for i, (key, value) in enumerate(["ax", "bx", "by", "cz"])]
    table = gather(rows, on_conflict="replace")
    assert [table.line(i, key) for i, key in enumerate(table.facts)] == [2, 4, 5]
    with pytest.raises(ValueError, match=r"^line 9: key 'b' is 'x', but 'y' on line 4$"):
        table.add(FactRow(9, "b", "x"), "error")


def test_a_table_that_was_bound_is_empty_and_one_that_was_refused_is_whole() -> None:
    tape = HoloTape.plan(10)
    tape.bind("b", "y")
    table = gather([FactRow(2, "a", "x"), FactRow(3, "b", "z")])
    with pytest.raises(ValueError, match=r"^line 3: key 'b' is 'z', but the tape holds 'y'$"):
        bind_rows(tape, table)
    assert table.facts == {"a": "x", "b": "z"}
    bind_rows(tape, table, on_conflict="replace")
    assert not table.facts
    assert {fact.key: fact.value for fact in tape.facts()} == {"a": "x", "b": "z"}


def test_a_key_of_unseen_marks_and_a_value_outside_the_vocabulary_are_bad_rows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    HoloTape(256, dtype="int16", values=["x", "y"], resolver=True).save("t.safetensors")
    rows = [("a", "z"), ("a", "x"), ("\u200b", "x"), ("b", "z"), ("c", "y")]
    text = "".join(json.dumps({"key": key, "value": value}) + "\n" for key, value in rows)
    Path("x.jsonl").write_text(text)
    tape = made("--bad", "skip", "--json", file="x.jsonl")
    assert values(tape) == {"a": "x", "c": "y"}
    said = json.loads(capsys.readouterr().out)
    assert [row["line"] for row in said["bad"]] == [1, 3, 4]
    assert said["bad"][0]["why"] == "value 'z': must be one of the 2 of this tape"
    assert said["added"] == 2
    Path("y.jsonl").write_text(text.split("\n", 2)[2])
    said = refused(["y.jsonl", "--tape", "t.safetensors"], capsys)
    assert "y.jsonl: line 1: key '\\u200b': must not be empty" in said
    assert values(HoloTape.load("t.safetensors")) == {"a": "x", "c": "y"}


def test_a_bad_row_is_not_said_to_be_passed_over_where_it_stops_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x.csv").write_text('key,value\n"a,1\nb,2\n')
    said = refused(["x.csv", "--tape", "t.safetensors"], capsys)
    assert said.endswith("x.csv: line 2: a quote is opened and never closed")
