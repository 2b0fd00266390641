"""A saved tape comes back whole; a damaged or foreign file is refused and harms nothing."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from prism.holo import HoloTape, hash_keys, sign_codes
from prism.holo.file import layout

SHAPES: list[dict[str, Any]] = [
    {"dim": 64},
    {"dim": 64, "banks": 3, "dtype": "int8", "seed": 5},
    {"dim": 64, "banks": 2, "resolver": True, "alpha": 0.05},
    {"dim": 64, "banks": 2, "sequence": True, "dtype": "int32", "layers": 2, "decoder": "amp"},
    {"dim": 64, "banks": 2, "ledger": False},
    {"dim": 64, "banks": 2, "values": ["a", "b", "c", b"d", 5]},
    {"dim": 64, "banks": 2, "values": sign_codes(hash_keys(range(6)), 64)},
]


def bound(shape: dict[str, Any]) -> HoloTape:
    tape = HoloTape(**shape)
    given = isinstance(shape.get("values"), torch.Tensor)
    values: list[Any] = [1, 2, 3] if given else ["a", "b", "c"]
    if shape.get("values") is None and not given:
        values = ["a", b"bytes", 12]
    if shape.get("sequence"):
        values = [("a", 1), (), (b"x",)]
    tape.bind_many(["é key", b"k", 9], values, source=["crm:1", None, "crm:2"], time=12.5)
    if tape.ledger is not None:
        tape.update(9, values[0], time=13.0)
        tape.forget(b"k")
    return tape


@pytest.mark.parametrize("shape", SHAPES)
def test_everything_comes_back(shape: dict[str, Any], tmp_path: Path) -> None:
    tape, path = bound(shape), tmp_path / "t.safetensors"
    tape.save(path)
    again = HoloTape.load(path)
    assert again.config == tape.config
    assert torch.equal(again.accumulator.numbers, tape.accumulator.numbers)
    assert again.fingerprint == tape.fingerprint
    assert again.count == tape.count
    assert again.recall_many(["é key", 9, b"k"]) == tape.recall_many(["é key", 9, b"k"])
    if tape.ledger is not None:
        assert list(again.facts()) == list(tape.facts())
        assert again.history(9) == tape.history(9)
        again.update(9, tape.recall("é key").value)
        assert again.audit().consistent
    if tape.resolver is not None:
        assert again.resolver.texts() == tape.resolver.texts() != []


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_tape_is_the_same_bytes(shape: dict[str, Any], tmp_path: Path) -> None:
    for name in ("a", "b"):
        bound(shape).save(tmp_path / name)
    HoloTape.load(tmp_path / "a").save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    bound(SHAPES[2]).save(path)
    whole = path.read_bytes()
    for size in [0, 5, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(
            ValueError, match=r"t\.safetensors: truncated or not a safetensors"
        ) as e:
            HoloTape.load(path)
        assert "\n" not in str(e.value)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": np.zeros(2)}, path)
    with pytest.raises(ValueError, match="a safetensors file, but not a HoloTape"):
        HoloTape.load(path)
    path.write_text("key,value\n")
    with pytest.raises(ValueError, match="not a safetensors file"):
        HoloTape.load(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        HoloTape.load(tmp_path / "nothing")


def rewrite(path: Path, change: Any) -> None:
    """Write a file anew with a change, and with the checksum that fits it."""
    with safe_open(path, "np") as found:
        header = json.loads(found.metadata()["prism"])
        arrays = {name: found.get_tensor(name) for name in found.keys()}  # noqa: SIM118
    change(header, arrays)
    with path.open("wb") as file:
        layout.write(file, json.dumps(header), arrays)


def add(array: np.ndarray, number: int) -> None:
    array += np.array(number, array.dtype)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda h, t: h.update(format=99), "format 99: must be 1"),
        (lambda h, t: h["config"].update(seed=7), "fingerprint"),
        (lambda h, t: h["config"].update(dim=65), r"must be \[3, 65\]"),
        (lambda h, t: h["config"].update(dim=-1), "dim = -1"),
        (lambda h, t: h["config"].update(colour="red"), "colour"),
        (lambda h, t: h.pop("fingerprint"), "fingerprint"),
        (lambda h, t: t.pop("register"), "register"),
        (lambda h, t: t.pop("ledger.key"), "ledger.key"),
        (lambda h, t: t.update(register=t["register"][:1]), "accumulator of"),
        (lambda h, t: h["config"].update(dim=2**23, banks=2000), "accumulator of"),
        (lambda h, t: h["config"].update(banks=2**30), "accumulator of"),
        (lambda h, t: h["config"].update(banks=2**80), "banks = 1208925819614629174706176"),
        (
            lambda h, t: h.update(values={"open": False, "size": 2**40, "given": False}),
            "fingerprint",
        ),
        (lambda h, t: h.update(values=None), "damaged tape"),
        (lambda h, t: h.update(sources=None), "damaged tape"),
        (lambda h, t: h.update(config=[]), "damaged tape"),
        (lambda h, t: t.update(values=t["values"][:-1]), "damaged tape"),
        (lambda h, t: t.update({"values.hash": t["values.hash"][:-1]}), "values with 2 hashes"),
        (lambda h, t: t.update(register=t["register"].astype(np.float32)), "accumulator of"),
        (lambda h, t: t.update({"ledger.key": t["ledger.key"][:1]}), "different lengths"),
        (lambda h, t: t.update({"ledger.value": t["ledger.value"].astype(np.float32)}), "'value'"),
        (lambda h, t: add(t["ledger.value"], 50), "value"),
        (lambda h, t: add(t["ledger.source"], 50), "source"),
    ],
)
def test_a_file_that_disagrees_with_itself_is_refused(
    change: Any, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.safetensors"
    bound(SHAPES[1]).save(path)
    rewrite(path, change)
    with pytest.raises(ValueError, match=says) as caught:
        HoloTape.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.safetensors"
    tape = bound(SHAPES[1])
    tape.save(path)
    before = path.read_bytes()
    tape.bind("more", "facts")

    def full(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        tape.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_unlike_tapes_do_not_merge_and_stay_as_they_were() -> None:
    a = HoloTape(64, 2)
    a.bind("k", "v")
    before = a.accumulator.numbers.clone()
    others: list[dict[str, Any]] = [
        {"seed": 1},
        {"values": ["v", "w"]},
        {"sequence": True},
        {"ledger": False},
    ]
    for shape in others:
        other = HoloTape(**({"dim": 64, "banks": 2} | shape))
        with pytest.raises(ValueError, match="merge"):
            a.merge(other)
    conflicting = HoloTape(64, 2)
    conflicting.bind_many(["new", "k"], ["x", "other"])
    with pytest.raises(ValueError, match="'v' here and 'other' there; choose on_conflict"):
        a.merge(conflicting)
    with pytest.raises(ValueError, match="on_conflict = 'mine': must be one of"):
        a.merge(conflicting, "mine")
    assert torch.equal(a.accumulator.numbers, before)
    assert (a.count, len(a.vocabulary)) == (1, 1)


def test_a_merge_keeps_sources_and_times() -> None:
    a, b = HoloTape(64, 2, resolver=True), HoloTape(64, 2, resolver=True)
    b.bind_many(["x", "y"], ["1", "2"], source=["s", "t"], time=4.0)
    b.bind("z", "3", source="u", time=5.0)
    a.merge(b)
    assert list(a.facts()) == list(b.facts())
    assert np.array_equal(a.ledger.column("time"), [4, 4, 5])


def test_a_saved_file_has_the_permissions_of_any_new_file_and_keeps_those_it_replaces(
    tmp_path: Path,
) -> None:
    plain, path = tmp_path / "plain", tmp_path / "tape.safetensors"
    plain.write_bytes(b"")
    tape = HoloTape(64, seed=1)
    tape.save(path)
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    tape.save(path)
    assert path.stat().st_mode & 0o777 == 0o640


# 1,217 bytes that format 1 wrote when the accumulator was still called register.
OLD_FILE = (
    "c-oaz%Z}496rBPqcI<#vF)K!9lt(ADUCj!KB|@-iqRMUD#;R+F*y&7FWyz91;Xn9?S+U_aDEHbalS<W~u@w2<bMH"
    "AmekjkMoVl?h)9IR9mNUzyQ!?I>vJz%Z#$=b0l~8#~#{JZTZwoE8WhGAu1#F?KHM3X`F`a9*5KByfnTxe6Bv_d-w"
    "KAASnB{hh3aBcS9eORpxmzj5M6xZf%s*knzt&vM9cRI$;jV}0OI{&ltJ)zIH(G9vv7FC!?ji6iq{SEuOqK;hIJgM"
    "H#_dKZ5QKdy>)R)29vp)Qbd>^<`aue23h>)zw6AI@>A@Q`he?Ko%&)a!vgW2e7+rFO;RHg}9;Ch27(jKlwZ1bYah"
    "#GS^UiMk;rL}zvJ@LH;#PF-jjpS?r%n!S%t~hb3W{Gt<kV^<g|S{RXh=ibqr6!0EndI79=QGw$$(H|3WnKakWu2E"
    "h+ZrVw+5hq#!+@hw_?q^{P+Lk#}Q2i9Ra_EBMWhKzeF;i!=Nism+)|S&hzPP`yi!ZKu1YO$=%t56h;XR!|s8U+6X"
    "JOI#LOf`&B@KhLPJ-#g}+d)e(Q#p+jeKLLmxhc<GE-euK~*{d1Q-I>Eg}%`j`4{`t%F-P7CezkWRX^6jTBMz61LU"
    ";KXc@zY`Ue~&j;r|0vlo)69*weudvANU@(F=D;8e&{{)?R)zk44m6w?*jPt6T<rVQnSAi9(O7"
)


def test_a_file_of_format_1_loads_and_is_written_as_format_2(tmp_path: Path) -> None:
    path, again = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    path.write_bytes(zlib.decompress(base64.b85decode(OLD_FILE)))
    HoloTape.load(path).save(again)
    for tape in (HoloTape.load(path), HoloTape.load(again)):
        assert [tuple(fact) for fact in tape.facts()] == [
            ("a key", "one", "atlas", 12.5),
            (int(tape.hash([7])[0]), "two", None, 13.0),
        ]
        assert [fact.value for fact in tape.history(7)] == [b"3", "two"]
        assert (tape.recall("a key").value, tape.recall(b"raw").value) == ("one", None)
        assert tape.audit().consistent


# 1,653 bytes that format 1 wrote when keys were bound as they were spelt.
OLD_SPELLINGS = (
    "c-obe&ui2`6vxxJR!=G@q9PLJB$}3NcDs!|*n%jCf>iX<&9Y24likp4l4d4t*RtZFC`JDP(Ss+E{sG?gs^UK&2>!r}_~"
    "R;T>U){A-K9v|f!Xi8H}8Gs&1810f|9jmQm?m}pbizZUMCaFB#J%WCKF`YCUaik*knSprE{be`k|l^vxyEqH;mg<;CvC"
    "yMi{tW6HUl;yf%(1Wt^F%!5l}^M9UE!Bp}rbge6&=v23Lh8b0l?m~VnPn@?EK$Z}ljbC$(0r^#Y;i8#qTG2@}XFz9nwB"
    "Xpz->h*kqW1OIV)S~D%MvY=O+l?0h5cU}e8D7QWp<<{3tFpmk%SKw1x1iqK(zPJ*eSM=g2(FZCI8l>pEl@vUJU^H)VgU"
    "}THYv(!Q%XrnS<0A{ij;9F`B_~6vaEPX9-3U<CQWZa!m~=UUGXr98*=gLMp)=OIUxyrj|&Mgx}>Y;$2vO4I(QYbPX$-u"
    "YNbqc!dn!rYSF0aB)c!6>vASI_zc}LYFqijYqNg9l^p?=p%*Lt2wC|+6(w^A2oQAB7@#B(TqWi(r#{=+8w^0YS?-5rA9"
    "9b7GC&57CJMPHyf7Hx6e~M%;CxDQXEAHyM~eplR$soU!~NSvfNZ^NT1XIV30+(1xBJtJrSa|Akg1PV#%kTJCfmie`NKz"
    "BZ~wMtznowEe%%;(F)5CJI(KLK_3GH&^>1s|vxjQ1YM!0GJo)a&ncpWrJbLo;(CUL%_dY-FCHJ3?Tzj*!@_y*n%a7~Tr"
    "^7eD&dAs3*Q8WsO3J}pkK}qR*Auy(%Jp=vTCQYjNZDOm-(|yCWUA2jLC5EFf8K|oAHZt=w}_giY6`zSMJ*_4nu4c?wyG"
    "8iV5$lj5CbEOgdjCr2m-Pd)t;oNX#vs|Bowj~MIFXmL=}`jzyvfT_vECKY1&JxBno4pX`!plu)v`{JR{^1b(x(QC8Ma_"
    "h!gZ^JfaQeXgC&&p)D3^hv$Z-Z5W)knJwgBAxi>V+cZPR(d@*r3`4^=1U$YMFgtMJeJ8blki_)I"
)


def test_keys_of_older_tapes_are_answered_in_their_own_and_in_the_one_spelling(
    tmp_path: Path,
) -> None:
    path, again = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    path.write_bytes(zlib.decompress(base64.b85decode(OLD_SPELLINGS)))
    HoloTape.load(path).save(again)
    for tape in (HoloTape.load(path), HoloTape.load(again)):
        asked = {
            "port  of Zendal": "1",
            "port of Zendal": "1",
            "Caf\u00e9 Oru": "2",
            "Cafe\u0301  Oru": "2",
            " spaced ": "3",
            "spaced": "3",
            "two\tways": "4",
            "two  ways": "5",
            "two ways": None,  # of two old keys with two values neither is taken in silence
            "same value": "6",
            "12": "8",
            "line feed": "9",
        }
        answers = tape.recall_many(asked, resolve=False)
        assert [a.value for a in answers] == list(asked.values())
        assert "odd \ud800 key" in [fact.key for fact in tape.facts()]
        with pytest.raises(ValueError, match="is bound to '1'"):
            tape.bind("port of  Zendal", "0")
        tape.forget("port of Zendal")
        tape.forget(f"#{int(hash_keys(['odd ' + chr(0xD800) + ' key'], 3)[0]):016x}")
        assert tape.count == 8
        assert tape.recall("port  of Zendal", resolve=False).value is None
        tape.bind("port of Zendal", "0")
        assert tape.recall("port  of Zendal").value == "0"
        assert tape.audit().consistent


@pytest.mark.parametrize(
    "damage",
    [
        lambda head: head["a"].update(data_offsets=[0, 8]),
        lambda head: head["a"].update(shape=[2]),
        lambda head: head["a"].update(shape=[-1, -3]),
        lambda head: head["a"].update(dtype="F99"),
        lambda head: head["a"].update(data_offsets=[0]),
        lambda head: head["b"].update(data_offsets=[6, 10**15]),
        lambda head: head.pop("b"),
        lambda head: head.update(a=[]),
    ],
)
def test_a_header_that_does_not_fit_its_file_is_refused(damage: Any, tmp_path: Path) -> None:
    path, head = (
        tmp_path / "t.safetensors",
        {
            "a": {"dtype": "I16", "shape": [3], "data_offsets": [0, 6]},
            "b": {"dtype": "I8", "shape": [2, 1], "data_offsets": [6, 8]},
        },
    )

    def written() -> None:
        raw = json.dumps(head).encode()
        path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(range(8)))

    written()
    with path.open("rb") as file:
        entries = layout.entries_of(file)[1]
        ours = {name: layout.read(file, entry) for name, entry in entries.items()}
    theirs = load_file(path)
    assert {name: a.tolist() for name, a in ours.items()} == {
        name: a.tolist() for name, a in theirs.items()
    }
    damage(head)
    written()
    with path.open("rb") as file, pytest.raises(layout.NotSafetensors):
        layout.entries_of(file)
