"""The tour for newcomers runs from any folder and answers as it promises."""

import os
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.long


def test_the_tour_teaches_two_facts_and_forgets_one(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "first_hour.py"), "--steps", "120"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [line.partition("->")[2].strip() for line in done.stdout.splitlines() if "->" in line]
    assert answers == ['"Ruti"', '"Meka"', '"unknown"', '"Meka"']
