"""Bodies of any shape: never a failure of the server, and never a fact that was not stated."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mind.serve.serving import needs_server, serving

pytestmark = needs_server
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
ANY = st.recursive(
    LEAF, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x), max_leaves=6
)
FIELDS = (
    *("model", "messages", "stream", "n", "max_tokens", "user", "tools", "response_format"),
    *("subject", "relation", "object", "many", "kind", "source", "valid_from", "valid_to"),
    *("question", "context", "at", "operation", "accept"),
)
PATHS = ("chat/completions", "facts", "ask", "undo", "pending/1")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("any") / "mind.db") as running:
        yield running


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=5))
def test_a_body_of_any_shape_is_answered_or_refused_in_one_line(lasting, path, body):
    answer = lasting.call("POST", f"/v1/{path}", json.dumps(body).encode())
    assert answer.status < 500
    if answer.status >= 400:
        error = answer.json["error"]
        assert error["message"] and "\n" not in error["message"]


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY, min_size=1, max_size=3))
def test_messages_of_any_shape_are_answered_or_refused(lasting, messages):
    body = {"model": "prism", "messages": messages}
    assert lasting.call("POST", "/v1/chat/completions", json.dumps(body).encode()).status == 422
