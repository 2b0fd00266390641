"""One process at a time trains into a folder; the lock ends with its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prism.data.find import RUN_LOCK
from prism.engine.store.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from prism.engine.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_second_one_is_refused_by_the_name_of_the_first_which_may_be_killed(
    tmp_path: Path,
) -> None:
    (tmp_path / "settings.json").write_text("{}")  # a run that has begun
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    says = rf"process {first.pid} on .* trains into it; must be one at a time"
    with pytest.raises(ValueError, match=says), locked(tmp_path):
        raise AssertionError
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    with locked(tmp_path):
        pass
    assert (tmp_path / RUN_LOCK).is_file()


def test_a_folder_in_which_nothing_began_is_left_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "run"):
        raise KeyError
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine.txt").write_text("text")
    with locked(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for run in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OSError, match=r"exists|Not a directory"), locked(run):
            raise AssertionError
