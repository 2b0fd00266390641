"""Row streams: the tokens of a stream depend on nothing but its number, the data and the seed."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prism.data.document import Document, RowBatch, held_out
from prism.data.mix import Mix, parse_mix
from prism.data.order import Window
from prism.data.row_streams import RowStreams
from prism.data.tokens import ByteTokenizer
from tests.data.fakes import Shelf, documents_in, mix_of, numbered

BYTES = ByteTokenizer()
STREAMS = 8
OLD_STATE = {  # written before row streams and quotas had these names
    "lane0001": {
        "data": "77b677190202c9e6",
        "document": 42,
        "source": "a",
        "gone": 3,
        "places": {"a": [1, 5, 0, 2], "b": [0, 0, 0, -2]},
        "read": {"a": 252, "b": 0},
        "due": {"a": 546.2914533569696, "b": -294.29145335696955},
    }
}


def streams_of(
    mix: Mix, mine: range | list[int] = range(STREAMS), seq_len: int = 16, seed: int = 0
) -> RowStreams:
    return RowStreams(mix, BYTES, streams=STREAMS, mine=mine, seq_len=seq_len, seed=seed)


def two_sources() -> Mix:
    """The second is out of domain."""
    mix = mix_of(numbered(23, "a", 11), numbered(9, "b", 40), weights=(3, 1), held_out=0.1)
    own, other = mix.sources
    return dataclasses.replace(mix, sources=(own, dataclasses.replace(other, out_of_domain=True)))


def read(streams: RowStreams, batches: int) -> list[RowBatch]:
    return [streams.next() for _ in range(batches)]


def assert_rows_equal(ours: RowBatch, whole: RowBatch, mine: list[int]) -> None:
    for name in ("tokens", "targets", "segment_ids", "bytes", "out_of_domain"):
        assert torch.equal(getattr(ours, name), getattr(whole, name)[mine]), name
    assert ours.sources == [whole.sources[i] for i in mine]


def test_every_token_says_whether_its_source_is_out_of_domain() -> None:
    seen = set()
    for batch in read(streams_of(two_sources()), 8):
        for row, marks in zip(batch.tokens, batch.out_of_domain, strict=True):
            text = bytes(row.clamp(max=255).tolist()).decode("latin1")
            seen |= set(zip(text, marks.tolist(), strict=True))
    assert ("a", False) in seen and ("b", True) in seen
    assert ("a", True) not in seen and ("b", False) not in seen
    assert streams_of(mix_of(numbered(9))).next().out_of_domain is None


@given(
    before=st.integers(0, 12),
    ranks=st.sampled_from([1, 2, 4]),
    again=st.integers(0, 3),
    seed=st.integers(0, 2**63),
)
def test_any_save_point_and_any_ranks_give_the_same_tokens(
    before: int, ranks: int, again: int, seed: int
) -> None:
    whole = read(streams_of(two_sources(), seed=seed), before + again + 4)
    saved: dict[str, object] = {}
    for rank in range(2):
        part = streams_of(two_sources(), range(rank, STREAMS, 2), seed=seed)
        read(part, before)
        saved |= json.loads(json.dumps(part.state()))
    for rank in range(ranks):
        mine = list(range(rank, STREAMS, ranks))
        part = streams_of(two_sources(), mine, seed=seed)
        part.load(saved)
        for expected in whole[before : before + again]:
            assert_rows_equal(part.next(), expected, mine)
        resumed = streams_of(two_sources(), mine, seed=seed)
        resumed.load(part.state())
        for expected in whole[before + again :]:
            assert_rows_equal(resumed.next(), expected, mine)


@given(short=st.integers(1, 9), times=st.integers(2, 5))
def test_the_length_of_rows_changes_no_token(short: int, times: int) -> None:
    long = streams_of(two_sources(), seq_len=short * times).next()
    pieces = read(streams_of(two_sources(), seq_len=short), times)
    for name in ("tokens", "targets", "segment_ids"):
        joined = torch.cat([getattr(piece, name) for piece in pieces], dim=1)
        assert torch.equal(joined, getattr(long, name)), name


def stretches(streams: RowStreams, batches: int) -> Tensor:
    """``[streams, tokens]``."""
    return torch.cat([batch.tokens for batch in read(streams, batches)], dim=1)


@given(count=st.integers(STREAMS, 60), seed=st.integers(0, 2**63), length=st.integers(1, 30))
def test_an_epoch_is_read_once_and_no_document_is_split(count: int, seed: int, length: int) -> None:
    """Lane i reads documents i, i + L, ... so whole rounds of L documents give the order."""
    shelf = numbered(count, length=length)
    rows = stretches(streams_of(mix_of(shelf), seq_len=45 * count // STREAMS + 90, seed=seed), 1)
    by_stream = [documents_in(row) for row in rows]
    order = [by_stream[i % STREAMS][i // STREAMS] for i in range(count)]
    assert sorted(order) == sorted(text for segment in shelf.shelf for text in segment[0])


def test_seeds_give_other_orders() -> None:
    mix = mix_of(numbered(60))
    first, second = (stretches(streams_of(mix, seed=seed), 4) for seed in (0, 1))
    assert not torch.equal(first, second)


def test_targets_are_the_next_token_of_the_same_document() -> None:
    batch = streams_of(two_sources(), seq_len=200).next()
    for tokens, targets, segments in zip(
        batch.tokens, batch.targets, batch.segment_ids, strict=True
    ):
        same = segments[:-1] == segments[1:]
        assert torch.equal(targets[:-1], torch.where(same, tokens[1:], -100))
        assert torch.equal(tokens[:-1] == 256, ~same)
        steps = segments[1:] - segments[:-1]
        assert segments[0] == 0 and set(steps.tolist()) == {0, 1}


def test_every_token_has_its_document_and_its_offset_there() -> None:
    """Equal texts have one id, on whatever stream; a document that is resumed keeps it."""
    streams = streams_of(two_sources(), seq_len=8)
    known: dict[int, dict[int, int]] = {}
    for i in range(30):
        if i == 15:
            state = streams.state()
            streams = streams_of(two_sources(), seq_len=8)
            streams.load(state)
        batch = streams.next()
        for token, document, offset in zip(
            *(x.flatten().tolist() for x in (batch.tokens, batch.document, batch.offset)),
            strict=True,
        ):
            assert known.setdefault(document, {}).setdefault(offset, token) == token
    assert all(sorted(tokens) == list(range(len(tokens))) for tokens in known.values())
    assert 1 < len(known) <= 32


def test_document_numbers_go_on_from_batch_to_batch() -> None:
    batches = read(streams_of(two_sources(), seq_len=8), 30)
    for before, after in pairwise(batches):
        ended = (before.tokens[:, -1] == 256).long()
        assert torch.equal(after.segment_ids[:, 0], before.segment_ids[:, -1] + ended)


@pytest.mark.parametrize("lengths", [(10, 10), (5, 80), (80, 5)])
def test_weights_are_shares_of_tokens_in_every_stream(
    lengths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prism.data.row_streams.START", 64)  # as short as the documents here
    mix = mix_of(numbered(500, "a", lengths[0]), numbered(500, "b", lengths[1]), weights=(0.7, 0.3))
    rows = stretches(streams_of(mix, seq_len=4_000), 1)
    for row in rows:
        sizes: Counter[str] = Counter()
        for text in documents_in(row):
            sizes[text[1]] += len(text) + 1
        assert sizes["a"] / sizes.total() == pytest.approx(0.7, abs=0.1)
    every = rows.flatten()
    share = sum(len(t) + 1 for t in documents_in(every) if t.startswith("<a")) / len(every)
    assert share == pytest.approx(0.7, abs=0.04)


def test_the_first_documents_of_the_streams_are_mixed_by_weight() -> None:
    mix = mix_of(numbered(50, "a"), numbered(50, "b"), weights=(0.8, 0.2))
    batch = RowStreams(mix, BYTES, streams=400, mine=range(400), seq_len=1, seed=0).next()
    assert batch.sources.count("a") / 400 == pytest.approx(0.8, abs=0.05)


def test_held_out_documents_are_never_read() -> None:
    shelf = numbered(200)
    rows = stretches(streams_of(mix_of(shelf, held_out=0.3), seq_len=500), 2)
    seen = {text for row in rows for text in documents_in(row)}
    refused = {
        text
        for segment in shelf.shelf
        for text in segment[0]
        if held_out(Document(((text, True),), ""), 0.3)
    }
    assert 40 < len(refused) < 80
    assert seen and not seen & refused


class Quiz(Shelf):
    """Its documents are a prompt and an answer."""

    def window(self, segment: int, cursor: int) -> Window:
        parts = (("2+2=", False), ("4", True))
        return Window(1, lambda i: Document(parts, "quiz"))


def test_a_prompt_is_read_but_not_learned() -> None:
    streams = RowStreams(mix_of(Quiz([[["x"]]])), BYTES, streams=1, mine=[0], seq_len=6, seed=0)
    batch = streams.next()
    assert batch.tokens.tolist() == [[*b"2+2=4", 256]]
    assert batch.targets.tolist() == [[-100, -100, -100, *b"4", 256, -100]]
    assert batch.bytes.tolist() == [1]


def test_bytes_are_those_of_the_targets() -> None:
    mix = mix_of(Shelf([[["é"]]]))
    batch = RowStreams(mix, BYTES, streams=1, mine=[0], seq_len=3, seed=0).next()
    assert batch.targets.tolist() == [[0xA9, 256, -100]]
    assert batch.bytes.tolist() == [1]


def test_fewer_documents_than_streams_are_enough() -> None:
    rows = stretches(streams_of(mix_of(Shelf([[["one", "two"]]]))), 20)
    assert {text for row in rows for text in documents_in(row)} == {"one", "two"}


def test_empty_documents_are_passed_over() -> None:
    rows = stretches(streams_of(mix_of(Shelf([[["", "one", ""]], [[]]]))), 3)
    assert {text for row in rows for text in documents_in(row)} == {"one"}


def test_a_source_of_empty_documents_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prism.data.row_streams.MAX_SKIPS", 50)
    streams = streams_of(mix_of(numbered(5), Shelf([[["", ""]]], "blank")))
    with pytest.raises(ValueError, match=r"source blank: 50 documents in a row are empty or held"):
        read(streams, 200)


def test_a_state_of_other_data_is_refused() -> None:
    state = streams_of(two_sources()).state()
    for other in (
        streams_of(mix_of(numbered(3))),
        streams_of(two_sources(), seed=1),
        RowStreams(two_sources(), BYTES, streams=9, mine=[0], seq_len=4, seed=0),
    ):
        with pytest.raises(ValueError, match=r"stream0000 is of another mix, tokenizer, seed"):
            other.load(state)


def test_a_state_of_an_older_run_with_its_keys_goes_on() -> None:
    mix = mix_of(numbered(100, "a"), numbered(100, "b", 20), weights=(3.0, 1.0))
    streams = RowStreams(mix, BYTES, streams=3, mine=[1], seq_len=50, seed=7)
    streams.load(OLD_STATE)
    batch = streams.next()
    assert BYTES.decode(batch.tokens[0].tolist()) == "><a69><a68><a82><a81><a21><a16><a15><a63>"
    assert batch.segment_ids[0, [0, -1]].tolist() == [42, 50]


def test_a_state_without_an_own_stream_is_refused() -> None:
    state = streams_of(two_sources(), [0, 1]).state()
    with pytest.raises(
        ValueError, match=r"has no stream0002; there are \['stream0000', 'stream0001'\]"
    ):
        streams_of(two_sources(), [2]).load(state)


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"streams": 0}, "streams = 0: must be >= 1"),
        ({"seq_len": 0}, "seq_len = 0: must be >= 1"),
        ({"mine": [2]}, r"mine = \[2\]: must be distinct streams of 0..1"),
        ({"mine": [0, 0]}, r"mine = \[0, 0\]: must be distinct streams"),
    ],
)
def test_bad_numbers_are_refused(numbers: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RowStreams(
            two_sources(), BYTES, **{"streams": 2, "mine": [0], "seq_len": 4, "seed": 0, **numbers}
        )


def test_the_manual_is_there_offline() -> None:
    batch = streams_of(parse_mix("pydoc"), seq_len=128).next()
    assert batch.tokens.shape == (STREAMS, 128)
    assert "the" in BYTES.decode(batch.tokens.flatten().tolist())


def test_passes_are_those_of_the_tokens_that_were_read() -> None:
    """By source; a small one is read more often. They go on after a resume."""
    mix = mix_of(numbered(400, "a", 19), numbered(40, "b", 19), weights=(1, 1))
    streams = streams_of(mix, seq_len=20)
    assert streams.passes() == {"a": 0.0, "b": 0.0}
    read(streams, 400)  # 8 x 400 documents of 20 tokens, half of each source
    passes = streams.passes()
    assert passes == {"a": pytest.approx(4.0, rel=0.2), "b": pytest.approx(40.0, rel=0.2)}
    again = streams_of(mix, mine=[3], seq_len=20)
    again.load(streams.state())
    assert again.passes()["a"] == pytest.approx(passes["a"], rel=0.4)  # of one stream
