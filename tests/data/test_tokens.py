"""Tokenizers: what is encoded comes back, and every id stands for known bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism import tokenizer as command
from prism.data.bpe.train import train_tokenizer
from prism.data.tokens import ByteTokenizer, FileTokenizer, Tokenizer, open_tokenizer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> FileTokenizer:
    pytest.importorskip("tokenizers")
    out = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    assert command.main(["train", "--vocab-size", "600", "pydoc", "--out", str(out)]) == 0
    return FileTokenizer(out)


def check_round_trip(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert int(tokenizer.byte_lengths[ids].sum()) == len(text.encode())
    assert all(0 <= i < tokenizer.vocab_size and i != tokenizer.end for i in ids)


@given(text=st.text())
def test_bytes_come_back_and_are_counted(text: str) -> None:
    check_round_trip(ByteTokenizer(), text)


@given(text=st.text())
def test_trained_ids_come_back_and_are_counted(trained: FileTokenizer, text: str) -> None:
    check_round_trip(trained, text)


@given(parts=st.lists(st.sampled_from(["<|end|>", "<|endoftext|>", "a", " ", "é", "\n", "<|"])))
def test_the_name_of_a_special_id_in_a_text_is_text(
    trained: FileTokenizer, parts: list[str]
) -> None:
    for tokenizer in (ByteTokenizer(), trained):
        check_round_trip(tokenizer, "".join(parts))


def test_half_a_surrogate_pair_is_a_question_mark(trained: FileTokenizer) -> None:
    for tokenizer in (ByteTokenizer(), trained):
        assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a?b"


def test_a_tokenizer_can_be_trained_on_text_with_half_a_surrogate_pair(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(f'{{"text": "odd \\ud800 text {i}"}}' for i in range(400)))
    train_tokenizer([str(rows)], 260, tmp_path / "out.json")
    assert FileTokenizer(tmp_path / "out.json").vocab_size == 260


def test_the_end_stands_for_nothing(trained: FileTokenizer) -> None:
    for tokenizer in (ByteTokenizer(), trained):
        assert tokenizer.byte_lengths[tokenizer.end] == 0
        assert tokenizer.decode([tokenizer.end]) == ""
        assert tokenizer.byte_lengths.shape == (tokenizer.vocab_size,)


def test_a_trained_tokenizer_needs_fewer_tokens_and_keeps_digits_apart(
    trained: FileTokenizer,
) -> None:
    text = "the value of the object is returned"
    assert trained.vocab_size == 600
    assert len(trained.encode(text)) < 0.6 * len(text)
    assert len(trained.encode("1234")) == 4


def test_training_twice_gives_the_same_file(trained: FileTokenizer, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    train_tokenizer(["pydoc"], 600, again)
    assert FileTokenizer(again).fingerprint() == trained.fingerprint()
    assert FileTokenizer(again).fingerprint() != ByteTokenizer().fingerprint()


def test_names_open_tokenizers(trained: FileTokenizer) -> None:
    assert isinstance(open_tokenizer("bytes"), ByteTokenizer)
    for name in (trained.path, trained.path.parent):
        assert open_tokenizer(str(name)).fingerprint() == trained.fingerprint()


def test_files_that_are_no_tokenizer_are_refused(trained: FileTokenizer, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    endless = tmp_path / "endless.json"
    endless.write_text(trained.path.read_text().replace("<|end|>", "<|nothing|>"))
    for path, says in (
        (tmp_path / "none.json", "no such file; must be a tokenizer.json"),
        (broken, "not a tokenizer.json"),
        (endless, "has no end token; must have one"),
    ):
        with pytest.raises(ValueError, match=says):
            FileTokenizer(path)


def test_without_the_library_the_install_command_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"pip install 'prism-lm\[tokenizers\]'"):
        FileTokenizer(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--vocab-size", "256", "pydoc"], "--vocab-size 256: must be >= 257"),
        (["train", "none.txt"], "none.txt: no such file or folder"),
        (["train", "--vocab-size", "400", "short.txt"], "the text gives 260 ids only"),
        (["train"], "the following arguments are required: FILE"),
        ([], "the following arguments are required: COMMAND"),
        (["train", "--vocab-size", "300", "pydoc", "--out", "short.txt/x.json"], "--out short.txt"),
    ],
)
def test_a_bad_command_ends_in_one_line_and_code_2(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("tokenizers")
    monkeypatch.chdir(tmp_path)
    Path("short.txt").write_text("text")
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("prism.tokenizer") and captured.err.count("\n") == 1
    assert says in captured.err


def test_the_command_says_what_it_made(
    trained: FileTokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t.json"
    command.main(["train", "--vocab-size", "300", "pydoc", "--out", str(out)])
    assert f"{out}: 300 ids" in capsys.readouterr().out
