"""Bodies of requests, and the form of errors.

A body is one JSON object of bounded size. What is wrong with it is one line that names the field,
the value and what is allowed, in the form of OpenAI's errors:

    {"error": {"message": ..., "type": ..., "param": field or null, "code": ...}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse

from prism.mind.knowledge import WHOLE

BODY = 1_000_000  # bytes of a request
PATIENCE = 20.0  # seconds for a body to arrive
SHOWN = 60  # characters of a value in an error
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
NAMES = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "an integer"}


class Refused(Exception):
    """A request that is not done: status, one line, and for how long to wait.

    Args:
        status: HTTP status.
        message: one line.
        code: short name of the error, for programs.
        param: the field that is wrong.
        retry: seconds after which the same request may succeed.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        param: str | None = None,
        retry: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.param, self.retry = param, retry

    def response(self) -> JSONResponse:
        """The answer that says so."""
        kind = TYPES.get(self.status)
        kind = kind or ("server_error" if self.status >= 500 else "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        headers = {} if self.retry is None else {"Retry-After": str(self.retry)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse({"error": error}, self.status, headers)


def invalid(param: str, value: Any, must: str, status: int = 422) -> NoReturn:
    """Refuse a value.

    Raises:
        Refused: always; 422 a field of the body, 400 a parameter of the query.
    """
    shown = json.dumps(value, ensure_ascii=True)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    raise Refused(status, f"{param} = {shown}: must be {must}", "invalid_value", param)


async def json_body(request: Request) -> dict[str, Any]:
    """The object in a request's body.

    Raises:
        Refused: 415 no JSON announced (a page of another origin can send no other without being
            asked first), 413 too large, 408 too slow, 400 no JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        shown = f"Content-Type {kind!r}: must be application/json"
        raise Refused(415, shown, "unsupported_media_type")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > BODY:
        _too_large()
    raw = bytearray()
    try:
        with anyio.fail_after(PATIENCE):
            async for piece in request.stream():
                raw += piece
                if len(raw) > BODY:
                    _too_large()
    except TimeoutError:
        message = f"the body took longer than {PATIENCE:.0f} s"
        raise Refused(408, message, "timeout") from None
    try:
        body = json.loads(raw, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}", "invalid_json") from None
    if not isinstance(body, dict):
        raise Refused(422, "the body: must be an object", "invalid_value")
    return body


def _too_large() -> NoReturn:
    raise Refused(413, f"the body: must have at most {BODY:,} bytes", "body_too_large")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def only(body: dict[str, Any], *known: str) -> None:
    """Refuse fields that are not ``known``."""
    for name in body:
        if name not in known:
            message = f"{name[:SHOWN]}: unknown; must be one of {', '.join(known)}"
            raise Refused(422, message, "unknown_field", name[:SHOWN])


def field(body: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A field of a kind; ``default`` where it is missing or null."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        invalid(name, value, NAMES[kind])
    if kind is int and abs(value) >= 2**63:
        invalid(name, value, "an integer of 64 bits")
    return value


def moment(body: dict[str, Any], name: str) -> float | None:
    """A time in seconds since 1970, or None."""
    value = body.get(name)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or abs(value) > 1e12:
        invalid(name, value, "seconds since 1970")
    return float(value)


def text(value: Any, name: str, most: int, status: int = 422) -> str:
    """Text that is not empty, of at most so many characters."""
    if not isinstance(value, str) or not value.strip():
        invalid(name, value, "text that is not empty", status)
    if len(value) > most:
        message = f"{name}: has {len(value):,} characters; must have at most {most:,}"
        raise Refused(status, message, "too_long", name)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        invalid(name, value, "whole characters, not halves of surrogate pairs", status)
    if "\0" in value:
        invalid(name, value, "text without NUL characters", status)
    return str(value)


def only_query(request: Request, known: Sequence[str]) -> None:
    """Refuse parameters of the query that are not ``known``, or stand twice: what is passed over in
    silence would be answered with more than was asked for.

    Raises:
        Refused: 400.
    """
    given = request.query_params
    for name in given:
        shown = name[:SHOWN]
        if name not in known:
            allowed = f"must be one of {', '.join(known)}" if known else "this route takes none"
            message = f"query parameter {shown!r}: unknown; {allowed}"
            raise Refused(400, message, "unknown_parameter", shown)
        if len(given.getlist(name)) > 1:
            message = f"query parameter {shown!r}: stands twice; must stand once"
            raise Refused(400, message, "invalid_value", shown)


def query_text(request: Request, name: str, most: int) -> str:
    """Text of the query, as :func:`text`."""
    return text(request.query_params.get(name), name, most, 400)


def truth(request: Request, name: str) -> bool:
    """``true`` or ``false`` of the query, false by default."""
    given = request.query_params.get(name, "false")
    if given not in ("true", "false"):
        invalid(name, given, "true or false", 400)
    return given == "true"


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, between 0 and ``most``."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and len(given) < 16 and int(given) <= most):
        signed = given.removeprefix("-")
        value = int(given) if signed.isdecimal() and len(signed) < 16 else given
        invalid(name, value, f"{WHOLE}, at most {most:,}", 400)
    return int(given)
