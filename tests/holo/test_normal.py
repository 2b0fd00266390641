"""One key is one key: a table of spellings in five scripts, and values that are equal are one."""

from __future__ import annotations

import enum
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism import HoloTape
from prism.holo.keys.normal import KeyHash, normal_key, normal_keys, normal_value


class Name(str):
    __slots__ = ()


class Place(enum.StrEnum):
    PORT = "port of Zendal"


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


TABLE: list[tuple[Any, Any]] = [
    # Latin
    ("port  of Zendal", "port of Zendal"),
    ("port of\tZendal", "port of Zendal"),
    (" port of Zendal\r\n", "port of Zendal"),
    ("port\u00a0of\u2009Zendal", "port of Zendal"),
    ("\ufeffport of Zen\u00addal", "port of Zendal"),
    (nfd("Café Oru"), "Café Oru"),
    ("cafe\u00ad\u0301", "caf\u00e9"),
    ("q\u0307\u200b\u0323", "q\u0323\u0307"),
    # Cyrillic, Greek
    (nfd("столица  Йошкар"), "столица Йошкар"),
    (nfd("Άνω\u00a0Πόλη"), "Άνω Πόλη"),
    # Arabic and Persian: direction marks go, the joiner that spells a word stays
    ("\u200fعاصمة\u200f  مصر", "عاصمة مصر"),
    ("می\u200cخواهم", "می\u200cخواهم"),
    # Devanagari, Hangul, Japanese
    ("\u0958", "\u0915\u093c"),
    (nfd("서울의  시장"), "서울의 시장"),
    ("\u1100\u200b\u1161", "\uac00"),
    ("日本\u3000の首都", "日本 の首都"),
    (nfd("ガラス"), "ガラス"),
    # emoji families are spelt with joiners
    ("👨\u200d👩\u200d👧 ", "👨\u200d👩\u200d👧"),
    # kinds
    (np.str_("port of Zendal"), "port of Zendal"),
    (Name("port of  Zendal"), "port of Zendal"),
    (Place.PORT, "port of Zendal"),
    (np.int16(-7), -7),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.bytes_(b"raw"), b"raw"),
    (b" raw ", b" raw "),
]


@pytest.mark.parametrize(("given_", "one"), TABLE, ids=[ascii(row[0]) for row in TABLE])
def test_a_key_has_one_spelling_and_a_plain_type(given_: Any, one: Any) -> None:
    found = normal_key(given_)
    assert found == one
    assert type(found) in (str, bytes, int)
    assert normal_key(found) == found
    assert normal_keys([given_, "other"]) == [one, "other"]


@pytest.mark.parametrize(("given_", "one"), TABLE, ids=[ascii(row[0]) for row in TABLE])
def test_a_tape_knows_one_key_by_all_its_spellings(given_: Any, one: Any) -> None:
    for bound, asked in ((given_, one), (one, given_)):
        tape = HoloTape(512, 2, resolver=True)
        tape.bind(bound, "x")
        assert (tape[asked], asked in tape) == ("x", True)
        assert tape.recall(asked).resolved_from is None
        tape.bind(asked, "x")  # no change
        assert tape.count == 1
        with pytest.raises(ValueError, match=r"is bound to 'x'; update it to change that to 'y'"):
            tape.bind(asked, "y")
        with pytest.raises(ValueError, match="is given twice with different values, 'x' and 'y'"):
            tape.bind_many([bound, asked], ["x", "y"])
        tape.forget(asked)
        assert (tape.count, tape.accumulator.numbers.any()) == (0, False)


MARKED = st.text("ae qQ\u0301\u0307\u0323\u0338=\u1100\u1161\u11a8\u00ad\u200b\u200f\ufeff\u2000")


@given(st.text(min_size=1) | MARKED.filter(bool))
def test_the_one_spelling_is_its_own(text: str) -> None:
    try:
        one = normal_key(text)
    except ValueError as error:
        assert "must not be empty" in str(error)  # nothing but white space
        return
    assert normal_key(one) == one
    assert normal_key(f" \t{text}\n") == one
    assert normal_keys([text]) == [one]


