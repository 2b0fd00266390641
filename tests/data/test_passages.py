"""Text and JSON lines: every byte belongs to exactly one document, wherever a file is opened."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prism.data import order, passages
from prism.data.files import Files
from prism.data.order import Place, Walk
from prism.data.passages import PIECES
from tests.data.fakes import read_epoch

TEXT = st.text(st.sampled_from("ab é漢.\n"), max_size=400)
REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def small_divisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "PASSAGE", 32)
    monkeypatch.setattr(passages, "PASSAGES", 3)
    monkeypatch.setattr(passages, "LINES", 64)


def stored(path: Path) -> list[str]:
    """All documents of a file, segment after segment."""
    source = Files("file", [path])
    found = []
    for segment in range(source.segments()):
        window = source.window(segment, 0)
        found += [window.read(i).text for i in range(window.count)]
    return found


@REUSED
@given(text=TEXT)
def test_no_character_of_a_text_is_lost_or_doubled(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    assert "".join(stored(path)).replace("\n", "") == text.replace("\n", "")


@REUSED
@given(stories=st.lists(st.text(st.sampled_from("ab.\n"), max_size=90), min_size=2, max_size=20))
def test_separated_documents_stay_whole(tmp_path: Path, stories: list[str]) -> None:
    stories = [f"start {story} end" for story in stories]
    path = tmp_path / "a.txt"
    path.write_text("\n<|endoftext|>\n".join(stories))
    assert stored(path) == stories


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("x" * 40 + "\nmore\n\nnext\nline", "x" * 40 + "\nmore"),
        ("x" * 40 + "\nnext line", "x" * 40),
        ("x" * 40 + " word", "x" * 40 + " "),
        ("x" * 40, "x" * 32),
        ("é" * 15 + "xéé", "é" * 15 + "xé"),
    ],
)
def test_a_passage_begins_at_the_best_border(tmp_path: Path, text: str, first: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert stored(path) == [first, text.removeprefix(first).strip("\n")]


def test_a_short_file_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("one\n\ntwo\n\nthree\n")
    assert stored(path) == ["one\n\ntwo\n\nthree"]


@REUSED
@given(lengths=st.lists(st.integers(0, 150), min_size=1, max_size=30))
def test_every_json_line_is_read_once(tmp_path: Path, lengths: list[int]) -> None:
    rows = [f"{i}:" + "x" * n for i, n in enumerate(lengths)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": row}) for row in rows))
    assert stored(path) == rows


def test_packed_files_hold_what_the_plain_ones_hold(tmp_path: Path) -> None:
    for name, raw in (("a.txt", b"word \n" * 50), ("a.jsonl", b'{"text": "x"}\n' * 30)):
        plain, packed = tmp_path / name, tmp_path / f"{name}.gz"
        plain.write_bytes(raw)
        packed.write_bytes(gzip.compress(raw))
        assert stored(packed) == stored(plain)


def test_a_packed_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "LARGEST_GZ", 10)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"0123456789X"))
    with pytest.raises(ValueError, match=r"a\.txt\.gz: 11 bytes unpacked: unpack it first"):
        Files("file", [path])


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (gzip.compress(b"one") + gzip.compress(b"two!"), "holds several packed files: unpack it"),
        (gzip.compress(b"one")[:-9], "cannot be unpacked"),
        (gzip.compress(bytes(range(256)) * 40)[:-9] + b"\xff" * 4, "cannot be unpacked"),
        (gzip.compress(b"one")[:12], r"cannot be unpacked \(it is cut short\)"),
        (b"plain text that was only renamed", "not packed by gzip, though its name ends in .gz"),
        (b"", "not packed by gzip"),
    ],
    ids=["several", "cut", "cut, with a size beyond all memory", "shorter", "plain", "empty"],
)
def test_a_packed_file_that_is_broken_is_refused(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=rf"a\.jsonl\.gz: .*({says})"):
        Files("file", [path]).window(0, 0)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{oops", "Expecting property name"),
        (b"[1]", "must be a JSON object"),
        (b'{"body": "x"}', r"no field 'text' for 'text'; there are \['body'\]"),
        (b'{"text": ["x"]}', "must be text"),
        (b'{"text": "\xff"}', "can't decode byte 0xff"),
    ],
)
def test_a_bad_line_is_named_with_its_place(tmp_path: Path, line: bytes, why: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n' + line)
    walk = Walk(Files("mine", [path]), None)
    assert walk.read(Place()).text == "good"
    with pytest.raises(ValueError, match=rf"source mine: .*a\.jsonl at byte 17: .*{why}"):
        walk.read(Place(index=1))


def test_bytes_that_are_no_text_are_named_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\n\xff")
    with pytest.raises(ValueError, match=r"source mine: .*a\.txt at byte 0: not UTF-8"):
        Walk(Files("mine", [path]), None).read(Place())


def test_a_file_that_vanished_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    path = tmp_path / "a.txt"
    path.write_text("text")
    source = Files("mine", [path])
    path.unlink()
    with pytest.raises(ValueError, match=re.escape(f"source mine: {path}: No such file")):
        Walk(source, None).read(Place())


def test_an_error_of_the_system_that_passes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    source = Files("mine", [path])
    path.rename(tmp_path / "away")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            (tmp_path / "away").rename(path)

    monkeypatch.setattr("time.sleep", wait)
    assert Walk(source, None).read(Place()).text == "text"
    assert waits == list(order.PAUSES[:2])


def test_a_file_that_became_shorter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text " * 10)
    source = Files("mine", [path])
    path.write_text("text")
    with pytest.raises(ValueError, match=r"a\.txt: had 50 bytes when it was opened, has 4"):
        Walk(source, None).read(Place())


def test_a_short_text_that_is_alone_is_cut_so_that_it_can_be_validated_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    text = "\n\n".join(f"Paragraph {i} is short." for i in range(120))
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "b.txt").write_text(text)
    alone = read_epoch(Files("alone", [tmp_path / "a.txt"]), None)
    assert len(alone) == PIECES
    assert "\n\n".join(alone) == text
    assert read_epoch(Files("two", [tmp_path / "a.txt", tmp_path / "b.txt"]), None) == [text, text]


def test_the_end_of_a_large_file_opens_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sparse file of 32 GiB: reading it whole would not end."""
    monkeypatch.undo()
    path = tmp_path / "large.jsonl"
    end = 2**35
    with path.open("wb") as file:
        file.seek(end)
        file.write(b'\n{"text": "found"}\n')
    try:
        source = Files("large", [path])
        window = source.window(end // passages.LINES, 0)
        assert window.read(0).text == "found"
    finally:
        path.unlink()
