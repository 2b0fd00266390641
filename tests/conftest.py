"""Test settings: one thread per process, equal random numbers in every test, few hypothesis draws.

Tests run in several processes at a time (``make test``). So a process and the ones that it starts
compute on one thread, and a test draws the same global random numbers in whatever process and
after whatever test it runs.
"""

from __future__ import annotations

import os
import random

import pytest
import torch
from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"  # of the commands that tests start
torch.set_num_threads(1)

settings.register_profile("ci", max_examples=15, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=200, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed the global generators before the fixtures of a test, whatever their scope."""
    torch.manual_seed(0)
    random.seed(0)
