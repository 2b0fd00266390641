"""A curriculum is a function of what a stream has read, and of nothing else."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prism.data.curriculum import Curriculum, Lengths, Points, parse_curriculum
from prism.data.document import RowBatch
from prism.data.mix import Mix
from prism.data.row_streams import RowStreams
from prism.data.tokens import ByteTokenizer
from tests.data.fakes import documents_in, mix_of, numbered

BYTES = ByteTokenizer()
STREAMS, T = 4, 16
BASE = {"a": 3.0, "b": 1.0}


def two_sources() -> Mix:
    return mix_of(numbered(83, "a", 11), numbered(59, "b", 40), weights=(3, 1), held_out=0.1)


def streams_of(
    course: Curriculum | None,
    tokens: int,
    mine: range | list[int] = range(STREAMS),
    seq_len: int = T,
) -> RowStreams:
    return RowStreams(
        two_sources(),
        BYTES,
        streams=STREAMS,
        mine=mine,
        seq_len=seq_len,
        seed=5,
        curriculum=course,
        tokens=tokens,
    )


def read(streams: RowStreams, batches: int) -> list[RowBatch]:
    return [streams.next() for _ in range(batches)]


@st.composite
def points(draw: st.DrawFn, most: float) -> Points:
    xs = sorted(draw(st.sets(st.floats(0, 1), min_size=1, max_size=4)))
    return tuple((x, draw(st.floats(0, most))) for x in xs)


@st.composite
def curricula(draw: st.DrawFn) -> Curriculum:
    base = {name: draw(st.floats(0.1, 10)) for name in "abc"}
    shares = {name: draw(points(0.5)) for name in draw(st.sets(st.sampled_from("ab")))}
    return Curriculum(base, shares)


@given(course=curricula(), x=st.floats(0, 2))
def test_shares_add_up_to_one_and_none_is_negative(course: Curriculum, x: float) -> None:
    weights = course.weights(x)
    assert math.fsum(weights.values()) == pytest.approx(1)
    assert min(weights.values()) >= 0
    assert list(weights) == list(course.base)
    others = [name for name in "abc" if name not in course.shares]
    for name in others:  # as the mix has it
        ratio = course.base[name] / course.base[others[0]]
        assert weights[name] == pytest.approx(weights[others[0]] * ratio)


@given(course=curricula(), begin=st.integers(0, 900), size=st.integers(1, 400))
def test_tokens_are_the_integral_of_the_shares(course: Curriculum, begin: int, size: int) -> None:
    steps = 2000
    middles = [course.weights((begin + (i + 0.5) * size / steps) / 1000) for i in range(steps)]
    found = course.tokens(begin, begin + size, 1000)
    assert math.fsum(found.values()) == pytest.approx(size)
    for name in course.base:
        mean = math.fsum(w[name] for w in middles) / steps
        assert found[name] == pytest.approx(mean * size, abs=0.01 * size)


def test_shares_change_along_straight_lines() -> None:
    course = Curriculum(BASE, {"b": ((0.2, 0.1), (0.6, 0.5))})
    shares = [course.weights(x)["b"] for x in (0.0, 0.2, 0.3, 0.4, 0.6, 1.0, 3.0)]
    assert shares == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.5, 0.5, 0.5])


RAMPS = Curriculum(BASE, {"b": ((0.0, 0.05), (1.0, 0.8))}, Lengths(3, 20, until=0.7, whole=0.3))


@given(
    before=st.integers(0, 12),
    ranks=st.sampled_from([1, 2, 4]),
    again=st.integers(0, 3),
)
def test_any_save_point_and_any_ranks_give_the_same_rows(
    before: int, ranks: int, again: int
) -> None:
    run = 20 * T
    whole = read(streams_of(RAMPS, run), before + again + 3)
    saved: dict[str, object] = {}
    for rank in range(2):
        part = streams_of(RAMPS, run, range(rank, STREAMS, 2))
        read(part, before)
        saved |= json.loads(json.dumps(part.state()))
    for rank in range(ranks):
        mine = list(range(rank, STREAMS, ranks))
        part = streams_of(RAMPS, run, mine)
        part.load(saved)
        for expected in whole[before:]:
            found = part.next()
            for name in ("tokens", "targets", "segment_ids"):
                assert torch.equal(getattr(found, name), getattr(expected, name)[mine]), name


def test_without_changes_a_curriculum_reads_what_the_mix_says() -> None:
    plain = read(streams_of(None, 1), 60)
    for course in (Curriculum(BASE), Curriculum(BASE, {"b": ((0.0, 0.25),)})):
        for one, other in zip(plain, read(streams_of(course, 60 * T), 60), strict=True):
            assert torch.equal(one.tokens, other.tokens)
            assert torch.equal(one.segment_ids, other.segment_ids)


def test_a_run_that_was_saved_without_quotas_goes_on() -> None:
    streams = streams_of(None, 1)
    read(streams, 30)
    state = {
        stream: {k: v for k, v in s.items() if k != "quota"}
        for stream, s in streams.state().items()
    }
    older = streams_of(None, 1)
    older.load(state)
    for one, other in zip(read(streams, 30), read(older, 30), strict=True):
        assert torch.equal(one.tokens, other.tokens)


def sizes(rows: torch.Tensor) -> Counter[str]:
    """Tokens of whole documents by source."""
    found: Counter[str] = Counter()
    for text in documents_in(rows):
        if text.startswith("<"):  # else its beginning is in the row before
            found[text[1]] += len(text) + 1
    return found


def test_every_stream_reads_the_shares_of_its_own_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prism.data.row_streams.START", 64)  # as short as the documents here
    run, parts = 20_000, 10
    course = Curriculum(BASE, {"b": ((0.0, 0.1), (0.5, 0.9), (1.0, 0.1))})
    streams = streams_of(course, run, seq_len=run // parts)
    for part in range(parts):
        rows = streams.next().tokens
        wanted = course.tokens(part * run // parts, (part + 1) * run // parts, run)["b"]
        for row in rows:
            found = sizes(row)
            assert found["b"] / found.total() == pytest.approx(wanted * parts / run, abs=0.08)


def test_a_source_may_come_in_late(monkeypatch: pytest.MonkeyPatch) -> None:
    run = 8_000
    course = Curriculum(BASE, {"b": ((0.5, 0.0), (0.6, 1.0))})
    streams = streams_of(course, run, seq_len=run // 10)
    batches = read(streams, 10)
    assert all("b" not in sizes(b.tokens.flatten()) for b in batches[:5])
    late = sizes(torch.cat([b.tokens for b in batches[7:]], dim=1).flatten())
    assert late["b"] / late.total() > 0.95  # and does not wait for the lead that it does not have


def test_a_longer_run_goes_on_from_where_it_is() -> None:
    """The shares of what is to come are those of the longer run; nothing is caught up with."""
    course = Curriculum(BASE, {"b": ((0.5, 0.0), (0.6, 1.0))})
    short = streams_of(course, 4_000, seq_len=3_500)
    assert sizes(short.next().tokens.flatten())["b"] > 0
    longer = streams_of(course, 14_000, seq_len=3_000)
    longer.load(short.state())
    assert sizes(longer.next().tokens.flatten())["b"] < 4 * 100  # a document that was begun


def test_a_state_of_another_curriculum_is_refused() -> None:
    state = streams_of(RAMPS, 100).state()
    with pytest.raises(ValueError, match="stream0000 is of another mix"):
        streams_of(None, 100).load(state)
    with pytest.raises(ValueError, match=r"tokens = None: must be >= 1 with a curriculum"):
        RowStreams(two_sources(), BYTES, streams=1, mine=[0], seq_len=4, seed=0, curriculum=RAMPS)


@given(
    tokens=st.integers(1, 300),
    begin=st.integers(0, 1000),
    draw=st.floats(0, 1, exclude_max=True),
    shortest=st.integers(1, 50),
    factor=st.integers(1, 20),
)
def test_pieces_follow_one_another_and_grow(
    tokens: int, begin: int, draw: float, shortest: int, factor: int
) -> None:
    ramp = Lengths(shortest, shortest * factor, until=0.5, whole=0.25)
    pieces = ramp.pieces(tokens, begin, 1000, draw)
    assert pieces.shape == (tokens,)
    steps = pieces.diff()
    assert pieces[0] == 0 and ((steps == 0) | (steps == 1)).all()
    lengths = pieces.bincount().tolist()
    if draw < 0.25 or begin >= 500:
        assert lengths == [tokens]
        return
    at = begin
    for length in lengths[:-1]:
        assert length == ramp.at(at / 1000)
        at += length
    assert lengths[:-1] == sorted(lengths[:-1])


def test_lengths_grow_by_equal_factors() -> None:
    ramp = Lengths(16, 256, until=0.8)
    assert [ramp.at(x) for x in (0.0, 0.2, 0.4, 0.6)] == [16, 32, 64, 128]
    assert ramp.at(0.8) is ramp.at(1.0) is None


def test_cutting_changes_segments_and_nothing_else() -> None:
    run = 60 * T
    course = Curriculum(BASE, {}, Lengths(4, 30, until=0.5, whole=0.25))
    cut, plain = read(streams_of(course, run), 60), read(streams_of(None, run), 60)
    short = whole = 0
    for i, (one, other) in enumerate(zip(cut, plain, strict=True)):
        assert torch.equal(one.tokens, other.tokens)
        assert torch.equal(one.targets, other.targets)
        resets, ends = (b.segment_ids.diff() != 0 for b in (one, other))
        assert not (ends & ~resets).any()  # a document still ends where it ended
        if i < 20:
            short += int((resets & ~ends).sum())
        if i > 35:  # a document after half of the run is whole
            assert torch.equal(resets, ends)
    starts = torch.cat([b.segment_ids for b in cut[:20]], dim=1)
    ends = torch.cat([b.tokens for b in cut[:20]], dim=1) == 256
    for row, end in zip(starts, ends, strict=True):
        edges = [0, *(end.nonzero().flatten() + 1).tolist()]
        whole += sum(row[a] == row[b - 1] for a, b in pairwise(edges))
    assert short > 30 and whole > 5


MIX = mix_of(numbered(20, "web"), numbered(20, "book"), numbered(20, "q=a"), weights=(6, 2, 2))


def test_anneal_changes_quickly_when_the_rate_begins_to_decay() -> None:
    course = parse_curriculum(["anneal:book=0.6"], MIX, decay=0.2)
    shares = [course.weights(x)["book"] for x in (0, 0.8, 0.82, 0.9, 1)]
    assert shares == pytest.approx([0.2, 0.2, 0.6, 0.6, 0.6])
    assert course.weights(1) == pytest.approx({"web": 0.3, "book": 0.6, "q=a": 0.1})
    earlier = parse_curriculum(["anneal:book=0.6@0.5"], MIX, decay=0.2)
    assert earlier.weights(0.55)["book"] == pytest.approx(0.6)


def test_parts_can_be_combined() -> None:
    course = parse_curriculum(["ramp:book=0..0.5", "anneal:q=a=0.1", "lengths:8..64@0.4"], MIX)
    assert course.weights(0.5) == pytest.approx({"web": 0.55, "book": 0.25, "q=a": 0.2})
    assert course.lengths == Lengths(8, 64, until=0.4)
    text = course.describe()
    assert "at 0.8 web 0.4, book 0.4, q=a 0.2" in text
    assert "pieces of 8 to 64 tokens until 0.4, 25% of the documents whole" in text


def test_a_file_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "course.json"
    file.write_text(
        json.dumps(
            {
                "shares": {"book": [[0, 0.1], [1, 0.4]]},
                "lengths": {"shortest": 8, "longest": 64, "whole": 0.5},
            }
        )
    )
    course = parse_curriculum([str(file)], MIX)
    assert course == Curriculum(
        {"web": 6, "book": 2, "q=a": 2},
        {"book": ((0.0, 0.1), (1.0, 0.4))},
        Lengths(8, 64, whole=0.5),
    )
    assert course.fingerprint() != parse_curriculum(["lengths:8..64"], MIX).fingerprint()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (["anneal:wiki=0.5"], "no source 'wiki' in the mix; there are web, book, q=a"),
        (["anneal:book"], r"must be anneal:SOURCE=TO\[@START\]"),
        (["anneal:book=much"], r"must be anneal:SOURCE=TO\[@START\]"),
        (["anneal:book=1.5"], r"source book: share = 1.5: must be in \[0, 1\]"),
        (["anneal:book=0.5@1"], r"START = 1: must be in \[0, 1\)"),
        (["ramp:book=0.5"], r"must be ramp:SOURCE=FROM..TO"),
        (["ramp:book=0..0.5", "anneal:book=0.5"], "source 'book' is named twice"),
        (["ramp:book=0..0.8", "ramp:web=0..0.8"], "shares add up to 1.6 at 1 of the run"),
        (["ramp:book=0..1", "ramp:web=1..0", "ramp:q=a=0..0.1"], "add up to 1.1 at 1 of the run"),
        (["ramp:book=0..1", "ramp:web=0.9..0", "ramp:q=a=0..0"], "0.9 at 0 of the run: must be 1"),
        (["lengths:64"], r"must be lengths:A..B\[@UNTIL\]"),
        (["lengths:1.5..8"], r"must be lengths:A..B\[@UNTIL\], A and B whole numbers"),
        (["lengths:64..32"], "lengths 64..32: must be A..B with 1 <= A <= B"),
        (["lengths:8..32@0"], r"lengths: until = 0.0: must be in \(0, 1\]"),
        (["lengths:8..32", "lengths:8..32"], "lengths are named twice"),
        (["cosine"], "must begin with anneal:, ramp: or lengths:, or end in .json"),
        (["none.json"], "cannot be read"),
    ],
)
def test_a_bad_part_is_named_with_what_is_allowed(parts: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=f"--curriculum .*{parts[-1]}: .*{says}"):
        parse_curriculum(parts, MIX)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "must be a JSON object with shares, lengths or both"),
        ('{"share": {}}', "must be a JSON object with shares, lengths or both"),
        ('{"shares": {"book": 0.5}}', r"must map sources to lists of \[fraction, share\]"),
        ('{"shares": []}', r"must map sources to lists of \[fraction, share\]"),
        ('{"shares": {"book": []}}', r"source book: points at \[\]: must be increasing"),
        ('{"shares": {"book": [[0.5, 0], [0.5, 1]]}}', r"points at \[0.5, 0.5\]: must be incr"),
        ('{"shares": {"book": [["x", 0]]}}', "could not convert string to float"),
        ('{"lengths": {"shortest": 8}}', "must be an object with shortest, longest and maybe"),
        ('{"lengths": {"shortest": 8, "longest": 4}}', "lengths 8..4: must be A..B"),
        ('{"lengths": {"shortest": "8", "longest": 64}}', "shortest, longest"),
        ('{"lengths": {"shortest": 8, "longest": 64, "whole": 1}}', r"whole = 1: must be in"),
    ],
)
def test_a_bad_file_is_named_with_what_is_allowed(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "course.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=f"--curriculum {file}: .*{says}"):
        parse_curriculum([str(file)], MIX)
