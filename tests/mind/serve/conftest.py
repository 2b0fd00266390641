"""Fixtures of the server's tests."""

import pytest

from tests.mind.serve.serving import serving


@pytest.fixture
def served(tmp_path):
    """A server without keys and without a model."""
    with serving(tmp_path / "mind.db") as running:
        yield running


@pytest.fixture
def keyed(tmp_path):
    """A server with keys of two tenants; the server and the keys."""
    from prism.mind.serve.keys import new_key

    file = tmp_path / "keys.jsonl"
    keys = {name: new_key(file, name) for name in ("acme", "bolt")}
    with serving(tmp_path / "mind.db", keys=file) as running:
        running.keys, running.key_file = keys, file
        yield running
