"""Bad rows are left out and counted as far as allowed, and told; one more is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prism.data import ByteTokenizer, RowStreams, held_out_batches, parse_mix
from prism.data.tolerance import tolerant
from tests.data.fakes import documents_in

BAD = ["{oops", '{"body": "x"}', '{"text": ["x"]}', "[1]"]


@pytest.fixture
def rows(tmp_path: Path) -> str:
    """A file of 100 good rows and 4 bad ones in between."""
    good = [json.dumps({"text": f"row {i}"}) for i in range(100)]
    lines = [*good[:30], *BAD[:2], *good[30:60], *BAD[2:], *good[60:]]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    return f"file:{tmp_path / 'rows.jsonl'}"


def read(data: str, most: int) -> tuple[set[str], int]:
    """The texts of some epochs, and the number of bad rows."""
    mix, bad = tolerant(parse_mix(data), most)
    [held] = held_out_batches(mix, ByteTokenizer(), 4096, rows=1)
    streams = RowStreams(mix, ByteTokenizer(), streams=1, mine=[0], seq_len=4096, seed=0)
    texts = {text for row in streams.next().tokens for text in documents_in(row)}
    return texts | set(documents_in(held.tokens[0])), len(bad.places)


def test_good_rows_are_read_and_each_bad_one_counted_once(
    rows: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, bad = read(rows, most=4)
    assert bad == 4
    assert {f"row {i}" for i in range(100)} <= texts
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 4
    assert any("rows.jsonl at byte" in line and "no field 'text'" in line for line in told)


def test_one_more_than_allowed_stops(rows: str) -> None:
    with pytest.raises(ValueError, match=r"row 4 that cannot be read, --skip-bad-rows 3"):
        read(rows, most=3)


def test_without_a_tolerance_the_first_one_stops(rows: str) -> None:
    with pytest.raises(ValueError, match=r"rows\.jsonl at byte \d+: "):
        read(rows, most=0)


def test_the_fingerprint_and_the_places_are_those_of_the_data(rows: str) -> None:
    mix = parse_mix(rows)
    assert tolerant(mix, 9)[0].fingerprint() == mix.fingerprint()
