"""Validation: fixed, apart from training, the same on any number of processes."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.data import RowBatch, RowStreams, held_out_batches, parse_mix
from prism.data.document import held_out, number_of
from prism.data.mix import Mix, mix_from
from prism.data.order import stored
from prism.data.tokens import ByteTokenizer
from tests.data.fakes import documents_in, mix_of, numbered

BYTES = ByteTokenizer()


def mixture() -> Mix:
    return mix_of(numbered(300, "a", 20), numbered(300, "b", 70), weights=(1, 3), held_out=0.25)


def rows(batches: list[RowBatch], name: str) -> torch.Tensor:
    """``[rows, tokens]``."""
    return torch.cat([getattr(batch, name) for batch in batches], dim=1)


@pytest.mark.parametrize("data", ["pydoc", "shelves"])
def test_no_held_out_document_is_trained_on(data: str) -> None:
    mix = parse_mix("pydoc") if data == "pydoc" else mixture()
    held = rows(held_out_batches(mix, BYTES, 64, rows=3), "tokens")
    streams = RowStreams(
        mix, BYTES, streams=4, mine=range(4), seq_len=100_000 if data == "pydoc" else 15_000, seed=5
    )
    trained = {text for row in streams.next().tokens for text in documents_in(row)}
    validated = {text for row in held for text in documents_in(row) if text}
    assert len(validated) > 5
    assert len(trained) > 200
    assert not trained & validated


@given(
    ranks=st.sampled_from([1, 2, 3, 6]), seq_len=st.integers(1, 400), tokens=st.integers(1, 1500)
)
def test_processes_share_the_rows_of_one_set(ranks: int, seq_len: int, tokens: int) -> None:
    """Every process has equally many rows in equally many batches; together they are the set of a
    single process, and rows of padding."""
    whole = held_out_batches(mixture(), BYTES, seq_len, rows=6, tokens=tokens)
    found: dict[int, list[torch.Tensor]] = {}
    shapes = set()
    for rank in range(ranks):
        mine = range(rank, 6, ranks)
        part = held_out_batches(mixture(), BYTES, seq_len, rows=6, mine=mine, tokens=tokens)
        shapes.add(tuple(batch.tokens.shape for batch in part))
        for at, row in enumerate(list(mine)[: len(part[0].tokens)]):
            found[row] = [rows(part, x)[at] for x in ("tokens", "targets", "segment_ids")]
    assert len(shapes) == 1
    expected = [rows(whole, name) for name in ("tokens", "targets", "segment_ids")]
    for row, values in found.items():
        if row < len(whole[0].tokens):
            assert all(torch.equal(a, b[row]) for a, b in zip(values, expected, strict=True))
        else:
            assert (values[2] < 0).all()
    assert len(found) >= len(whole[0].tokens)


@given(
    tokens=st.integers(2, 3000),
    rows_of=st.integers(1, 7),
    seq_len=st.integers(1, 500),
    longest=st.integers(1, 3000),
)
def test_the_budget_is_kept_to_the_token(
    tokens: int, rows_of: int, seq_len: int, longest: int
) -> None:
    """However long a document is: as many real tokens as asked for, every source with its share
    (or all that it holds out), and next to no padding."""
    a, b = numbered(60, "a", longest), numbered(60, "b")

    def real_tokens(mix: Mix, tokens: int, length: int = 4096, row_count: int = 1) -> int:
        batches = held_out_batches(mix, BYTES, length, rows=row_count, tokens=tokens)
        return sum(int((batch.segment_ids >= 0).sum()) for batch in batches)

    mix = mix_of(a, b, weights=(2, 1), held_out=0.5)
    batches = held_out_batches(mix, BYTES, seq_len, rows=rows_of, tokens=tokens)
    real = real_tokens(mix, tokens, seq_len, rows_of)
    share = round(tokens * 2 / 3)
    most_a, most_b = (real_tokens(mix_of(x, held_out=0.5), 10**7) for x in (a, b))
    assert real == min(share, most_a) + min(tokens - share, most_b)
    assert sum(batch.tokens.numel() for batch in batches) < real + rows_of


def test_a_document_that_is_folded_into_two_rows_is_read_as_two() -> None:
    """Its targets are all there, once; its second part begins without what came before."""
    mix = mix_of(numbered(200, "a", 500), held_out=0.25)
    one = held_out_batches(mix, BYTES, 64, rows=1, tokens=900)
    two = held_out_batches(mix, BYTES, 64, rows=2, tokens=900)
    for name in ("tokens", "targets"):
        assert torch.equal(rows(one, name)[0], rows(two, name).flatten())
    first, second = rows(two, "segment_ids")
    assert first[-1] == second[0] == 0
    assert [batch.tokens.shape for batch in two] == [(2, 64)] * 7 + [(2, 2)]


def test_padding_has_no_target_and_a_negative_document() -> None:
    batches = held_out_batches(mixture(), BYTES, 32, rows=3, tokens=1000)
    targets, segments = rows(batches, "targets"), rows(batches, "segment_ids")
    padding = segments < 0
    assert padding.any()
    assert (targets[padding] == -100).all()
    assert (padding[:, 1:] | ~padding[:, :-1]).all()  # only at the end


def test_bytes_count_every_target_once() -> None:
    batches = held_out_batches(mixture(), BYTES, 32, rows=3, tokens=1000)
    targets = rows(batches, "targets")
    assert sum(int(batch.bytes.sum()) for batch in batches) == int((targets >= 0).sum()) - int(
        (targets == 256).sum()
    )


def test_sources_have_their_shares_of_the_tokens() -> None:
    batches = held_out_batches(mixture(), BYTES, 32, rows=1, tokens=2000)
    (tokens,) = rows(batches, "tokens")
    texts = documents_in(tokens[:500])
    assert len(tokens) == 2000
    assert all(text.startswith("<a") for text in texts)
    assert all(text.startswith("<b") for text in documents_in(tokens[500:]))


def test_a_source_that_holds_nothing_out_says_so() -> None:
    with pytest.raises(ValueError, match=r"source shelf: none of its 10 documents is held out"):
        held_out_batches(mix_of(numbered(10)), BYTES, 8, rows=1)


@given(seed=st.integers(0, 10_000), kib=st.sampled_from([3, 20, 50, 100, 300]))
def test_of_every_ordinary_text_something_is_held_out_and_something_is_not(
    seed: int, kib: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    draw = random.Random(seed)
    words = ["the", "value", "of", "an", "object", "is", "returned.\n\n", "by", "\n"]
    path = tmp_path_factory.mktemp("text") / "book.txt"
    path.write_text(" ".join(draw.choices(words, k=kib * 200))[: kib * 1024])
    mix = parse_mix(f"file:{path}")
    held = {d.text for d in stored(mix.sources[0].source) if held_out(d, mix.shares[str(path)])}
    every = {d.text for d in stored(mix.sources[0].source)}
    assert held and every - held
    assert len(held) == 1 or mix.shares[str(path)] == mix.held_out
    assert held_out_batches(mix, BYTES, 64, rows=1, tokens=64)
    streams = RowStreams(mix, BYTES, streams=1, mine=[0], seq_len=64, seed=0)
    assert not (streams.next().segment_ids < 0).any()


def test_of_few_large_documents_one_is_held_out(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    rows = (json.dumps({"text": f"{i} " + "a word " * 100_000}) for i in range(8))
    path.write_text("\n".join(rows))  # 5.6 MB, of which none is below 1 in 100
    mix = parse_mix(f"file:{path}")
    held = [d.text for d in stored(mix.sources[0].source) if held_out(d, mix.shares[str(path)])]
    assert len(held) == 1
    assert held_out_batches(mix, BYTES, 64, rows=1, tokens=64)[0].bytes > 0


def test_of_a_large_source_no_more_is_read_than_to_the_first_that_is_held_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps({"text": f"document {i}"}) + "\n" for i in range(5000)))
    mix = mix_from({"sources": [{"kind": "file", "path": str(path)}]})
    for small, documents in ((0, 1000), (2**30, 5001)):  # of a small one all, for its bad rows
        again = replace(mix)
        with (
            patch("prism.data.mix.SMALL", small),
            patch("prism.data.mix.number_of", wraps=number_of) as read,
        ):
            assert again.shares[str(path)] == mix.held_out
        assert read.call_count < documents
        assert small == 0 or read.call_count == 5000


def test_a_bad_row_behind_the_first_held_out_document_is_seen_before_training(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bad.jsonl"
    rows = [json.dumps({"text": f"document {i}"}) for i in range(1000)]
    path.write_text("\n".join([*rows, "nope"]))
    with pytest.raises(ValueError, match=r"bad\.jsonl at byte .*Expecting value"):
        _ = parse_mix(f"file:{path}").shares


def test_a_single_document_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a line\n")
    with pytest.raises(ValueError, match=r"is a single document; must have two.*<\|endoftext\|>"):
        held_out_batches(parse_mix(f"file:{tmp_path / 'a.txt'}"), BYTES, 8, rows=1)


def test_equal_documents_are_no_two(tmp_path: Path) -> None:
    """All of them would be held out, or none."""
    for text in ("a document", "another"):
        (tmp_path / "a.jsonl").write_text((json.dumps({"text": text}) + "\n") * 50)
        with pytest.raises(ValueError, match="50 times the same document; must have two that diff"):
            held_out_batches(parse_mix(f"file:{tmp_path / 'a.jsonl'}"), BYTES, 8, rows=1)


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"seq_len": 0}, "seq_len = 0: must be >= 1"),
        ({"rows": 0}, "rows = 0: must be >= 1"),
        ({"tokens": 0}, "tokens = 0: must be >= 1"),
    ],
)
def test_bad_numbers_are_refused(numbers: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        held_out_batches(mixture(), BYTES, **{"seq_len": 8, "rows": 1, **numbers})
