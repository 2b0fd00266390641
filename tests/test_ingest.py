"""``python -m prism.ingest``: a table becomes facts, and a refused one leaves no trace."""

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
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import save_file

from prism import ingest
from prism.holo import HoloTape
from prism.holo.ingestion import gather
from prism.holo.ingestion import ingest as bind_rows
from prism.holo.rows import BadRow, Row, read_rows
from prism.ingest import main

CAPITALS = "key,value\ncapital of Freedonia,Fredville\ncapital of Sylvania,Sylvburg\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("facts.csv").write_text(CAPITALS)
    return tmp_path


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command ends in code 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(argv)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    *before, line = captured.err.splitlines()
    assert not any("Traceback" in text for text in before)
    assert line.startswith("prism.ingest: ")
    return line


def made(*flags: str, file: str = "facts.csv", tape: str = "t.safetensors") -> HoloTape:
    assert main([file, "--tape", tape, *flags]) == 0
    return HoloTape.load(tape)


def values(tape: HoloTape) -> dict[Any, Any]:
    return {fact.key: fact.value for fact in tape.facts()}


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
    assert torch.equal(ours.register.numbers, theirs.register.numbers)


def test_whole_numbers_in_json_are_their_digits(folder: Path) -> None:
    Path("n.jsonl").write_text('{"key": 7, "value": 49}\n')
    assert made(file="n.jsonl").recall("7").value == "49"


def test_a_mark_at_the_front_and_quoted_line_breaks_are_csv(folder: Path) -> None:
    Path("facts.csv").write_text('\ufeffkey,value\r\n"a\nb","c, ""d"""\r\n', encoding="utf-8")
    assert values(made()) == {"a\nb": 'c, "d"'}


