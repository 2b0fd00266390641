"""Tables as people have them: lost quotes, delimiters, gzip, templates of keys, many values."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.holo import HoloTape
from prism.holo.reading import BadRow, Columns, FactRow, read_rows
from prism.holo.reading.csv_rows import split
from prism.ingest import main
from tests.ingest.runs import made, refused, values


def facts(rows: list[FactRow | BadRow]) -> dict[str, str]:
    return {row.key: row.value for row in rows if isinstance(row, FactRow)}


def bad(rows: list[FactRow | BadRow]) -> list[BadRow]:
    return [row for row in rows if isinstance(row, BadRow)]


def read(text: str, name: str = "x.csv", **how: object) -> list[FactRow | BadRow]:
    Path(name).write_text(text, newline="")
    return list(read_rows(Path(name), **how))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "after",
    [
        "",  # to the end of the file
        '"quoted, key",5\n',  # a good field in quotes closes it, and something follows
        'a,"quoted, value"\n',
    ],
)
def test_a_lost_quote_costs_its_own_row_alone(folder: Path, after: str) -> None:
    good = {f"port of site {i}": str(8000 + i) for i in range(1000)}
    rows = read(
        'key,value\nport of A,1\n"port of B,2\n'
        + "".join(f"{key},{value}\n" for key, value in good.items())
        + after
    )
    assert good.items() <= facts(rows).items()
    assert len(facts(rows)) == 1001 + bool(after)
    assert [row.line for row in bad(rows)] == [3]


def test_two_lost_quotes_with_rows_between_are_named(folder: Path) -> None:
    rows = read('key,value\n"a,1\nb,2\nc,3\nd,4\ne",5\nf,6\n')
    assert facts(rows) == {"b": "2", "c": "3", "d": "4", 'e"': "5", "f": "6"}
    assert bad(rows) == [BadRow(2, bad(rows)[0].why)]
    assert "takes in 3 lines that are rows themselves" in bad(rows)[0].why


@pytest.mark.parametrize(
    ("table", "last", "fields"),
    [
        ('key,value\n"a,1\nb,2\nc,3"\nd,4\n', 4, 1),  # two lost quotes, one row between
        ('key,value\r\n"a,1\r\nc,3"\r\nd,4\r\n', 3, 1),  # none between
        ('key,value\n"a\nx,y\nb",1,2\nd,4\n', 4, 3),  # a whole field, and one too many
    ],
)
def test_no_line_is_lost_unnamed(folder: Path, table: str, last: int, fields: int) -> None:
    first, *rest = read(table)
    assert (type(first), first.line) == (BadRow, 2)
    assert f"goes on to line {last}, which makes a row of {fields} fields: must be 2" in first.why
    assert rest == [FactRow(last + 1, "d", "4")]


@pytest.mark.parametrize(
    "text", ['\n \n{"key": "a", "value": "1"}\n', "\n\nkey\tvalue\na\t1\n", "\nkey,value\na,1\n"]
)
def test_the_form_of_the_standard_input_is_that_of_its_first_line_with_text(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert facts(list(read_rows(Path("-")))) == {"a": "1"}


def test_a_closed_standard_input_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ValueError, match="the standard input is closed"):
        list(read_rows(Path("-")))


def test_a_field_in_quotes_may_have_lines_and_quotes_of_its_own(folder: Path) -> None:
    rows = read('key,value\r\n"poem","one\r\ntwo ""2"", and\r\nthree"\r\n5" disk,3\r\n')
    assert facts(rows) == {"poem": 'one\r\ntwo "2", and\r\nthree', '5" disk': "3"}
    assert [row.line for row in rows] == [2, 5]


def test_fields_are_of_any_length(folder: Path) -> None:
    long = "x" * 300_000
    assert facts(read(f'key,value\na,{long}\nb,"{long},{long}"\n')) == {
        "a": long,
        "b": f"{long},{long}",
    }


FIELD = st.text('ab",; \n', max_size=5)


@given(st.lists(FIELD, min_size=1, max_size=4))
def test_a_record_is_split_as_csv_does(fields: list[str]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(fields)
    assert split(written.getvalue(), ",") == fields


def test_tables_of_other_delimiters_are_read(folder: Path) -> None:
    want = {"a, b": "c"}
    assert facts(read("key\tvalue\na, b\tc\n", "x.tsv")) == want
    assert facts(read("key;value\na, b;c\n", delimiter=";")) == want
    Path("x.csv").write_text("key\tvalue\na, b\tc\n")
    assert values(made("--delimiter", "tab", file="x.csv")) == want


@pytest.mark.parametrize("name", ["x.csv.gz", "x.jsonl.gz", "x.TSV.GZ"])
def test_gzip_is_unpacked(folder: Path, name: str) -> None:
    text = {"c": "key,value\na,b\n", "j": '{"key": "a", "value": "b"}\n', "T": "key\tvalue\na\tb\n"}
    Path(name).write_bytes(gzip.compress(text[name[2]].encode()))
    assert facts(list(read_rows(Path(name)))) == {"a": "b"}


@pytest.mark.parametrize(
    "text", ["key,value\na,b\n", '{"key": "a", "value": "b"}\n', "key\tvalue\na\tb\n"]
)
def test_the_standard_input_is_read(
    folder: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    tape = made(file="-")
    assert (values(tape), tape.recall("a").source) == ({"a": "b"}, "stdin")


def test_names_of_columns_are_found_in_any_case(folder: Path) -> None:
    assert facts(read("Key,VALUE\na,b\n")) == {"a": "b"}
    assert facts(read("Key,key,value\nx,a,b\n")) == {"a": "b"}  # just this one first
    assert facts(read('{"KEY": "a", "Value": "b"}\n', "x.jsonl")) == {"a": "b"}
    with pytest.raises(ValueError, match="must be there once"):
        read("Key,KEY,value\nx,a,b\n")


CITIES = "name,capital,coin\nFreedonia,Fredville,crown\nSylvania,Sylvburg,\n"
WANT = {
    "capital of Freedonia": "Fredville",
    "coin of Freedonia": "crown",
    "capital of Sylvania": "Sylvburg",
}


@pytest.mark.parametrize(
    "templates", [["{} of {name}"], ["capital of {name}", "coin of {name}"], ["{} of {NAME}"]]
)
def test_a_template_makes_keys_of_columns(folder: Path, templates: list[str]) -> None:
    rows = read(CITIES, columns=Columns(values=("capital", "coin"), templates=templates))
    assert facts(rows) == WANT
    assert bad(rows) == []


def test_a_template_may_name_several_columns_and_braces(folder: Path) -> None:
    rows = read(CITIES, columns=Columns(values=["coin"], templates=["{{{}}} {capital}, {name}"]))
    assert facts(rows) == {"{coin} Fredville, Freedonia": "crown"}
    assert bad(rows) == [BadRow(3, "coin is empty")]


def test_a_key_with_an_empty_part_is_a_bad_row(folder: Path) -> None:
    rows = read("name,v\n,x\n", columns=Columns(values=["v"], templates=["v of {name}"]))
    assert rows == [BadRow(2, "name is empty")]


def test_many_values_of_a_key_are_one_sequence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x.csv").write_text("key,value\nrivers,Rhine\nrivers,Elbe\ntowns,Ulm\nrivers,Rhine\n")
    tape = made("--many", file="x.csv")
    assert values(tape) == {"rivers": ("Rhine", "Elbe"), "towns": ("Ulm",)}
    Path("y.jsonl").write_text('{"key": "rivers", "value": ["Elbe", "Oder"]}\n')
    tape = made("--many", file="y.jsonl")
    assert values(tape)["rivers"] == ("Rhine", "Elbe", "Oder")
    assert tape.audit().consistent
    assert "y.jsonl: 1 given more values" in capsys.readouterr().out
    made("--many", file="y.jsonl")
    assert "y.jsonl: 1 known already" in capsys.readouterr().out


def test_an_empty_list_is_a_bad_row(folder: Path) -> None:
    table = '{"key": "a", "value": []}\n{"key": [], "value": "x"}\n{"key": "b", "value": ["y"]}\n'
    assert read(table, "x.jsonl", many=True) == [
        BadRow(1, "value is empty"),
        BadRow(2, "key is empty"),
        FactRow(3, "b", "y"),
    ]


def test_many_needs_a_tape_of_sequences(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made()
    said = refused(["facts.csv", "--tape", "t.safetensors", "--many"], capsys)
    assert "this tape holds one value a key" in said


def test_json_says_what_the_lines_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("facts.csv").open("a") as file:
        file.write(",x\n")
    tape = made("--bad", "skip", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["tape"]) == ("facts.csv", "t.safetensors")
    assert (said["added"], said["facts"], said["grown"]) == (2, 2, [])
    assert said["bad"] == [{"line": 4, "why": "key is empty"}]
    assert said["register_bytes"] == tape.nbytes


def test_progress_is_lines_where_there_is_no_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("prism.command.EVERY", 0.0)
    monkeypatch.setattr("prism.ingest.READ", 2)
    made()
    told = capsys.readouterr().err.splitlines()
    assert told == ["reading: 2", "binding: 2 of 2", "saving"]


def test_keys_that_are_one_key_conflict_in_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x.csv").write_text("key,value\nport of  Zendal,1\nport of Zendal,2\n")
    said = refused(["x.csv", "--tape", "t.safetensors"], capsys)
    assert "line 3: key 'port of Zendal' is '2', but '1' on line 2" in said


def test_any_damage_to_a_table_loses_only_rows_that_it_names(folder: Path) -> None:
    rng = random.Random(0)
    lines = [f"key {i},value {i}\n" if i % 3 else f'"key {i}","value, {i}"\n' for i in range(60)]
    good = facts(read("key,value\n" + "".join(lines)))
    for _ in range(30):
        at = rng.randrange(60)
        place = rng.randrange(len(lines[at]) - 1)
        broken = [*lines]
        broken[at] = lines[at][:place] + '"' + lines[at][place:]
        rows = read("key,value\n" + "".join(broken))
        lost = {k for k in good if facts(rows).get(k) != good[k]}
        assert lost <= {f"key {at}"}, broken[at]


def test_the_example_in_the_help_makes_a_tape_that_a_model_can_be_told(folder: Path) -> None:
    from prism.inject.sync import parts

    Path("cities.csv").write_text("name,country,currency\nFredville,Freedonia,crown\n")
    example = ["--key-template", "{} of {name}", "--value", "country", "--value", "currency"]
    assert main(["cities.csv", "--tape", "t.safetensors", *example]) == 0
    told = [parts(key) for key in HoloTape.load("t.safetensors")]
    assert told == [("Fredville", "country"), ("Fredville", "currency")]


@pytest.mark.parametrize(("header", "asked"), [("cafe\u0301", "caf\u00e9"), ("café", "cafe\u0301")])
def test_a_column_is_found_in_any_spelling_of_its_name(
    folder: Path, header: str, asked: str
) -> None:
    row = [FactRow(2, "Oru", "1")]
    assert read(f"{header},value\nOru,1\n", columns=Columns(asked)) == row
    assert read(f"\u200b{header}  x,value\nOru,1\n", columns=Columns(f"{asked} X")) == row
    templates = Columns(templates=[f"{{{asked}}}"])
    assert read(f"{header},value\nOru,1\n", columns=templates) == row
    line = json.dumps({header: "Oru", "value": "1"}, ensure_ascii=False)
    assert read(line, "x.jsonl", columns=Columns(asked)) == [FactRow(1, "Oru", "1")]
    with pytest.raises(ValueError, match="must be there once"):
        read("cafe\u0301,caf\u00e9,value\n1,2,3\n", columns=Columns(asked))
    with pytest.raises(ValueError, match="both key and value"):
        Columns(asked, [header])
