"""Server of the knowledge base, measured from outside by the official client and plain requests.

streams      20 conversations at once, each in a thread of its own: right answers, times
disconnect   clients that go in the middle of a reply: seconds until no turn is inside
tenants      keys of 100 tenants with the same subject: reads of every kind, facts of others seen
spoken       with a model: replies that open with the resolved answer, replies in which words of
             another fact come from the register; replies where nothing is recalled must equal
             the model's own, and its weights their hash before; its logits over a long chat
             (:mod:`benchmarks.mind.speaking`)
start        seconds from the start of the chat, with a model, to its first lines

python -m benchmarks.mind.serving --out runs/serving.json [--model smollm2] [--quick]
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.mind.figures import Figures, chosen
from benchmarks.mind.speaking import STARTS, bare, start
from prism.command import Parser, command, say

PARTS = ("streams", "tenants", "spoken", "start")  # the last two with a model
ASKED = "What is the capital of Land{}?"


def request(port: int, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
    """One request; status and JSON."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    raw = None if body is None else json.dumps(body)
    if raw is not None:
        headers["Content-Type"] = "application/json"
    line.request(method, path, raw, headers)
    answer = line.getresponse()
    found = answer.status, json.loads(answer.read())
    line.close()
    return found


@contextmanager
def server(folder: Path, *more: str) -> Any:
    """A server in a process of its own; its port."""
    arguments = ["--kb", str(folder / "mind.db"), "--port", "0", *more]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "prism.serve", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise RuntimeError("the server did not start; its error stands above")
        yield int(said.split("http://127.0.0.1:")[1].split("/")[0])
    finally:
        process.terminate()
        process.wait(30)


def teach(port: int, number: int, key: str | None = None, value: str = "Town") -> None:
    """State the capital of a land."""
    fact = {"subject": f"Land{number}", "relation": "capital", "object": f"{value}{number}"}
    request(port, "POST", "/v1/facts", fact, key)


