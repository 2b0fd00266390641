"""Step times beside a busy process: both ratios are there, and the process is gone afterwards."""

import json
import subprocess

from benchmarks.speed import beside


def test_both_ratios_are_measured_and_the_busy_process_ends(tmp_path, monkeypatch):
    started = []

    class Watched(subprocess.Popen):
        def __init__(self, command, *rest, **more):
            super().__init__(command, *rest, **more)
            started.append((command, self))

    monkeypatch.setattr(beside.subprocess, "Popen", Watched)
    out = tmp_path / "beside.json"
    beside.main(["--quick", "--threads", "1", "--out", str(out)])
    (row,) = json.loads(out.read_text())["rows"]
    assert row["times"] == row["beside"]["ratio"] / row["alone"]["ratio"] > 0
    counting = [process for command, process in started if beside.COUNTS in command]
    assert [process.poll() is not None for process in counting] == [True]
