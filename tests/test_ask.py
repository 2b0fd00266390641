"""``python -m prism.ask``: answers, refusals, and what a tape holds."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from prism.ask import main
from prism.command import BAD_INPUT, FREE_CODES, INCONSISTENT, PIPE_CLOSED, STOPPED
from prism.holo import HoloTape
from prism.holo.algebra.codes import hash_keys
from prism.holo.capacity_plot import LOADS, Curve, draw, measure
from prism.holo.reports import shown

FACTS = {
    "capital of Freedonia": "Fredville",
    "capital of Sylvania": "Sylvburg",
    "currency of Freedonia": "peso",
}
TAPE = "t.safetensors"


@pytest.fixture
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HoloTape:
    """Three facts in ``t.safetensors`` of the current folder."""
    monkeypatch.chdir(tmp_path)
    tape = HoloTape(512, dtype="int16", resolver=True)
    tape.bind_many(list(FACTS), list(FACTS.values()), source="atlas", time=0.0)
    tape.save(TAPE)
    return tape


def said(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> list[str]:
    capsys.readouterr()
    assert main(["--tape", TAPE, *argv]) == code
    return capsys.readouterr().out.splitlines()


def as_json(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> dict[str, Any]:
    (line,) = said(capsys, "--json", *argv, code=code)
    return json.loads(line)


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(argv)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("prism.ask: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_several_questions_get_a_line_each(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    known, misspelt, unknown = said(
        capsys, "capital of Freedonia", " captial of Freedonia", "capital of Atlantis"
    )
    assert known.startswith("capital of Freedonia: Fredville (posterior 1.0000, p ")
    assert known.endswith("source atlas, by filter)")
    assert misspelt == (
        "captial of Freedonia: unknown; did you mean capital of Freedonia? "
        "It is Fredville (confidence 0.50, source atlas)"
    )
    assert unknown == "capital of Atlantis: unknown (posterior 1.0000, p 1, not in the key list)"


def test_exact_takes_no_misspelling(tape: HoloTape, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = said(capsys, "--exact", "captial of Freedonia")
    assert "unknown" in line


def test_the_register_alone_answers_strangers_at_rate_alpha(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    strangers = [f"stranger {i}" for i in range(300)]
    rates = []
    for alpha in ("0.02", "0.5", "1"):
        found = as_json(capsys, "--decoder", "filter", "--alpha", alpha, *strangers)["answers"]
        assert {answer["method"] for answer in found} == {"filter"}
        rates.append(sum(answer["value"] is not None for answer in found) / len(found))
    assert rates[0] < 0.06
    assert 0.4 < rates[1] < 0.6
    assert rates[2] == 1


def test_json_says_what_the_lines_say(tape: HoloTape, capsys: pytest.CaptureFixture[str]) -> None:
    keys = ("capital of Freedonia", "captial of Freedonia", "capital of Atlantis")
    found = as_json(capsys, "--guess", *keys, "--list", "--audit")
    assert set(found) == {"answers", "facts", "audit"}
    known, misspelt, unknown = found["answers"]
    assert (known["value"], known["source"], known["method"]) == ("Fredville", "atlas", "filter")
    assert (known["resolved_to"], known["guess"]) == (None, None)
    assert known["posterior"] > 0.999
    assert (misspelt["value"], misspelt["resolved_to"]) == (None, "capital of Freedonia")
    assert misspelt["guess"]["key"] == "capital of Freedonia"
    assert misspelt["guess"]["value"] == "Fredville"
    assert misspelt["guess"]["confidence"] <= 0.5
    assert (unknown["value"], unknown["resolved_to"], unknown["p_value"]) == (None, None, 1)
    assert found["facts"][0] == {
        "key": "capital of Freedonia",
        "hash": None,
        "value": "Fredville",
        "source": "atlas",
        "time": "1970-01-01T00:00:00+00:00",
    }
    assert (found["audit"]["facts"], found["audit"]["right"]) == (3, 3)
    assert found["audit"]["consistent"] is True


def test_list_shows_every_fact(tape: HoloTape, capsys: pytest.CaptureFixture[str]) -> None:
    time = "1970-01-01T00:00:00+00:00"
    assert said(capsys, "--list") == [f"{k}: {v} (source atlas, {time})" for k, v in FACTS.items()]


def test_list_shows_the_hash_where_no_text_is_kept(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = HoloTape(512, dtype="int16")
    bare.bind("key", "value")
    bare.save(TAPE)
    code = f"{hash_keys(['key'])[0]:016x}"
    (line,) = said(capsys, "--list")
    assert line.startswith(f"#{code}: value (")
    (fact,) = as_json(capsys, "--list")["facts"]
    assert (fact["key"], fact["hash"]) == (None, code)


@pytest.mark.parametrize(
    ("value", "line", "given"),
    [
        ("two\nlines", '"two\\nlines"', "two\nlines"),
        (7, "7", 7),
        (b"\x01\xff", '{"bytes": "01ff"}', {"bytes": "01ff"}),
        (("a", 1, "b c"), "a; 1; b c", ["a", 1, "b c"]),
    ],
)
def test_every_kind_of_value_fits_a_line_and_json(
    tape: HoloTape, value: Any, line: str, given: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    other = HoloTape(512, dtype="int16", sequence=isinstance(value, tuple))
    other.bind("key", value)
    other.save(TAPE)
    assert f"key: {line} (" in said(capsys, "key")[0]
    assert as_json(capsys, "key")["answers"][0]["value"] == given
    assert shown(given) == line


def test_forgetting_leaves_what_never_knew_the_facts(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = ["capital of Freedonia", "currency of Freedonia"]
    lines = said(capsys, "--forget", gone[0], "--forget", gone[1], gone[0])
    assert lines[:2] == [f"forgotten: {key}" for key in gone]
    assert lines[2].startswith("capital of Freedonia: unknown")
    left = HoloTape.load(TAPE)
    never = HoloTape(512, dtype="int16")
    never.bind("capital of Sylvania", "Sylvburg")
    assert torch.equal(left.accumulator.numbers, never.accumulator.numbers)
    assert next(iter(left.facts())).key == "capital of Sylvania"


def test_what_was_forgotten_can_be_erased_from_the_file(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "--forget", "capital of Freedonia")
    assert HoloTape.load(TAPE).history("capital of Freedonia")
    assert said(capsys, "--erase-history") == ["erased: 1 rows of the ledger"]
    left = HoloTape.load(TAPE)
    assert left.history("capital of Freedonia") == []
    assert left.recall("capital of Sylvania").value == "Sylvburg"


def test_a_misspelling_is_never_forgotten_in_place_of_a_key(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(TAPE).read_bytes()
    argv = ["--tape", TAPE, "--forget", "capital of Sylvania", "--forget", "captial of Freedonia"]
    line = refused(argv, capsys)
    assert "--forget 'captial of Freedonia': is not bound; did you mean 'capital of Freedo" in line
    assert "'Atlantis': is not bound\n" in refused(["--tape", TAPE, "--forget", "Atlantis"], capsys)
    assert Path(TAPE).read_bytes() == before


def test_an_audit_reads_all_again_and_counts_the_room(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    read, accumulator, room, size = said(capsys, "--audit")
    assert read.startswith("3 facts; 3 items read again: 1.0000 right (1.0000 by theory)")
    assert accumulator == "the accumulator is the sum of what the ledger lists, number by number"
    capacity = tape.capacity()
    assert room.startswith(f"room for {capacity.left:,} items more: {capacity.limit:,} are read")
    assert "greatest number 3 of 32,767; bytes: accumulator 1,024" in size


def test_a_register_that_is_not_its_ledger_has_an_exit_code_of_its_own(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    tape.accumulator.numbers[0, 0] += 1
    tape.save(TAPE)
    line = "THE ACCUMULATOR IS NOT WHAT THE LEDGER LISTS"
    assert line in said(capsys, "--audit", code=INCONSISTENT)
    assert as_json(capsys, "--audit", code=INCONSISTENT)["audit"]["consistent"] is False
    assert INCONSISTENT not in (0, 1, BAD_INPUT, STOPPED, PIPE_CLOSED, *FREE_CODES)


def test_a_script_gets_no_guess_unless_it_asks_for_one(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    (plain,) = as_json(capsys, "captial of Freedonia")["answers"]
    assert (plain["value"], plain["guess"], plain["resolved_to"]) == (None, None, None)
    (asked,) = as_json(capsys, "--guess", "captial of Freedonia")["answers"]
    assert asked["guess"]["value"] == "Fredville"


def test_unknown_can_have_an_exit_code(tape: HoloTape, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "capital of Atlantis")
    said(capsys, "--unknown-exit", "4", "capital of Freedonia")
    said(capsys, "--unknown-exit", "4", "capital of Freedonia", "capital of Atlantis", code=4)
    said(capsys, "--unknown-exit", "4", "captial of Freedonia", code=4)  # a guess is no answer


def test_keys_come_from_a_file_too(
    tape: HoloTape, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "capital of Sylvania\n\n  capital of Freedonia\r\n"
    Path("keys.txt").write_bytes(text.encode())
    values = ["peso", "Sylvburg", "Fredville"]
    found = as_json(capsys, "currency of Freedonia", "--keys", "keys.txt")["answers"]
    assert [answer["value"] for answer in found] == values
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert [a["value"] for a in as_json(capsys, "--keys", "-")["answers"]] == values[1:]


def test_update_replaces_a_value_and_says_so(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(capsys, "--update", "capital of Freedonia", "Newtown", "capital of Freedonia")
    assert lines[0] == "updated: capital of Freedonia: Newtown"
    assert lines[1].startswith("capital of Freedonia: Newtown (")
    left = HoloTape.load(TAPE)
    assert [fact.value for fact in left.history("capital of Freedonia")] == ["Fredville", "Newtown"]
    assert left.audit().consistent


def test_a_tape_may_be_let_grow_or_not(tape: HoloTape, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--no-grow") == ["the tape stays so"]
    assert HoloTape.load(TAPE).config.grow is False
    full = HoloTape(64, dtype="int16", resolver=True, overfill=True)
    full.bind_many([f"k{i}" for i in range(40)], [f"v{i}" for i in range(40)])
    full._parts.config = dataclasses.replace(full.config, overfill=False)
    full.save(TAPE)
    allowed, line = said(capsys, "--grow")
    assert allowed == "the tape grows when it is too full"
    assert line.startswith("grew from 1 x 64 int16 to ")
    left = HoloTape.load(TAPE)
    assert left.audit().accuracy == 1
    assert left.audit().consistent


@pytest.mark.parametrize(
    "wrong",
    [
        ["capital of Sylvania", "--alpha", "5"],
        ["--forget", "Atlantis"],
        ["--update", "Atlantis", "Poseidonis"],
        ["--update", "capital of Sylvania", " "],
        [" "],
        ["--plot", "x.txt"],
        ["--plot", "no/such/x.svg"],
        ["--unknown-exit", "2", "capital of Sylvania"],
        ["--keys", "none.txt"],
        ["--list", "--exact"],
    ],
)
def test_nothing_is_forgotten_where_another_argument_is_wrong(
    tape: HoloTape, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(TAPE).read_bytes()
    refused(["--tape", TAPE, "--forget", "capital of Freedonia", *wrong], capsys)
    assert Path(TAPE).read_bytes() == before


def test_a_picture_that_cannot_be_written_leaves_the_tape(
    tape: HoloTape, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "x.svg")

    monkeypatch.setattr("prism.ask.draw", full)
    before = Path(TAPE).read_bytes()
    refused(["--tape", TAPE, "--forget", "capital of Freedonia", "--plot", "x.svg"], capsys)
    assert Path(TAPE).read_bytes() == before


def test_keys_bound_in_python_are_found_from_a_shell(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    tape.bind_many([42, "  spaced   out "], ["answer", "yes"])
    tape.save(TAPE)
    found = as_json(capsys, "42", " spaced out")["answers"]
    assert [answer["value"] for answer in found] == ["answer", "yes"]
    said(capsys, "--forget", "42", "--forget", "spaced  out")
    assert len(HoloTape.load(TAPE)) == len(FACTS)


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_plot_is_a_picture(
    tape: HoloTape, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix]
    assert said(capsys, "--plot", f"curve.{suffix}") == [f"plot: curve.{suffix}"]
    content = Path(f"curve.{suffix}").read_bytes()
    assert content.startswith(start)
    if suffix == "svg":
        draw(measure(tape), Path("again.svg"))
        assert Path("again.svg").read_bytes() == content


def off(curve: Curve) -> list[float]:
    """Distance of measured from theory at each point, in standard deviations."""
    return [
        abs(m - t) / max((t * (1 - t) / n) ** 0.5, 1 / n)
        for m, t, n in zip(curve.measured, curve.theory, curve.reads, strict=True)
    ]


@pytest.mark.parametrize("banks", [1, 40])
def test_the_measured_curve_follows_theory(banks: int) -> None:
    tape = HoloTape(1024 // (4 if banks > 1 else 1), banks, dtype="int16")
    keys = [f"key {i}" for i in range(20 * banks)]
    tape.bind_many(keys, [f"value {i % 50}" for i in range(len(keys))])
    curve = measure(tape)
    assert len(curve.facts) == len(LOADS)
    assert curve.limit == tape.capacity().limit in curve.facts
    assert curve.theory == sorted(curve.theory, reverse=True)
    assert curve.theory[0] > 0.99 > curve.theory[-1]
    assert max(off(curve)) < 5
    assert curve.now == (tape.count, tape.audit().accuracy)


def test_a_joint_decoder_is_right_below_its_limit_and_falls_above() -> None:
    tape = HoloTape(512, dtype="int16", decoder="amp")
    tape.bind_many([f"key {i}" for i in range(40)], [f"value {i % 20}" for i in range(40)])
    curve = measure(tape)
    at = dict(zip(curve.facts, curve.measured, strict=True))
    assert at[curve.limit] == 1
    assert curve.theory[0] == 1
    assert curve.theory[-1] == 0
    assert curve.measured[-1] < 1


def test_an_empty_tape_has_nothing_to_plot(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    HoloTape(64).save(TAPE)
    line = refused(["--tape", TAPE, "--plot", "x.svg"], capsys)
    assert "plot: needs a ledger and at least two values" in line


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "nothing to do: give a key"),
        ([""], "key '': must not be empty"),
        (["--unknown-exit", "3", "a"], "--unknown-exit 3: must be in 4..125"),
        (["--unknown-exit", "4", "--list"], "--unknown-exit: needs a key to ask for"),
        (["--guess", "--exact", "a"], "not allowed with argument"),
        (["--keys", "empty.txt"], "--keys empty.txt: holds no key"),
        (
            ["--update", "capital of Freedonia", "a", "--update", "capital  of Freedonia", "b"],
            "--update 'capital of Freedonia': is given twice",
        ),
        # Python keeps one object for all texts of one character
        (["--update", "7", "VII", "--update", "7", "VIII"], "--update '7': is given twice"),
        (["--update", "7", ""], "--update '7': value '': must not be empty"),
        (["--update", " ", "VII"], "key ' ': must not be empty"),
        (["--keys", "latin.txt"], "--keys latin.txt: not UTF-8 text"),
        (["--keys", "half.txt.gz"], "--keys half.txt.gz: not a whole gzip file"),
        (["--keys", "foreign.txt.gz"], "--keys foreign.txt.gz: not a whole gzip file"),
        (["--tape", "folder", "a"], "folder: is not a file"),
        (["--tape", "none.safetensors", "--forget", "a"], "none.safetensors: no such file"),
        (["\udcff"], "half a character"),
        (["--alpha", "0", "a"], "--alpha 0: must be in (0, 1]"),
        (["--alpha", "0.5", "--list"], "--alpha: needs a key to ask for"),
        (["--decoder", "sic", "--audit"], "--decoder: needs a key to ask for"),
        (["--exact", "--list"], "--exact: needs a key to ask for"),
        (["--exact", "--decoder", "sic", "a"], "takes every key as it is already"),
        (["--decoder", "guess", "a"], "invalid choice: 'guess'"),
        (["--plot", "x.txt"], "--plot x.txt: must end in .svg, .png, .pdf"),
        (["--plot", "no/such/x.svg"], "--plot no/such/x.svg: there is no folder no/such"),
        (["--tape", "none.safetensors", "a"], "none.safetensors: no such file"),
        (["--tape", "foreign.safetensors", "a"], "not a HoloTape"),
        (["--tape", "text.safetensors", "a"], "truncated or not a safetensors file"),
        (["--tape", "bare.safetensors", "--list"], "facts: this tape has no ledger"),
        (["--tape", "bare.safetensors", "--audit"], "audit: this tape has no ledger"),
        (["--tape", "bare.safetensors", "--forget", "a"], "--forget: this tape has no ledger"),
        (["--tape", "bare.safetensors", "--update", "a", "b"], "--update: this tape has no ledger"),
        (["--tape", "bare.safetensors", "--grow"], "grow: this tape has no ledger"),
        (["--tape", "bare.safetensors", "--decoder", "amp", "a"], "'amp': this tape has no ledger"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    tape: HoloTape, argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file({"x": torch.zeros(2)}, "foreign.safetensors")
    Path("text.safetensors").write_text("not a tape")
    Path("empty.txt").write_text("\n")
    Path("latin.txt").write_bytes("caf\u00e9 Oru\n".encode("latin-1"))
    Path("half.txt.gz").write_bytes(gzip.compress(b"capital of Freedonia\n" * 99)[:-9])
    Path("foreign.txt.gz").write_text("capital of Freedonia\n")
    Path("folder").mkdir()
    HoloTape(64, ledger=False).save("bare.safetensors")
    before = Path(TAPE).read_bytes()
    assert says in refused(["--tape", TAPE, *argv], capsys)
    assert Path(TAPE).read_bytes() == before


def test_a_link_to_itself_is_refused_in_one_line(
    tape: HoloTape, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("loop").symlink_to("loop")
    assert "loop: Too many levels of symbolic links" in refused(["--tape", "loop", "7"], capsys)