def streams(port: int, name: str, count: int) -> dict[str, Any]:
    """``count`` streams at once; a 503 with Retry-After, as a slow model gives, is counted."""
    from openai import InternalServerError, OpenAI

    client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
    for number in range(count):
        teach(port, number)

    def one(number: int) -> tuple[bool, bool, float, float]:
        begin, first, text, refused = time.perf_counter(), 0.0, "", False
        messages = [{"role": "user", "content": ASKED.format(number)}]
        try:
            for chunk in client.chat.completions.create(model=name, messages=messages, stream=True):
                first = first or time.perf_counter() - begin
                text += chunk.choices[0].delta.content or ""
        except InternalServerError as error:
            if error.status_code != 503 or "retry-after" not in error.response.headers:
                raise
            refused = True
        right = text.strip().startswith(f"Town{number}")
        return right, refused, first, time.perf_counter() - begin

    one(0)
    with ThreadPoolExecutor(count) as pool:
        done = list(pool.map(one, range(count)))
    client.close()
    right, refused, firsts, times = zip(*done, strict=True)
    return {
        "streams": count,
        "right": sum(right),
        "refused_with_503": sum(refused),
        "seconds_to_first_chunk": {"median": sorted(firsts)[count // 2], "max": max(firsts)},
        "seconds": {"median": sorted(times)[count // 2], "max": max(times)},
    }


def disconnect(port: int, name: str, count: int) -> dict[str, Any]:
    """Clients that go as soon as their reply has begun."""
    seconds = []
    for _ in range(count):
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        messages = [{"role": "user", "content": "Tell me a long story."}]
        body = json.dumps({"model": name, "messages": messages, "stream": True})
        head = {"Content-Type": "application/json"}
        line.request("POST", "/v1/chat/completions", body, head)
        answer = line.getresponse()
        answer.read1(64)
        answer.close()
        line.close()
        begin = time.perf_counter()
        while request(port, "GET", "/healthz")[1]["turns"]:
            time.sleep(0.005)
        seconds.append(time.perf_counter() - begin)
    return {"clients": count, "seconds_until_free": {"max": max(seconds)}}


def tenants(folder: Path, count: int, reads: int, seed: int = 0) -> dict[str, Any]:
    """Reads by tenants that hold the same subject."""
    from prism.mind.serve.keys import new_key

    file = folder / "keys.jsonl"
    keys = [new_key(file, f"tenant {i}") for i in range(count)]
    chance, leaks, wrong = random.Random(seed), 0, 0
    begin = time.perf_counter()
    with server(folder, "--keys", str(file)) as port:
        fact = {"subject": "Freedonia", "relation": "capital"}
        numbers = []
        for i, key in enumerate(keys):
            stated = request(port, "POST", "/v1/facts", fact | {"object": f"Own{i}x"}, key)
            numbers.append(stated[1]["fact"]["id"])
        for _ in range(reads):
            mine, other = chance.sample(range(count), 2)
            kind = chance.randrange(4)
            if kind == 0:
                status, body = request(port, "GET", "/v1/facts?q=own", None, keys[mine])
            elif kind == 1:
                asked = {"question": "What is the capital of Freedonia?"}
                status, body = request(port, "POST", "/v1/ask", asked, keys[mine])
            else:
                path = f"/v1/facts/{numbers[other]}" + ("/history" if kind == 2 else "")
                status, body = request(port, "GET", path, None, keys[mine])
            shown = json.dumps(body)
            leaks += any(f"Own{i}x" in shown for i in range(count) if i != mine)
            wrong += (f"Own{mine}x" not in shown) if kind < 2 else status != 404
    seconds = time.perf_counter() - begin
    return {"tenants": count, "reads": reads, "leaks": leaks, "wrong": wrong, "seconds": seconds}


def spoken(
    folder: Path, model: str, pair: tuple[Any, Any], count: int, tokens: int
) -> dict[str, Any]:
    """Replies of a model over HTTP, beside those of ``pair``, the same with its tokenizer, here."""
    from prism.mind.respond import Speaker
    from prism.record import weights_hash

    before, speaker = weights_hash(pair[0].state_dict()), Speaker(*pair)
    opened = others = equal = 0
    with server(folder, "--model", model) as port:
        name = request(port, "GET", "/v1/models")[1]["data"][0]["id"]
        for number in range(count):
            teach(port, number)
        for number in range(count):
            text, facts = _reply(port, name, ASKED.format(number))
            opened += text.strip().startswith(f"Town{number}")
            others += facts.strip() != f"Town{number}"
            free = f"What is the colour of stone {number}?"
            own = "".join(piece.text for piece in speaker.say(free, None))
            equal += _reply(port, name, free)[0].strip() == own.strip()
        gone = disconnect(port, name, 5)
        parallel = streams(port, name, 20)
    return {
        "replies": count,
        "open_with_the_answer": opened / count,
        "other_words_from_the_register": others,
        "free_replies_equal_to_the_models_own": equal / count,
        "parameters_unchanged": weights_hash(pair[0].state_dict()) == before,
        "logits": bare(pair, tokens),
        "disconnect": gone,
        "parallel": parallel,
    }


def _reply(port: int, name: str, question: str) -> tuple[str, str]:
    """A streamed reply: its words, and those that came from the register."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    messages = [{"role": "user", "content": question}]
    body = json.dumps({"model": name, "messages": messages, "stream": True})
    line.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    text = facts = ""
    for raw in line.getresponse():
        if raw.startswith(b"data: {"):
            chunk = json.loads(raw[6:])
            piece = chunk["choices"][0]["delta"].get("content") or ""
            text += piece
            facts += piece if chunk.get("prism", {}).get("fact") else ""
    line.close()
    return text, facts


def _streams_of_twenty(folder: Path) -> dict[str, Any]:
    with server(folder) as port:
        return streams(port, "prism", 20)


def _client() -> None:
    """Nothing if the official client is installed.

    Raises:
        ImportError: says how to install it.
    """
    if importlib.util.find_spec("openai") is None:
        raise ImportError("the server is measured by its official client: pip install openai")


def _model(p: argparse.ArgumentParser, name: str) -> tuple[Any, Any] | None:
    """The model that speaks and its tokenizer; ends the command where there is none."""
    from prism.serve import speaking

    try:
        return speaking(name)
    except (ImportError, ValueError, OSError) as error:
        p.error(f"--model {name}: {error}")


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, and write the JSON."""
    p: argparse.ArgumentParser = Parser(
        prog="python -m benchmarks.mind.serving", description=__doc__
    )
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON of the figures")
    p.add_argument("--model", metavar="smollm2|RUN", help="measure spoken replies too")
    p.add_argument("--quick", action="store_true", help="a twentieth of the reads; shows it works")
    p.add_argument("--parts", metavar="PART,PART", help=f"of {', '.join(PARTS)}; default all")
    args = p.parse_args(argv)
    try:
        parts = chosen(args.parts, PARTS if args.model else PARTS[:2])
        _client()
    except (ValueError, ImportError) as error:
        p.error(str(error))
    pair = _model(p, args.model) if "spoken" in parts else None
    typed = "python -m benchmarks.mind.serving" + (f" --model {args.model}" if args.model else "")
    typed += f" --parts {args.parts}" if args.parts else ""
    figures = Figures(args.out, typed, "quick" if args.quick else "full")
    reads, count, replies, tokens = (500, 10, 3, 300) if args.quick else (10_000, 100, 50, 10_000)
    measured: dict[str, Callable[[Path], Any]] = {
        "streams": _streams_of_twenty,
        "tenants": lambda folder: tenants(folder, count, reads),
        "spoken": lambda folder: spoken(folder, args.model, pair, replies, tokens),
        "start": lambda folder: start(folder, args.model, 1 if args.quick else STARTS),
    }
    for part in parts:
        with tempfile.TemporaryDirectory() as name:
            figures.measure(part, partial(measured[part], Path(name)))
    say(f"figures: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
