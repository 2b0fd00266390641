"""/v1/facts, /v1/ask, /v1/undo, /v1/pending: what a program can do with facts."""

from __future__ import annotations

import pytest

from tests.mind.serve.serving import needs_server, routes

pytestmark = needs_server
CAPITAL = {"subject": "Freedonia", "relation": "capital", "object": "Fredville"}


def add(served, **fields):
    return served.call("POST", "/v1/facts", CAPITAL | fields)


def objects(served, query: str = "") -> list[str]:
    return [row["object"] for row in served.call("GET", f"/v1/facts{query}").json["data"]]


def test_a_fact_is_stated_found_corrected_and_taken_back(served):
    new = add(served, source="crm:42")
    assert (new.status, new.json["outcome"], new.json["fact"]["source"]["uri"]) == (
        *(201, "added"),
        "crm:42",
    )
    number = new.json["fact"]["id"]
    assert add(served).status == 200  # known already
    changed = served.call("PUT", f"/v1/facts/{number}", {"object": "Newtown"}).json
    assert (changed["outcome"], changed["before"]["object"]) == ("superseded", "Fredville")
    latest = changed["fact"]["id"]
    past = served.call("GET", f"/v1/facts/{latest}/history").json["data"]
    assert [(row["object"], row["live"]) for row in past] == [
        ("Fredville", False),
        ("Newtown", True),
    ]
    back = served.call("POST", "/v1/undo", {"operation": changed["operation"]}).json["back"]
    assert [fact["object"] for fact in back] == ["Fredville"] == objects(served)


def test_an_undo_of_the_last_operation_answers_its_number(served):
    first, second = add(served).json["operation"], add(served, object="Newtown").json["operation"]
    assert second != first
    for number in (second, first):
        assert served.call("POST", "/v1/undo", {}).json["undone"] == number
    assert served.call("POST", "/v1/undo", {}).status == 404


def test_a_fact_is_retracted_by_its_number(served):
    number = add(served).json["fact"]["id"]
    gone = served.call("DELETE", f"/v1/facts/{number}")
    assert gone.json["retracted"] == number and objects(served) == []
    assert served.call("GET", f"/v1/facts/{number}").json["live"] is False
    assert served.call("POST", "/v1/undo", {"operation": gone.json["operation"]}).status == 200
    assert objects(served) == ["Fredville"]


def test_search_looks_into_names_relations_and_values(served):
    add(served)
    add(served, subject="Sylvania", object="Batburg")
    add(served, relation="currency", object="crown")
    assert objects(served) == ["crown", "Batburg", "Fredville"]  # the newest first
    assert objects(served, "?q=FREED") == ["crown", "Fredville"]
    assert objects(served, "?q=capit&limit=1&offset=1") == ["Fredville"]
    assert objects(served, "?subject=the%20sylvania") == ["Batburg"]
    assert objects(served, "?q=%25") == []  # no wildcards
    assert served.call("GET", "/v1/facts?q=capital&limit=0").json["total"] == 2


def test_a_program_cannot_replace_what_a_user_said_and_the_user_decides(served):
    add(served, kind="user")
    waits = add(served, object="Newtown")
    assert waits.status == 202 and objects(served) == ["Fredville"]
    row = served.call("GET", "/v1/pending").json["data"][0]
    assert (row["id"], row["object"]) == (waits.json["pending"], "Newtown")
    accepted = served.call("POST", f"/v1/pending/{row['id']}", {"accept": True})
    assert accepted.status == 200 and objects(served) == ["Newtown"]
    assert served.call("POST", f"/v1/pending/{row['id']}", {"accept": False}).status == 404


def test_what_is_erased_is_in_no_answer_and_no_byte(served, tmp_path):
    add(served, object="Xyzzyville", source="secret memo")
    asked = {"question": "What is the capital of Freedonia?"}
    assert served.call("POST", "/v1/ask", asked).json["text"] == "Xyzzyville"
    assert served.call("DELETE", "/v1/facts?subject=Freedonia").json == {"erased": 1}
    assert served.call("POST", "/v1/ask", asked).json["text"] is None
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        assert b"Xyzzyville" not in path.read_bytes(), path
        assert b"secret memo" not in path.read_bytes(), path


def test_one_fact_is_erased_with_its_past(served):
    add(served)
    number = add(served, object="Newtown").json["fact"]["id"]
    add(served, relation="currency", object="crown")
    assert served.call("DELETE", f"/v1/facts/{number}?erase=true").json == {"erased": 2}
    assert objects(served) == ["crown"]