@pytest.mark.parametrize("resolver", [False, True])
def test_a_key_that_a_file_lists_with_its_letters_apart_is_found(
    resolver: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_, listed, one = "cafe\u00ad\u0301", "cafe\u0301", "caf\u00e9"
    tape = HoloTape(512, 2, resolver=resolver)
    with monkeypatch.context() as before:  # NFC first, then the marks
        before.setattr("prism.holo.keys.normal.normal_key", lambda key: listed)
        before.setattr("prism.holo.file.tape_file.SPELLING", 1)
        tape.bind(given_, "x")
        tape.save(tmp_path / "old")
    HoloTape.load(tmp_path / "old").save(tmp_path / "new")
    for path in ("old", "new"):
        held = HoloTape.load(tmp_path / path)
        for asked in (given_, listed, *([one] if resolver else [])):  # else its text is not kept
            assert held.recall(asked, resolve=False).value == "x"
            with pytest.raises(ValueError, match="is bound to 'x'"):
                held.bind(asked, "y")


DIFFERENT = [
    "port of Zendal",
    "Port of Zendal",
    "port of Zenda1",
    "portof Zendal",
    "port of Zendal.",
]


def test_keys_that_differ_in_what_is_seen_stay_different() -> None:
    tape = HoloTape(2048, resolver=True)
    tape.bind_many(DIFFERENT, [str(i) for i in range(5)])
    assert [tape[key] for key in DIFFERENT] == [str(i) for i in range(5)]


@pytest.mark.parametrize(
    ("key", "error", "says"),
    [
        ("half \ud800", ValueError, r"key 'half \\ud800': holds half a character"),
        (" \t", ValueError, r"key ' \\t': must not be empty"),
        ("\u200b", ValueError, "must not be empty"),
        (None, TypeError, "key None: must be a str, bytes or int, not NoneType"),
        (1.0, TypeError, "key 1.0"),
        (True, TypeError, "key True"),
        (np.bool_(True), TypeError, "must be a str, bytes or int"),
        (["a"], TypeError, r"key \['a'\]"),
    ],
)
def test_what_is_no_key_is_named(key: Any, error: type[Exception], says: str) -> None:
    tape = HoloTape(64)
    for act in (
        lambda: tape.bind(key, "v"),
        lambda: tape.bind_many(["fine", key], ["v", "v"]),
        lambda: tape.recall(key),
        lambda: tape.forget(key),
        lambda: key in tape,
    ):
        with pytest.raises(error, match=says):
            act()
    assert tape.count == 0


@pytest.mark.parametrize("bound", [7, "7", -12, "0", 2**70])
def test_an_integer_and_its_digits_are_one_key(bound: Any) -> None:
    other: Any = str(bound) if isinstance(bound, int) else int(bound)
    tape = HoloTape(512)
    tape.bind(bound, "x")
    assert (tape.recall(other).value, other in tape) == ("x", True)
    with pytest.raises(ValueError, match="is bound to 'x'"):
        tape.bind(other, "y")
    tape.update(other, "y")
    assert tape[bound] == "y"
    tape.forget(other)
    assert tape.count == 0
    with pytest.raises(ValueError, match=r"\(and as"):
        tape.bind_many([bound, "k", other], ["x", "x", "y"])
    assert tape.bind_many([bound, "k", other], ["x", "x", "x"]) == 2


@pytest.mark.parametrize("resolver", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("keys", [(7, "7"), ("7", 7), (-12, "-12")])
def test_a_merge_knows_an_integer_by_its_digits(
    keys: tuple[Any, Any], sequence: bool, resolver: tuple[bool, bool]
) -> None:
    one, same, other = (
        HoloTape(512, 2, resolver=texts, sequence=sequence) for texts in (*resolver, resolver[1])
    )
    one.bind_many([keys[0], "k"], ["seven", "x"])
    same.bind_many([keys[1], "l"], ["seven", "y"])
    other.bind(keys[1], "sept")
    report = one.merge(same)
    assert (report.added, report.duplicates, one.count) == (1, 1, 3)
    with pytest.raises(ValueError, match=r"merge: key .* is \(?'seven'.* here and \(?'sept'"):
        one.merge(other)
    report = one.merge(other, "theirs")
    assert (report.added, len(report.conflicts), one.count) == (0, 1, 3)
    assert one[keys[0]] == one[keys[1]] == (("sept",) if sequence else "sept")
    assert one.audit().consistent
    one.forget(keys[1])
    assert (keys[0] in one, one.count) == (False, 2)


@pytest.mark.parametrize("keys", [(7, "7"), ("7", 7), (2**70, str(2**70))])
def test_a_history_is_of_all_spellings(keys: tuple[Any, Any]) -> None:
    tape = HoloTape(512, 2)
    tape.bind(keys[0], "old")
    tape.forget(keys[0])
    tape.bind(keys[1], "new")
    tape.bind("k", "x")
    for key in keys:
        assert [fact.value for fact in tape.history(key)] == ["old", "new"]


def test_digits_that_are_spelt_otherwise_are_another_key() -> None:
    tape = HoloTape(512)
    tape.bind(7, "x")
    assert [key in tape for key in ("7", "07", "+7", "7.0", "٧", b"7")] == [True] + 5 * [False]


def test_a_key_whose_text_is_not_kept_goes_by_its_hash_also_in_a_shell() -> None:
    tape = HoloTape(512)
    tape.bind(b"raw", "x")
    (key,) = tape.keys()
    assert type(key) is KeyHash
    assert (tape[key], tape[str(key)]) == ("x", "x")
    assert repr(key) == f"#{int(tape.hash([b'raw'])[0]):016x}"
    tape.forget(str(key))
    assert tape.count == 0


@pytest.mark.parametrize(
    ("one", "same"),
    [("x", np.str_("x")), ("x", Name("x")), (b"x", np.bytes_(b"x")), (5, np.int8(5))],
)
def test_equal_values_of_any_kind_are_one_value(one: Any, same: Any, tmp_path: Any) -> None:
    tape = HoloTape(512, 2)
    tape.bind("a", one)
    tape.bind("a", same)  # no change, no conflict
    tape.bind_many(["b", "c", "b"], [same, one, one])
    assert (tape.count, len(tape.vocabulary)) == (3, 1)
    tape.save(tmp_path / "t")
    for held in (tape, HoloTape.load(tmp_path / "t")):
        answers = [held.recall(key).value for key in "abc"]
        assert answers == [one] * 3
        assert {type(value) for value in answers} == {type(one)}


def test_a_value_keeps_its_exact_text() -> None:
    tape = HoloTape(2048)
    texts = ["  two  spaces\t", nfd("é"), "é", "\ufeffmark"]
    tape.bind_many(range(4), texts)
    assert [tape[i] for i in range(4)] == texts


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (["x", "y"], TypeError, r"key 'k': value \['x', 'y'\].*sequence=True"),
        (None, TypeError, "key 'k': value None: must be a str, bytes or int, not NoneType"),
        (1.5, TypeError, "key 'k': value 1.5"),
        ("", ValueError, "key 'k': value '': must not be empty"),
        ("half \udfff", ValueError, r"key 'k': value 'half \\udfff': holds half a character"),
    ],
)
def test_what_is_no_value_is_named_with_its_key(value: Any, error: Any, says: str) -> None:
    tape = HoloTape(64)
    with pytest.raises(error, match=says):
        tape.bind("k", value)
    with pytest.raises(error, match=says):
        tape.bind_many(["fine", "k"], ["v", value])
    with pytest.raises(ValueError, match="half a character"):
        tape.bind("k", "v", source="\ud800")
    assert (tape.count, len(tape.vocabulary)) == (0, 0)
    assert normal_value("x") == "x"


