"""Gate: keys, names of this machine, other sites."""

from __future__ import annotations

import json
import random
from importlib.resources import files

import pytest

from tests.mind.serve.serving import needs_server, routes, serving

pytestmark = needs_server
PAGE = files("prism.mind.serve") / "page.html"
FACT = {"subject": "Freedonia", "relation": "capital", "object": "Fredville"}


@pytest.mark.parametrize("key", [None, "", "prism-wrong", "é"])
def test_every_route_needs_a_key(keyed, key):
    paths = [*routes(keyed.app), ("GET", "/v1/nothing"), ("OPTIONS", "/v1/facts")]
    assert len(paths) > 20
    for method, path in paths:
        answer = keyed.call(method, path, key=key and key.encode().decode("latin-1"))
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), path


def test_without_a_key_the_page_alone_is_given_and_holds_no_fact(keyed):
    keyed.call("POST", "/v1/facts", FACT | {"object": "Xyzzyville"}, key=keyed.keys["acme"])
    given = [
        (method, path)
        for method, path in routes(keyed.app)
        if method != "HEAD" and b"<html" in bytes(str(keyed.call(method, path).json), "utf-8")
    ]
    assert given == [("GET", "/")]
    page = keyed.call("GET", "/").json
    assert page == PAGE.read_bytes() and b"Xyzzyville" not in page


def test_the_file_of_keys_holds_no_key(keyed):
    text = keyed.key_file.read_text("utf-8")
    assert [json.loads(line)["tenant"] for line in text.splitlines()] == ["acme", "bolt"]
    assert not any(key in text or key[6:] in text for key in keyed.keys.values())


def test_a_key_that_is_taken_out_opens_nothing_at_once(keyed):
    lines = keyed.key_file.read_text("utf-8").splitlines(keepends=True)
    keyed.key_file.write_text(lines[1], "utf-8")
    answers = [keyed.call("GET", "/v1/facts", key=key).status for key in keyed.keys.values()]
    assert answers == [401, 200]
    keyed.key_file.write_text("not a key\n", "utf-8")
    broken = keyed.call("GET", "/v1/facts", key=keyed.keys["bolt"])
    assert broken.status == 503 and "keys.jsonl:1: must be" in broken.json["error"]["message"]


def test_tenants_see_nothing_of_one_another(tmp_path):
    """The bar of 100 tenants and 10,000 reads is measured by benchmarks.mind.serving."""
    from prism.mind.serve.keys import new_key

    file = tmp_path / "keys.jsonl"
    keys = {f"T{i}": new_key(file, f"T{i}") for i in range(6)}
    chance = random.Random(0)
    with serving(tmp_path / "mind.db", keys=file) as served:
        made = {}
        for name, key in keys.items():
            fact = FACT | {"object": f"{name}ville"}
            made[name] = served.call("POST", "/v1/facts", fact, key=key).json["fact"]["id"]
        for _ in range(60):
            mine, other = chance.sample(sorted(keys), 2)
            listed = served.call("GET", "/v1/facts", key=keys[mine]).json
            assert [row["object"] for row in listed["data"]] == [f"{mine}ville"]
            asked = {"question": "What is the capital of Freedonia?"}
            answer = served.call("POST", "/v1/ask", asked, key=keys[mine]).json
            assert answer["text"] == f"{mine}ville"
            for method, path in [
                ("GET", f"/v1/facts/{made[other]}"),
                ("GET", f"/v1/facts/{made[other]}/history"),
                ("PUT", f"/v1/facts/{made[other]}"),
                ("DELETE", f"/v1/facts/{made[other]}"),
                ("DELETE", f"/v1/facts/{made[other]}?erase=true"),
            ]:
                body = {"object": "Mine"} if method == "PUT" else None
                assert served.call(method, path, body, key=keys[mine]).status == 404, path
        undone = served.call("POST", "/v1/undo", {"operation": 1}, key=keys["T3"])
        assert undone.status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),  # a name that leads here: DNS rebinding
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
    ],
)
def test_other_sites_do_not_reach_a_server_without_keys(served, headers, status):
    answer = served.call("GET", "/v1/facts", **headers)
    assert answer.status == status
    assert "access-control-allow-origin" not in answer.headers


def test_a_form_of_another_site_writes_nothing(served):
    simple = {"Content-Type": "text/plain"}  # which a browser sends without asking
    assert served.call("POST", "/v1/facts", json.dumps(FACT).encode(), **simple).status == 415
    assert served.call("GET", "/v1/facts").json["total"] == 0


def test_a_site_that_was_allowed_may_call(tmp_path):
    site, other = "https://app.example", "https://other.example"
    asks = {"Access-Control-Request-Method": "POST"}
    with serving(tmp_path / "mind.db", origins=(site,)) as served:
        first = served.call("OPTIONS", "/v1/facts", Origin=site, **asks)
        assert first.headers["access-control-allow-origin"] == site
        assert served.call("POST", "/v1/facts", FACT, Origin=site).status == 201
        assert served.call("OPTIONS", "/v1/facts", Origin=other, **asks).status in (400, 403)
        assert served.call("POST", "/v1/facts", FACT, Origin=other).status == 403


def test_the_page_runs_its_own_script_only_and_is_the_body_of_its_401(keyed):
    shut = keyed.call("GET", "/")
    opened = keyed.call("GET", "/", key=keyed.keys["acme"])
    assert (shut.status, opened.status) == (401, 200) and shut.json == opened.json
    policy = opened.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert b"innerHTML" not in opened.json and b"http://" not in opened.json.replace(
        b"http://www.w3.org/2000/svg", b""
    )
