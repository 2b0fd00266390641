"""Gate: what a request must show before anything of it is read.

    a key        Authorization: Bearer KEY -> its tenant; else 401, on every route
    no keys      one tenant, for programs of this machine only: Host must be a name of it, so that
                 no page of the web reaches the server under a name of its own (DNS rebinding)
    an origin    of another site: 403, unless it was allowed when the server was started

The page itself is the body of its 401: it holds no data, and asks for the key.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from prism.mind.serve.bodies import Refused
from prism.mind.serve.keys import Keys
from prism.whole_file import reason

HERE = ("localhost", "127.0.0.1", "::1")
UNKNOWN = "the key: none, or unknown; must be sent as Authorization: Bearer KEY"


class Gate:
    """The gate before an application.

    Args:
        app: what is behind it.
        keys: file of the keys; None = no keys.
        tenant: who enters where there are no keys.
        origins: other sites that may call, as ``https://host``.
        page: the body of a 401 at "/".
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Path | None,
        tenant: str,
        origins: tuple[str, ...],
        page: HTMLResponse,
    ) -> None:
        self.app, self.tenant, self.origins, self.page = app, tenant, origins, page
        self.keys = None if keys is None else Keys(keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            if self._asks_first(scope, headers):  # a preflight carries no key; CORS answers it
                await self.app(scope, receive, send)
                return
            self._same_origin(headers)
            scope.setdefault("state", {})["tenant"] = self._tenant(headers)
        except Refused as refused:
            await self._refusal(scope, refused)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, refused: Refused) -> Response:
        if refused.status == 401 and scope["path"] == "/" and scope["method"] == "GET":
            return self.page
        return refused.response()

    def _asks_first(self, scope: Scope, headers: Headers) -> bool:
        asks = "access-control-request-method" in headers
        return scope["method"] == "OPTIONS" and asks and headers.get("origin") in self.origins

    def _same_origin(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if self.keys is None and _name(f"//{host}") not in HERE:
            message = f"Host {host!r}: must be one of {', '.join(HERE)} where there are no keys"
            raise Refused(403, message, "host_not_allowed")
        origin = headers.get("origin")
        if origin is None or origin in self.origins:
            return
        if urlsplit(origin).netloc != host:
            message = f"Origin {origin!r}: another site; --allow-origin lets it call"
            raise Refused(403, message, "origin_not_allowed")

    def _tenant(self, headers: Headers) -> str:
        if self.keys is None:
            return self.tenant
        scheme, _, key = headers.get("authorization", "").partition(" ")
        try:
            tenant = self.keys.tenant(key.strip()) if scheme.lower() == "bearer" else None
        except (ValueError, OSError) as error:
            message = f"the keys cannot be read: {reason(error)}"
            raise Refused(503, message, "keys", retry=30) from None
        if tenant is None:
            raise Refused(401, UNKNOWN, "invalid_api_key")
        return tenant


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
