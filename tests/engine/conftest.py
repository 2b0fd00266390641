"""A pair of processes for the tests that need two ranks, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.fakes import Ranks


@pytest.fixture(scope="session")
def pair() -> Iterator[Ranks]:
    ranks = Ranks(2)
    yield ranks
    ranks.close()