def test_a_question_is_answered_over_several_facts_and_as_of_a_time(served):
    first = add(served).json["fact"]["recorded_at"]
    add(served, relation="currency", object="crown")
    add(served, object="Newtown")
    asked = {"question": "What is the currency of the country whose capital is Newtown?"}
    answer = served.call("POST", "/v1/ask", asked).json
    assert (answer["text"], len(answer["hops"])) == ("crown", 2)
    then = {"question": "What is the capital of Freedonia?", "at": first + 1e-7}
    assert served.call("POST", "/v1/ask", then).json["text"] == "Fredville"
    pronoun = {"question": "What is its capital?", "context": ["Freedonia"]}
    assert served.call("POST", "/v1/ask", pronoun).json["text"] == "Newtown"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "line"),
    [
        ("POST", "/v1/facts", {**CAPITAL, "object": " "}, 422, 'object = " ": must be text'),
        ("POST", "/v1/facts", {**CAPITAL, "kind": "file"}, 422, 'kind = "file": must be "api"'),
        ("POST", "/v1/facts", {**CAPITAL, "valid_from": "now"}, 422, 'valid_from = "now": must'),
        ("POST", "/v1/facts", {**CAPITAL, "colour": 1}, 422, "colour: unknown; must be one of"),
        ("POST", "/v1/facts", {**CAPITAL, "object": "\ud800"}, 422, "object = "),
        ("POST", "/v1/facts", b"{", 400, "the body is not JSON"),
        ("POST", "/v1/facts", b"[" * 100_000, 400, "the body is not JSON"),
        ("POST", "/v1/facts", b'{"at": NaN}', 400, "the body is not JSON: NaN"),
        ("POST", "/v1/facts", b"[]", 422, "the body: must be an object"),
        ("POST", "/v1/undo", {}, 404, "undo: there is nothing to undo"),
        ("POST", "/v1/undo", {"operation": True}, 422, "operation = true: must be an integer"),
        ("POST", "/v1/undo", {"operation": 2**70}, 422, "operation = 1180591620717411303424"),
        ("GET", "/v1/facts/99", None, 404, "fact 99: there is none"),
        ("GET", f"/v1/facts/{2**70}", None, 404, f"{2**70}: there is none"),
        ("GET", "/v1/facts?limit=-1", None, 400, "limit = -1: must be a whole number, 0 or more"),
        ("GET", "/v1/facts?offset=x", None, 400, 'offset = "x": must be a whole number, 0 or more'),
        ("GET", "/v1/facts?said=yes", None, 400, 'said = "yes": must be true or false'),
        ("DELETE", "/v1/facts", None, 400, "subject = null: must be text that is not empty"),
        ("POST", "/v1/ask", {"question": "a" * 2_001}, 422, "question: has 2,001 characters"),
        ("GET", "/v1/nothing", None, 404, "GET /v1/nothing: Not Found"),
        ("PATCH", "/v1/facts", {}, 405, "PATCH /v1/facts: Method Not Allowed"),
    ],
)
def test_bad_input_is_one_line_in_the_form_of_openai(served, method, path, body, status, line):
    answer = served.call(method, path, body)
    error = answer.json["error"]
    assert (answer.status, error["message"][: len(line)]) == (status, line)
    assert "\n" not in error["message"] and error["type"] and error["code"]
    assert objects(served) == []


def test_a_parameter_that_a_route_does_not_take_is_refused_by_all_routes(served):
    """A misspelt filter would list everything, or erase without being asked to."""
    add(served)
    answer = served.call("GET", "/v1/facts?subjct=x").json["error"]
    line = "query parameter 'subjct': unknown; must be one of q, subject, limit, offset, said"
    assert (answer["message"], answer["param"]) == (line, "subjct")
    twice = served.call("GET", "/v1/facts?subject=a&subject=b").json["error"]["message"]
    assert twice == "query parameter 'subject': stands twice; must stand once"
    for method, path in routes(served.app):
        refused = served.call(method, f"{path}?erased=true", {} if method != "GET" else None)
        if method == "HEAD":
            assert refused.status == 400, path
        else:
            assert (refused.status, refused.json["error"]["param"]) == (400, "erased"), path
    assert objects(served) == ["Fredville"]