@given(st.lists(st.text("ab \t\n\v\x1c\x85é", min_size=1, max_size=5), max_size=4))
def test_many_keys_are_normalised_as_each_alone(keys: list[str]) -> None:
    if all(key.split() for key in keys):
        assert normal_keys(keys) == [normal_key(key) for key in keys]
    else:
        with pytest.raises(ValueError, match="must not be empty"):
            normal_keys(keys)


BEYOND = r": an integer of [\d,]+ bits: must have at most 4,300 digits"


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("huge", [10**5000, -(10**4300)], ids=["above", "below"])
def test_an_integer_that_cannot_be_written_out_is_refused_by_name(
    huge: int, sequence: bool
) -> None:
    tape = HoloTape(64, sequence=sequence)
    for act in (
        lambda: tape.bind(huge, "v"),
        lambda: tape.bind_many(["fine", huge], ["v", "v"]),
        lambda: tape.recall(huge),
        lambda: tape.forget(huge),
        lambda: huge in tape,
    ):
        with pytest.raises(ValueError, match=f"^key{BEYOND}"):
            act()
    for values in ([huge], [1, huge], ["v", huge]):
        with pytest.raises(ValueError, match=f"^key 'k': value{BEYOND}"):
            tape.bind_many(["j", "k"][-len(values) :], values)
    with pytest.raises(ValueError, match=f"^value{BEYOND}"):
        HoloTape(64, values=[1, huge])
    assert (tape.count, len(tape.vocabulary)) == (0, int(sequence))


def test_the_longest_integers_are_keys_and_values_like_any(tmp_path: Path) -> None:
    longest = 1 - 10**4300
    tape = HoloTape(512)
    tape.bind(str(longest), longest)
    tape.save(tmp_path / "t")
    for held in (tape, HoloTape.load(tmp_path / "t")):
        assert held[longest] == held[str(longest)] == longest
    assert "9" * 4301 not in tape


@pytest.mark.parametrize("value", [None, 1.5, ["x"]])
def test_what_is_no_value_of_a_fixed_vocabulary_is_named_without_a_key(value: Any) -> None:
    with pytest.raises(TypeError) as refusal:
        HoloTape(64, values=["x", value])
    assert str(refusal.value).startswith(f"value {value!r}: must be a str, bytes or int")


def test_a_sequence_that_is_too_long_is_named_with_its_key() -> None:
    tape = HoloTape(64, sequence=True)
    with pytest.raises(ValueError, match="key 'long': a value of 65,535 items: must be at most"):
        tape.bind_many(["short", "long"], [("x",), ("x",) * 65_535])
    assert tape.count == 0


def test_no_keys_are_no_keys_in_any_form() -> None:
    tape = HoloTape(64)
    for none in ([], (), {}, set(), np.array([]), np.array([], int), torch.tensor([]).long()):
        assert tape.recall_many(none) == []
        assert tape.bind_many(none, none) == 0


def test_an_integer_finds_its_digits_in_a_tape_that_was_read_from_a_file(tmp_path: Path) -> None:
    tape = HoloTape(256)
    tape.bind("7", "seven")
    tape.save(tmp_path / "tape")
    again = HoloTape.load(tmp_path / "tape")
    for keys in (np.array([7, 8]), [7, 8], torch.tensor([7, 8])):
        assert [found.value for found in again.recall_many(keys)] == ["seven", None]
    with pytest.raises(ValueError, match="is bound to 'seven'"):
        again.bind_many(np.array([7]), ["other"])
