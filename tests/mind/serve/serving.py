"""A server in this process, and the plainest client of it. Skipped where starlette, uvicorn or the
official client is missing; an error under PRISM_TEST_MIND, so that nothing passes by skipping."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import threading
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest

NEEDED = ("starlette", "uvicorn", "openai")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if MISSING and os.environ.get("PRISM_TEST_MIND"):
    raise ImportError(f"{', '.join(MISSING)}: make test-mind installs them")

needs_server = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")


class Served:
    """A running server.

    Attributes:
        app: the application.
        port: where it listens.
    """

    def __init__(self, app, port: int) -> None:
        self.app, self.port = app, port
        self.url = f"http://127.0.0.1:{port}"
        self._clients = {}

    def client(self, key: str = "none"):
        """The official client, one for a key."""
        from openai import OpenAI

        if key not in self._clients:
            self._clients[key] = OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)
        return self._clients[key]

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()

    def call(self, method: str, path: str, body=None, key: str | None = None, **headers):
        """One request: status, headers and JSON of its answer."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            line.request(method, path, raw, sent)
            answer = line.getresponse()
            text = answer.read()
        finally:
            line.close()
        kind = answer.headers.get("content-type", "")
        shown = json.loads(text) if text and "json" in kind else text
        return SimpleNamespace(status=answer.status, headers=answer.headers, json=shown)

    def turns(self) -> int:
        """How many turns are inside."""
        return self.call("GET", "/healthz").json["turns"]


def routes(app) -> list[tuple[str, str]]:
    """Method and path of every route."""
    filled = [(r, r.path.replace("{number:int}", "1").replace("{name}", "x")) for r in app.routes]
    return [(method, path) for r, path in filled for method in r.methods]


def until(true, seconds: float = 10.0) -> float:
    """The seconds until something is true."""
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds, f"not true after {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - begin


@contextmanager
def serving(path, **options):
    """A server of a knowledge base at ``path``, on a free port."""
    import uvicorn

    from prism.mind.serve.app import application
    from prism.serve import listening

    with listening("127.0.0.1", 0) as door:
        app = application(path, **options)
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            until(lambda: server.started)
            with closing(Served(app, door.getsockname()[1])) as served:
                yield served
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