@pytest.mark.parametrize(
    ("name", "text", "line", "why"),
    [
        ("x.csv", "key,value\n,b\n", 2, "key is empty"),
        ("x.csv", "key,value\na, \n", 2, "value is empty"),
        ("x.csv", "key,value\n\na,b\na,b,c\n", 4, "3 fields: must be 2"),
        ("x.csv", "key,value\na\n", 2, "1 fields: must be 2"),
        ("x.csv", 'key,value\n"a\nb",c\n"a"x,b\n', 4, "',' expected after '\"'"),
        ("x.csv", 'key,value\na,b\n"c,d\ne,f\n', 3, "unexpected end of data"),
        ("x.jsonl", '{"key": "a", "value": "b"}\n{"key": "c"', 2, "not JSON"),
        ("x.jsonl", "[1]\n", 1, "a JSON list: must be an object"),
        ("x.jsonl", '{"key": "a"}\n', 1, "no field 'value'; fields: 'key'"),
        ("x.jsonl", '{"key": "a", "value": 1.5}\n', 1, "value 1.5: must be text"),
        ("x.jsonl", '{"key": true, "value": "b"}\n', 1, "key True: must be text"),
        ("x.jsonl", '{"key": "a", "value": ["b"]}\n', 1, "value ['b']: must be text"),
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
    assert torch.equal(again.register.numbers, before.register.numbers)
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
        assert {row.key: row.value for row in rows if isinstance(row, Row)} == table


@given(order=st.permutations(range(12)), cut=st.integers(1, 11))
def test_neither_order_nor_the_number_of_files_matters(order: list[int], cut: int) -> None:
    rows = [Row(i + 2, f"key {i}", f"value {i % 5}") for i in order]
    once, twice = (HoloTape(256, dtype="int16") for _ in range(2))
    bind_rows(once, gather(rows))
    bind_rows(twice, gather(rows[cut:]))
    bind_rows(twice, gather(rows[:cut]))
    assert torch.equal(once.register.numbers, twice.register.numbers)


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


def test_a_tape_past_its_capacity_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("facts.csv").write_text("key,value\n" + "".join(f"k{i},v{i}\n" for i in range(300)))
    made("--facts", "20")
    assert "over its capacity: 300 items where" in capsys.readouterr().err


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


def test_stopping_leaves_the_old_tape(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    before = Path("t.safetensors").read_bytes()
    Path("facts.csv").write_text("key,value\nnew,fact\n")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for method in ("bind_many", "save"):
        with monkeypatch.context() as patch:
            patch.setattr(HoloTape, method, stop)
            assert main(["facts.csv", "--tape", "t.safetensors"]) == 130
        assert "t.safetensors is as it was" in capsys.readouterr().err
        assert Path("t.safetensors").read_bytes() == before
    assert sorted(p.name for p in folder.iterdir()) == ["facts.csv", "t.safetensors"]


def test_a_full_disk_leaves_the_old_tape(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    before = Path("t.safetensors").read_bytes()
    Path("facts.csv").write_text("key,value\nnew,fact\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "No space left on device" in refused(["facts.csv", "--tape", "t.safetensors"], capsys)
    assert Path("t.safetensors").read_bytes() == before


def test_a_register_that_overflows_leaves_the_old_tape(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    before = Path("t.safetensors").read_bytes()
    rows = "".join(f"k{i},same\n" for i in range(12_000))
    Path("facts.csv").write_text("key,value\n" + rows)
    assert "a sum would reach" in refused(["facts.csv", "--tape", "t.safetensors"], capsys)
    assert Path("t.safetensors").read_bytes() == before


def test_a_terminal_sees_a_progress_bar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(ingest, "output", lambda _: console)
    made()
    assert "binding" in screen.getvalue()
    assert "2/2" in screen.getvalue()


def _foreign(path: Path) -> None:
    save_file({"x": torch.zeros(2)}, path)


def _truncated(path: Path) -> None:
    HoloTape(64).save(path)
    path.write_bytes(path.read_bytes()[:-9])


def _other_encoder(path: Path) -> None:
    HoloTape(64, seed=1).save(path)
    with safe_open(path, "pt") as found:
        header = json.loads(found.metadata()["prism"])
        tensors = {name: found.get_tensor(name) for name in found.keys()}  # noqa: SIM118
    header["config"]["seed"] = 2
    save_file(tensors, path, {"prism": json.dumps(header)})


def _ledgerless(path: Path) -> None:
    HoloTape(64, ledger=False).save(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_foreign, "not a HoloTape"),
        (_truncated, "truncated or not a safetensors file"),
        (_other_encoder, "damaged tape: fingerprint"),
        (_ledgerless, "a tape without a ledger cannot tell which keys it holds"),
        (Path.mkdir, "is not a file"),
    ],
)
def test_a_tape_that_cannot_be_added_to_is_refused_and_left_alone(
    folder: Path, make: Any, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("t.safetensors")
    make(path)
    before = path.read_bytes() if path.is_file() else None
    assert says in refused(["facts.csv", "--tape", str(path)], capsys)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["none.csv"], "none.csv: No such file or directory"),
        (["."], "extension '': must be .csv or .jsonl"),
        (["facts.txt"], "facts.txt: extension '.txt': must be .csv or .jsonl"),
        (["facts.csv", "--key", "name"], "facts.csv: column 'name': must be there once"),
        (["facts.csv", "--value", "key"], "column 'key': is both key and value"),
        (["twice.csv"], "column 'key': must be there once; columns: 'key', 'key', 'value'"),
        (["empty.csv"], "column 'key': must be there once; columns: none"),
        (["header.csv"], "header.csv: holds no fact"),
        (["latin.csv"], "latin.csv: not UTF-8 text"),
        (["facts.csv", "--facts", "0"], "plan facts = 0: must be an integer in 1..1,000,000,000"),
        (["facts.csv", "--facts", "99999999999999"], "must be an integer in 1..1,000,000,000"),
        (["facts.csv", "--values", "1"], "plan candidates = 1: must be an integer >= 2"),
        (["facts.csv", "--accuracy", "1"], "plan accuracy = 1.0: must be in (0, 1)"),
        (["facts.csv", "--alpha", "0"], "plan alpha = 0.0: must be in (0, 1]"),
        (["facts.csv", "--bad", "maybe"], "invalid choice: 'maybe'"),
        (["facts.csv", "--tape", "no/such/t.safetensors"], "there is no folder no/such"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    folder: Path, argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("twice.csv").write_text("key,key,value\na,b,c\n")
    Path("empty.csv").write_text("")
    Path("header.csv").write_text("key,value\n")
    Path("latin.csv").write_bytes("key,value\na,é\n".encode("latin-1"))
    tape = [] if "--tape" in argv else ["--tape", "t.safetensors"]
    assert says in refused([*argv, *tape], capsys)
    assert not Path("t.safetensors").exists()


def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    said = refused(["none.csv", "--tape", "t.safetensors"], capsys)
    assert "folder . cannot be written" in said


@pytest.mark.parametrize(
    ("rule", "says"),
    [({"bad": "maybe"}, "bad = 'maybe'"), ({"on_conflict": "ask"}, "on_conflict = 'ask'")],
)
def test_an_unknown_rule_is_refused(rule: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        gather([], **rule)


def test_a_tape_that_does_not_fit_the_memory_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_large(**plan: object) -> None:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(HoloTape, "plan", too_large)
    said = refused(["facts.csv", "--tape", "t.safetensors"], capsys)
    assert "facts: can't allocate memory" in said
    assert not (folder / "t.safetensors").exists()
