"""Data sets on the hub: streamed once, read anywhere, from then on without a network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prism.data import hub
from prism.data.formats import Format, TextField
from prism.data.hub import HubDataset
from prism.data.order import Place, Walk
from tests.data.fakes import read_epoch

SHARDS = (7, 0, 12, 4)


class FakeStream:
    """Rows ``{"text": "<shard>.<row>", "id": row}``, and what was asked for."""

    def __init__(self, shard: int | None = None, first: int = 0, log: list[str] | None = None):
        self._shard, self._first = shard, first
        self.log = [] if log is None else log
        self.num_shards = len(SHARDS)
        self.fails_at: int | None = None

    def shard(self, num_shards: int, index: int) -> FakeStream:
        assert num_shards == len(SHARDS)
        part = FakeStream(index, 0, self.log)
        part.fails_at = self.fails_at
        return part

    def skip(self, n: int) -> FakeStream:
        return FakeStream(self._shard, n, self.log)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        assert self._shard is not None
        for row in range(self._first, SHARDS[self._shard]):
            if row == self.fails_at:
                raise ConnectionError("reset by peer")
            self.log.append(f"{self._shard}.{row}")
            yield {"text": f"{self._shard}.{row}", "id": row}


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ROWS", 4)


def dataset(cache: Path, stream: FakeStream, format: Format | None = None) -> HubDataset:
    return HubDataset(
        "set", "owner/set", format=format or TextField(), cache=cache, connect=lambda: stream
    )


def test_every_row_is_read_once_and_streamed_once(tmp_path: Path) -> None:
    everything = sorted(f"{s}.{r}" for s, n in enumerate(SHARDS) for r in range(n))
    stream = FakeStream()
    for seed in (None, 0, 1):
        assert sorted(read_epoch(dataset(tmp_path, stream), seed)) == everything
    assert sorted(stream.log) == everything


def test_what_was_streamed_needs_no_network_again(tmp_path: Path) -> None:
    first = read_epoch(dataset(tmp_path, FakeStream()), 3)

    def offline() -> FakeStream:
        raise AssertionError("asked the network")

    again = HubDataset("set", "owner/set", format=TextField(), cache=tmp_path, connect=offline)
    assert read_epoch(again, 3) == first


def test_a_new_process_goes_on_inside_a_shard(tmp_path: Path) -> None:
    dataset(tmp_path, FakeStream()).window(2, 0)
    stream = FakeStream()
    window = dataset(tmp_path, stream).window(2, 8)
    assert [window.read(i).text for i in range(window.count)] == ["2.8", "2.9", "2.10", "2.11"]
    assert stream.log == ["2.8", "2.9", "2.10", "2.11"]


def test_the_first_document_needs_one_window(tmp_path: Path) -> None:
    stream = FakeStream()
    Walk(dataset(tmp_path, stream), None).read(Place())
    assert len(stream.log) == 4


def test_unused_columns_are_not_kept(tmp_path: Path) -> None:
    dataset(tmp_path, FakeStream()).window(0, 0)
    rows = next(tmp_path.rglob("00000-*.jsonl")).read_text().splitlines()
    assert json.loads(rows[0]) == {"text": "0.0"}


def test_a_broken_connection_is_named_and_leaves_no_half_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    stream = FakeStream()
    stream.fails_at = 2
    source = dataset(tmp_path, stream)
    with pytest.raises(ValueError, match=r"source set: shard 0 row 0: ConnectionError: reset"):
        Walk(source, None).read(Place())
    stream.fails_at = None
    assert source.window(0, 0).read(3).text == "0.3"


def test_a_missing_field_is_named_with_its_row(tmp_path: Path) -> None:
    window = dataset(tmp_path, FakeStream(), TextField("body")).window(0, 4)
    with pytest.raises(ValueError, match=r"source set: shard 0 row 5: no field 'body'"):
        window.read(1)


def test_without_the_library_the_install_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    source = HubDataset("set", "owner/set", format=TextField(), cache=tmp_path)
    with pytest.raises(ValueError, match=r"source set: .*pip install 'prism-lm\[hub\]'"):
        source.segments()


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_the_real_library_streams_local_files(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "data").mkdir()
    for shard in range(3):
        lines = [json.dumps({"text": f"{shard}.{i}", "id": i}) for i in range(6)]
        (tmp_path / "data" / f"train-{shard}.jsonl").write_text("\n".join(lines))
    here = {"path": str(tmp_path / "data"), "format": TextField()}
    source = HubDataset("local", **here, cache=tmp_path / "cache")
    assert source.segments() == 3
    expected = sorted(f"{s}.{i}" for s in range(3) for i in range(6))
    assert sorted(read_epoch(source, 0)) == expected
    fresh = HubDataset("local", **here, cache=tmp_path / "other")
    window = fresh.window(1, 4)
    assert [window.read(i).text for i in range(window.count)] == ["1.4", "1.5"]


@pytest.mark.filterwarnings("ignore")
def test_the_real_library_names_what_it_cannot_open(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    nowhere = str(tmp_path / "none")
    source = HubDataset("none", nowhere, format=TextField(), cache=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"source none: cannot be opened: "):
        source.segments()
