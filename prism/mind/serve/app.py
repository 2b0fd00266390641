"""Application: routes, the page, and what becomes of errors."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from prism.mind.reflect.reflector import default_readings
from prism.mind.serve import bodies
from prism.mind.serve.bodies import Refused
from prism.mind.serve.chat import Chat
from prism.mind.serve.facts import Facts
from prism.mind.serve.gate import Gate
from prism.mind.serve.rooms import Rooms
from prism.mind.serve.traffic import Traffic

PAGE = Path(__file__).with_name("page.html")


Endpoint = Callable[[Request], Awaitable[Response]]


def application(
    kb: Path,
    keys: Path | None = None,
    tenant: str = "default",
    model: tuple[Any, Any] | None = None,
    name: str = "prism",
    parallel: int = 4,
    origins: tuple[str, ...] = (),
) -> Starlette:
    """The server of a knowledge base.

    Args:
        kb: its file.
        keys: file of the keys; None = one ``tenant``, for this machine only.
        model: model and tokenizer that speak the answers; None: they are given as they are.
        name: of the model, as clients name it.
        parallel: turns that are answered at once.
        origins: other sites whose pages may call.

    Raises:
        ValueError, OSError: a knowledge base or keys that cannot be read.
    """
    default_readings()  # parser and encoder are loaded now, so that no first turn waits for them
    traffic = Traffic(parallel)
    rooms = Rooms(kb, traffic)
    chat, facts = Chat(rooms, traffic, model, name), Facts(rooms, traffic)

    async def health(request: Request) -> Response:
        async with rooms.enter(request.state.tenant) as room:
            number = await traffic.aside(lambda: len(room.kb))
        inside = {"turns": traffic.turns, "writes": traffic.writes, "parallel": parallel}
        return JSONResponse({"status": "ok", "model": name, "facts": number, **inside})

    async def root(request: Request) -> Response:
        return page()

    routes = _routes(root, health, chat, facts)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        rooms.close()

    gate = Middleware(Gate, keys=keys, tenant=tenant, origins=origins, page=page(401))
    cross = Middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"]
    )
    handlers: dict[Any, Any] = {Refused: _refused, HTTPException: _http, Exception: _failed}
    return Starlette(
        routes=routes,
        middleware=[cross, gate] if origins else [gate],
        exception_handlers=handlers,
        lifespan=life,
    )


def _routes(root: Endpoint, health: Endpoint, chat: Chat, facts: Facts) -> list[Route]:
    """Every address that is served, with the parameters that its query may have."""
    listed = ("q", "subject", "limit", "offset", "said")
    return [
        _route("GET", "/", root),
        _route("GET", "/healthz", health),
        _route("GET", "/v1/models", chat.models),
        _route("GET", "/v1/models/{name}", chat.one_model),
        _route("POST", "/v1/chat/completions", chat.completions),
        _route("POST", "/v1/ask", facts.ask),
        _route("POST", "/v1/undo", facts.undo),
        _route("GET", "/v1/facts", facts.listing, *listed),
        _route("POST", "/v1/facts", facts.state),
        _route("DELETE", "/v1/facts", facts.erase, "subject"),
        _route("GET", "/v1/facts/{number:int}", facts.one),
        _route("PUT", "/v1/facts/{number:int}", facts.correct),
        _route("DELETE", "/v1/facts/{number:int}", facts.drop, "erase"),
        _route("GET", "/v1/facts/{number:int}/history", facts.history),
        _route("GET", "/v1/pending", facts.pending),
        _route("POST", "/v1/pending/{number:int}", facts.decide),
    ]


def _route(method: str, path: str, endpoint: Endpoint, *query: str) -> Route:
    """An address whose query has no parameter but those of ``query``, each once."""

    async def checked(request: Request) -> Response:
        bodies.only_query(request, query)
        return await endpoint(request)

    return Route(path, checked, methods=[method])


def page(status: int = 200) -> HTMLResponse:
    """The page, with a policy under which only its own script and style run."""
    text = PAGE.read_text("utf-8")
    rules = [f"{kind}-src {_hash(text, kind)}" for kind in ("script", "style")]
    policy = [
        *("default-src 'none'", *rules, "connect-src 'self'", "img-src data:"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
    ]
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return HTMLResponse(text, status, headers)


def _hash(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    return f"'sha256-{digest}'"


async def _refused(request: Request, error: Refused) -> Response:
    return error.response()


async def _http(request: Request, error: HTTPException) -> Response:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http")
    shown = f"{request.method} {request.url.path}"
    return Refused(error.status_code, f"{shown}: {error.detail}", code).response()


async def _failed(request: Request, error: Exception) -> Response:
    """Tell the client that it failed here; the traceback goes to the server's own log."""
    return Refused(500, "the server failed; its log has why", "internal").response()
