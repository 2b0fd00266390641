"""Validation: fixed, apart from training, the same on any number of processes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.data import RowBatch, RowStreams, held_out_batches, parse_mix
from prism.data.document import held_out
from prism.data.mix import Mix
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


@given(ranks=st.sampled_from([1, 2, 3, 6]), seq_len=st.integers(1, 50))
def test_processes_share_the_rows_of_one_set(ranks: int, seq_len: int) -> None:
    whole = held_out_batches(mixture(), BYTES, seq_len, rows=6, tokens=700)
    for rank in range(ranks):
        mine = range(rank, 6, ranks)
        part = held_out_batches(mixture(), BYTES, seq_len, rows=6, mine=mine, tokens=700)
        assert len(part) == len(whole)
        for ours, all_rows in zip(part, whole, strict=True):
            for name in ("tokens", "targets", "segment_ids", "bytes"):
                assert torch.equal(getattr(ours, name), getattr(all_rows, name)[list(mine)])


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
    texts = documents_in(rows(batches, "tokens")[0])
    sizes = {s: sum(len(t) + 1 for t in texts if t.startswith(f"<{s}")) for s in "ab"}
    assert sizes["a"] == pytest.approx(500, abs=21)
    assert sizes["b"] == pytest.approx(1500, abs=71)


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


def test_a_single_document_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a line\n")
    with pytest.raises(ValueError, match=r"is a single document; must have two.*<\|endoftext\|>"):
        held_out_batches(parse_mix(f"file:{tmp_path / 'a.txt'}"), BYTES, 8, rows=1)


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
