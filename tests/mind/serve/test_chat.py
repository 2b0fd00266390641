"""/v1/chat/completions by the official client: what is noted, answered, streamed and refused."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from prism.mind import KnowledgeBase
from tests.mind.serve.serving import needs_server, serving, until

pytestmark = needs_server
TAUGHT = "The capital of Freedonia is Fredville."
ASKED = "What is the capital of Freedonia?"


def user(*turns: str) -> list[dict]:
    """A conversation of user turns, each answered with words that state something else."""
    found = []
    for turn in turns:
        found += [{"role": "user", "content": turn}]
        found += [{"role": "assistant", "content": "The capital of Utopia is Echoville."}]
    return found[:-1]


def say(served, *turns: str, key: str = "none", **options):
    return served.client(key).chat.completions.create(
        model=options.pop("model", "prism"), messages=user(*turns), **options
    )


def facts(served, key: str | None = None) -> list[tuple[str, str, str]]:
    rows = served.call("GET", "/v1/facts", key=key).json["data"]
    return [(row["subject"], row["relation"], row["object"]) for row in rows]


def test_a_turn_teaches_and_a_turn_asks(served):
    taught = say(served, TAUGHT)
    assert taught.choices[0].message.content == "Noted: Freedonia · capital = Fredville."
    noted = taught.model_extra["prism"]["noted"][0]
    assert (noted["outcome"], noted["operation"]) == ("added", 1)
    assert noted["fact"]["source"]["text"] == TAUGHT
    asked = say(served, ASKED, user="anna")
    assert asked.choices[0].message.content == "Fredville"
    assert asked.choices[0].finish_reason == "stop"
    answer = asked.model_extra["prism"]["answers"][0]
    assert answer["hops"][0]["fact"] == noted["fact"]["id"] and answer["confidence"] > 0.8
    assert asked.usage.prompt_tokens == len(ASKED.split())
    assert asked.usage.total_tokens == asked.usage.prompt_tokens + asked.usage.completion_tokens


def test_a_stream_is_the_same_reply_in_pieces(served):
    whole = say(served, TAUGHT + " " + ASKED).choices[0].message.content
    chunks = list(
        say(served, TAUGHT + " " + ASKED, stream=True, stream_options={"include_usage": True})
    )
    pieces = [c for c in chunks if c.choices and c.choices[0].delta.content]
    text = "".join(c.choices[0].delta.content for c in pieces)
    assert text == whole.replace("Noted:", "Known already:")
    assert [c.model_extra["prism"]["fact"] for c in pieces][-2:] == [False, True]
    assert chunks[0].model_extra["prism"]["answers"][0]["text"] == "Fredville"
    assert chunks[-1].usage.completion_tokens == len(pieces) and not chunks[-1].choices
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert len({c.id for c in chunks}) == 1


def test_only_the_last_user_turn_is_noted(served):
    say(served, TAUGHT, "The capital of Sylvania is Batburg.")
    assert facts(served) == [("Sylvania", "capital", "Batburg")]


def test_the_sentence_itself_is_listed_when_asked_for(served):
    say(served, TAUGHT)
    kept = served.call("GET", "/v1/facts?said=true").json["data"]
    assert [(fact["relation"], fact["object"]) for fact in kept] == [("as was said", TAUGHT)]
    assert served.call("GET", "/v1/facts?said=perhaps").status == 400


def test_what_was_undone_is_not_noted_again_by_the_history(served):
    say(served, TAUGHT)
    assert served.call("POST", "/v1/undo", {}).status == 200
    say(served, TAUGHT, "Thank you.")
    assert facts(served) == []


@pytest.mark.parametrize("role", ["assistant", "system", "tool", "developer"])
def test_words_of_others_are_never_read(served, role):
    messages = [{"role": role, "content": TAUGHT}, {"role": "user", "content": "Hello."}]
    body = {"model": "prism", "messages": messages}
    assert served.call("POST", "/v1/chat/completions", body).status == 200
    assert facts(served) == []


def test_a_reply_ends_at_the_length_that_was_asked_for(served):
    answer = say(served, TAUGHT, max_tokens=2)
    assert answer.choices[0].message.content == "Noted: Freedonia"
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 2


def test_parameters_without_effect_are_named(served):
    assert say(served, TAUGHT, temperature=0.3).model_extra["prism"]["ignored"] == ["temperature"]


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"model": "gpt-9"}, "NotFoundError", "model 'gpt-9': there is none; must be 'prism'"),
        ({"n": 2}, "UnprocessableEntityError", "n = 2: must be 1 or left out"),
        ({"max_tokens": 0}, "UnprocessableEntityError", "max_tokens = 0: must be at least 1"),
        (
            {"extra_body": {"colour": "red"}},
            "UnprocessableEntityError",
            "colour: unknown; must be one of model, messages",
        ),
    ],
)
def test_what_is_wrong_is_one_line(served, options, error, line):
    import openai

    with pytest.raises(getattr(openai, error)) as raised:
        say(served, TAUGHT, **options)
    assert raised.value.body["message"].startswith(line)
    assert facts(served) == []


def test_sizes_have_limits(served):
    import openai

    with pytest.raises(openai.UnprocessableEntityError, match=r"must have at most 8,000"):
        say(served, "a" * 8_001)
    with pytest.raises(openai.APIStatusError) as raised:
        say(served, "a" * 1_000_001)
    assert raised.value.status_code == 413 and "1,000,000 bytes" in raised.value.message


def test_a_wrong_key_is_an_authentication_error(keyed):
    import openai

    with pytest.raises(openai.AuthenticationError, match="Authorization: Bearer KEY"):
        say(keyed, TAUGHT, key="prism-wrong")
    assert say(keyed, TAUGHT, key=keyed.keys["acme"]).choices[0].message.content


def test_twenty_streams_at_once_each_get_their_own_answer(keyed):
    def one(number: int) -> str:
        key = list(keyed.keys.values())[number % 2]
        fact = {"subject": f"Land{number}", "relation": "capital", "object": f"Town{number}"}
        assert keyed.call("POST", "/v1/facts", fact, key=key).status == 201
        stream = say(keyed, f"What is the capital of Land{number}?", key=key, stream=True)
        return "".join(c.choices[0].delta.content or "" for c in stream)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))) == [f"Town{number}" for number in range(20)]


class Slow:
    """A model of bytes whose steps take a while; it says "a" for ever."""

    def __init__(self, seconds: float) -> None:
        from types import SimpleNamespace

        import torch

        self.config, self.seconds = SimpleNamespace(vocab_size=257), seconds
        self.logits = torch.zeros(1, 1, 257)
        self.logits[..., ord("a")] = 10.0

    def __call__(self, tokens, state=None):
        from types import SimpleNamespace

        time.sleep(self.seconds)
        return SimpleNamespace(logits=self.logits.expand(1, tokens.shape[1], 257), state=state)


def slow_pair(seconds: float):
    from prism.data.tokens import ByteTokenizer

    return Slow(seconds), ByteTokenizer()


def raw_stream(served, text: str) -> socket.socket:
    """A connection on which a stream has begun."""
    body = json.dumps({"model": "prism", "messages": user(text), "stream": True}).encode()
    line = socket.create_connection(("127.0.0.1", served.port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    line.sendall(head.encode() + body)
    return line


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_frees_its_slot_within_a_second(tmp_path, stream):
    with serving(tmp_path / "mind.db", model=slow_pair(0.1), parallel=1) as served:
        body = {"model": "prism", "messages": user("Hello there."), "stream": stream}
        raw = json.dumps(body).encode()
        line = socket.create_connection(("127.0.0.1", served.port))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{served.port}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
        line.sendall(head.encode() + raw)
        until(lambda: served.turns() == 1)
        time.sleep(0.5)  # 48 pieces take 5 s
        assert served.turns() == 1
        line.close()
        assert until(lambda: served.turns() == 0) < 1.0


def test_a_client_that_goes_while_it_waits_has_written_nothing(tmp_path):
    with serving(tmp_path / "mind.db", model=slow_pair(0.05), parallel=1) as served:
        first = raw_stream(served, "Hello there.")
        until(lambda: served.turns() == 1)
        second = raw_stream(served, TAUGHT)
        until(lambda: served.turns() == 2)
        second.close()
        until(lambda: served.turns() == 1)
        first.close()
        until(lambda: served.turns() == 0)
        assert facts(served) == []


def test_too_many_turns_are_sent_away_with_the_time_to_wait(tmp_path, monkeypatch):
    import openai

    from prism.mind.serve import traffic

    monkeypatch.setattr(traffic, "WAITING", 1)
    with serving(tmp_path / "mind.db", model=slow_pair(0.05), parallel=1) as served:
        lines = [raw_stream(served, "Hello there.") for _ in range(2)]
        until(lambda: served.turns() == 2)
        with pytest.raises(openai.InternalServerError) as raised:
            say(served, TAUGHT)
        assert raised.value.status_code == 503 and raised.value.response.headers["retry-after"]
        monkeypatch.setattr(traffic, "PER_TENANT", 2)
        with pytest.raises(openai.RateLimitError) as limited:
            say(served, TAUGHT)
        assert limited.value.response.headers["retry-after"] == "1"
        for line in lines:
            line.close()
        until(lambda: served.turns() == 0)
        assert facts(served) == []


def test_a_file_that_another_program_holds_is_busy(served, monkeypatch, tmp_path):
    import openai

    from prism.mind import schema

    monkeypatch.setattr(schema, "PATIENCE", 0.2)  # of connections that are opened from now on
    with KnowledgeBase(tmp_path / "mind.db", "other") as other:
        with (
            other.ledger.operation("other", "add"),
            pytest.raises(openai.InternalServerError, match="another writer"),
        ):
            say(served, TAUGHT)
        assert say(served, TAUGHT).choices[0].message.content.startswith("Noted")


def test_a_model_speaks_the_answer_and_tenants_do_not_hear_one_another(tmp_path):
    from prism.mind.serve.keys import new_key

    file = tmp_path / "keys.jsonl"
    keys = {f"Town{i}": new_key(file, f"tenant {i}") for i in range(4)}
    options = {"model": slow_pair(0.002), "keys": file, "name": "prism-slow"}
    with serving(tmp_path / "mind.db", **options) as served:
        spoken: dict[str, str] = {}

        def one(town: str) -> None:
            key = keys[town]
            say(served, f"The capital of Freedonia is {town}.", key=key, model="prism-slow")
            reply = say(served, ASKED, key=key, model="prism-slow", stream=True)
            spoken[town] = "".join(c.choices[0].delta.content or "" for c in reply)

        threads = [threading.Thread(target=one, args=(town,)) for town in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert {town: text.strip()[:5] for town, text in spoken.items()} == {t: t for t in keys}
