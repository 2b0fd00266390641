"""Numbers go to ``metrics.jsonl`` always, and to extras when asked for."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prism.engine.logs.log import JsonLines, TensorBoard, WandB, read
from prism.engine.logs.report import render
from prism.engine.settings import Settings
from prism.report import main


def test_a_resumed_run_replaces_what_it_does_again(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path, 0)
    for step in range(1, 5):
        lines.write({"step": step, "loss": float(step)})
    lines.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')  # killed while writing
    lines = JsonLines(tmp_path, 2)
    lines.write({"step": 3, "loss": 0.5})
    lines.close()
    assert [(r["step"], r["loss"]) for r in read(tmp_path)] == [(1, 1.0), (2, 2.0), (3, 0.5)]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\nhello\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl: line 2 is not JSON"):
        read(tmp_path)


def test_a_missing_extra_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(
        ValueError, match=r"--wandb: not installed; pip install 'prism-lm\[wandb\]'"
    ):
        WandB(tmp_path, Settings(), None)
    with pytest.raises(ValueError, match=r"pip install 'prism-lm\[tensorboard\]'"):
        TensorBoard(tmp_path)


BLOCK = 32 * 1024
RECORDS = [
    {"step": 1, "loss": 5.5, "loads": {"neural": 0.75}, "note": "no number"},
    {"step": 2, "loss": 4.25, "loads": {"neural": 1.0}},
    {"step": 2, "held_out_loss": 4.5},  # validation comes after the log line of its step
]
ARRIVE = {
    "loss": {1: 5.5, 2: 4.25},
    "loads/neural": {1: 0.75, 2: 1.0},
    "held_out_loss": {2: 4.5},
}


@pytest.mark.filterwarnings("default")  # what other people's packages warn of
def test_the_numbers_arrive_in_tensorboard(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    sink = TensorBoard(tmp_path)
    for record in RECORDS:
        sink.write(record)
    sink.close()
    read_back = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    found = {
        name: {event.step: event.value for event in read_back.Scalars(name)}
        for name in read_back.Tags()["scalars"]
    }
    assert {name: found[name] for name in ARRIVE} == ARRIVE
    assert "note" not in found


def stored(raw: bytes) -> Iterator[bytes]:
    """The records of a ``.wandb`` file: LevelDB's log format after a header of 7 bytes."""
    at, whole = 7, b""
    while at + 7 <= len(raw):
        left = BLOCK - at % BLOCK
        if left < 7:  # no header fits: the block is filled up
            at += left
            continue
        _, size, kind = struct.unpack_from("<IHB", raw, at)
        whole += raw[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # all of a record, or its last part
            yield whole
            whole = b""


@pytest.mark.filterwarnings("default")
def test_the_numbers_arrive_in_wandb_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    sink = WandB(tmp_path, Settings(), None)
    for record in RECORDS:
        sink.write(record)
    sink.close()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert sink.id in file.name
    found: dict[str, dict[int, float]] = {name: {} for name in ARRIVE}
    for data in stored(file.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        for item in record.history.item:
            name = "/".join(item.nested_key) or item.key
            if name in found:
                found[name][record.history.step.num] = json.loads(item.value_json)
    assert found == ARRIVE


def test_a_report_needs_a_run_with_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path)])
    assert stop.value.code == 2
    assert "settings.json: no such file" in capsys.readouterr().err
    (tmp_path / "settings.json").write_text('{"model": "prism", "preset": "<tiny>"}')
    JsonLines(tmp_path, 0).close()
    with pytest.raises(ValueError, match="nothing has been logged yet"):
        render(tmp_path)
    lines = JsonLines(tmp_path, 0)
    lines.write({"step": 1, "bits_per_byte": 2.0, "loads": {"neural": 0.75}})
    lines.close()
    page = render(tmp_path)
    assert "<tiny>" not in page
    assert "router loads" in page
    assert "gradient norm" not in page
