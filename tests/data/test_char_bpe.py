"""A tokenizer over characters: every text comes back, and tokens are text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.data.bpe.characters import script_of, train_char_tokenizer
from prism.data.tokens import FileTokenizer
from prism.tokenizer import main

THAI = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน การประชุมทางวิชาการ ครั้งที่ 1"


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("texts")
    english, thai = folder / "english.txt", folder / "thai.txt"
    lines = [f"The {n} cats of house {n} sat down, and {n * 7} dogs stood up." for n in range(999)]
    english.write_text("\n<|endoftext|>\n".join(lines), "utf-8")
    thai.write_text("\n<|endoftext|>\n".join(f"{THAI} {n}" for n in range(400)), "utf-8")
    return [str(english), str(thai)]


@pytest.fixture(scope="module")
def tokenizer(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> FileTokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "chars.json"
    train_char_tokenizer(texts, 400, path)
    return FileTokenizer(path)


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("<0xAF>ก้à \n\0"))
def test_every_text_comes_back(tokenizer: FileTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert b"".join(tokenizer.piece(i) for i in ids) == text.encode()
    assert tokenizer.byte_lengths[ids].sum() == len(text.encode())


def test_tokens_are_whole_characters_or_single_bytes(tokenizer: FileTokenizer) -> None:
    pieces = [tokenizer.piece_text(i) for i in range(tokenizer.vocab_size)]
    assert pieces[0] == "<|end|>" and pieces[1:257] == [f"<0x{b:02X}>" for b in range(256)]
    assert tokenizer.end == 0 and tokenizer.vocab_size == 400
    assert any(len(piece) > 3 and script_of(piece) == "thai" for piece in pieces[257:])
    assert all(len(piece) == 1 for piece in pieces[257:] if any(c.isdigit() for c in piece))


@pytest.mark.parametrize(
    ("piece", "script"),
    [(" cat", "latin"), ("การ", "thai"), ("<0xE0>", "byte"), ("<|end|>", "special"), ("7", "digit"),
     (" ,", "sign"), ("\n ", "space"), ("aก", "mixed"), ("ё", "cyrillic")],
)  # fmt: skip
def test_a_token_has_the_script_of_its_letters(piece: str, script: str) -> None:
    assert script_of(piece) == script


def test_what_the_first_text_does_not_use_is_dead(
    texts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t.json"
    args = ["train", "--chars", "--vocab-size", "400", "--out", str(out), *texts]
    assert main([*args, "--share", "80", "20"]) == 0
    said = capsys.readouterr().out.splitlines()
    (used,) = (line for line in said if line.startswith("training bytes"))
    english, thai = (
        int(x.split()[0].replace(",", "")) for x in used.partition(": ")[2].split(", ")
    )
    assert english == pytest.approx(4 * thai, abs=4)
    (row,) = (line.split() for line in said if line.split()[0] == "thai")
    assert row[2] == "0" and int(row[3]) == int(row[1]) > 20
    (total,) = (line.split() for line in said if line.split()[0] == "all")
    assert int(total[1]) == 400 == int(total[2]) + int(total[3])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--share", "1", "--chars"], "--share 1: must be one number for each of the 2 files"),
        (["--share", "1", "0", "--chars"], "--share 0: must be > 0"),
        (["--share", "1", "nan", "--chars"], "--share nan: must be > 0"),
        (["--share", "1", "2"], "--share: needs --chars"),
        (["--vocab-size", "257", "--chars"], "--vocab-size 257: must be >= 258"),
        (["--vocab-size", "9000", "--chars"], "the text gives"),
        (["--vocab-size", "260", "--chars"], "must be at least that"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    args: list[str],
    message: str,
    texts: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "t.json"
    with pytest.raises(SystemExit) as stop:
        main(["train", "--out", str(out), *texts, *args])
    assert stop.value.code == 2 and not out.exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
