"""Nested tokenizers: cut, and pieces of the larger in the smaller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prism import tokenizer
from prism.data.bpe.nested import base_size, cut, pieces
from prism.data.tokens import FileTokenizer

SAMPLES = (
    "the rain in Spain",
    "x = 12 + 345\n\treturn",
    "ประเทศไทย",
    "naïve café 🙂",
    "   spaces ",
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("t") / "large.json"
    assert tokenizer.main(["train", "pydoc", "--vocab-size", "700", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("size", [257, 300, 513, 700])
def test_tokens_of_the_larger_are_fixed_sequences_of_the_smaller(
    large: Path, tmp_path: Path, size: int
) -> None:
    out = tmp_path / "small.json"
    argv = ["cut", "--teacher", str(large), "--vocab-size", str(size), "--out", str(out)]
    assert tokenizer.main(argv) == 0
    one, other = FileTokenizer(large), FileTokenizer(out)
    found = pieces(one.description(), other.description(), "small")
    assert other.vocab_size == size
    for text in SAMPLES:
        ids = one.encode(text)
        assert [x for i in ids for x in found[i]] == other.encode(text)
        assert other.decode(other.encode(text)) == text


def test_a_size_below_the_bytes_or_above_the_whole_is_refused(
    large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for size in ("200", "701"):
        out = tmp_path / "small.json"
        with pytest.raises(SystemExit) as ended:
            tokenizer.main(
                ["cut", "--teacher", str(large), "--vocab-size", size, "--out", str(out)]
            )
        assert ended.value.code == 2
        assert f"--vocab-size {size}: must be in 257 .. 700" in capsys.readouterr().err
        assert not out.exists()


def test_a_tokenizer_whose_ids_are_not_in_the_order_of_its_merges_is_refused(large: Path) -> None:
    values = json.loads(large.read_text("utf-8"))
    values["model"]["merges"][3:5] = reversed(values["model"]["merges"][3:5])
    with pytest.raises(ValueError, match="merge 3 makes id 261: must be 260"):
        base_size(values, "shuffled")
    values["model"]["type"] = "Unigram"
    with pytest.raises(ValueError, match="model 'Unigram': must be BPE"):
        cut(values, 300, "other")
