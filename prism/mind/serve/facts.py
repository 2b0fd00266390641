"""Facts over HTTP: list, search, state, correct, retract, erase, undo, decide, ask.

    GET    /v1/facts?q=&subject=&limit=&offset=   what holds, the newest first; &said=true: the
                                                  sentences that are kept in their own words
    POST   /v1/facts                              state one: 201, 200 known already, 202 it waits
    DELETE /v1/facts?subject=                     erase all about a subject, to the last byte
    GET    /v1/facts/N                            one; PUT: another value; DELETE: retract, or
                                                  ?erase=true
    GET    /v1/facts/N/history                    all that was believed under its two names
    POST   /v1/undo                               {"operation": N}; {} = the last
    GET    /v1/pending, POST /v1/pending/N        what waits; {"accept": true | false}
    POST   /v1/ask                                {"question": ..., "context": [...], "at": ...}

What a program states has the trust of the API: it cannot replace what a user has said. ``kind:
"user"`` says that a person has: the key may speak for its user, as it may in the chat.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from prism.mind.knowledge import LIVE, KnowledgeBase
from prism.mind.ledger import Statement
from prism.mind.records import SAID, Fact, Source, identity
from prism.mind.serve import bodies
from prism.mind.serve.bodies import Refused, field, invalid, moment, only, text
from prism.mind.serve.rooms import Room, Rooms
from prism.mind.serve.traffic import Traffic
from prism.mind.serve.turns import added_json, fact_json, triple_json

T = TypeVar("T")
NAME, OBJECT, QUESTION = 400, 4_000, 2_000  # characters
PAGE, CONTEXT = 500, 32
STATUS = {"added": 201, "superseded": 201, "known": 200, "pending": 202}
FOUND = "(instr(subject_id, ?) OR instr(relation_id, ?) OR instr(object_id, ?))"


class Facts:
    """The routes of facts of one server.

    Args:
        rooms: the tenants' knowledge bases.
        traffic: queues.
    """

    def __init__(self, rooms: Rooms, traffic: Traffic) -> None:
        self.rooms, self.traffic = rooms, traffic

    async def _read(self, request: Request, deed: Callable[[Room], T]) -> T:
        tenant = request.state.tenant
        async with self.traffic.request(tenant), self.rooms.enter(tenant) as room, room.lock:
            return await self.traffic.read(functools.partial(deed, room))

    async def _write(self, request: Request, deed: Callable[[Room], T]) -> T:
        tenant = request.state.tenant
        async with self.traffic.request(tenant), self.rooms.enter(tenant) as room, room.lock:
            return await self.traffic.write(functools.partial(deed, room))

    async def listing(self, request: Request) -> Response:
        """Facts that hold."""
        limit = bodies.number(request, "limit", 100, PAGE)
        offset = bodies.number(request, "offset", 0, 10**12)
        query = request.query_params
        q = bodies.query_text(request, "q", NAME) if query.get("q", "").strip() else None
        subject = bodies.query_text(request, "subject", NAME) if "subject" in query else None
        said = bodies.truth(request, "said")
        page = await self._read(
            request, lambda room: search(room.kb, q, subject, limit, offset, said)
        )
        return JSONResponse(page)

    async def state(self, request: Request) -> Response:
        """State a fact."""
        body = await bodies.json_body(request)
        only(body, *("subject", "relation", "object", "many", "source", "kind"), *TIMES)
        names = [text(body.get(n), n, NAME) for n in ("subject", "relation")]
        said = _statement(*names, body)
        added = await self._write(request, lambda room: room.kb.add_many([said])[0])
        return JSONResponse(added_json(added), STATUS[added.outcome])

    async def correct(self, request: Request) -> Response:
        """State another value in the place of a fact's."""
        body = await bodies.json_body(request)
        only(body, *("object", "many", "source", "kind"), *TIMES)
        said = _statement("it", "it", body)

        def deed(room: Room) -> Any:
            old = _live(room.kb, _number(request))
            if old.many and not said.many:
                raise ValueError(f"fact {old.id}: one of several; retract it and state another")
            values = {**vars(said), "subject": old.subject, "relation": old.relation}
            return room.kb.add_many([Statement(**{n: values[n] for n in FIELDS})])[0]

        added = await self._write(request, deed)
        return JSONResponse(added_json(added), STATUS[added.outcome])

    async def one(self, request: Request) -> Response:
        """One fact, live or not."""
        number = _number(request)
        found = await self._read(request, lambda room: shown(room.kb, [room.kb.fact(number)])[0])
        return JSONResponse(found)

    async def history(self, request: Request) -> Response:
        """All that was believed under the names of a fact, the oldest first."""
        number = _number(request)

        def deed(room: Room) -> list[dict[str, Any]]:
            fact = room.kb.fact(number)
            return shown(room.kb, room.kb.history(fact.subject, fact.relation))

        return JSONResponse({"object": "list", "data": await self._read(request, deed)})

    async def drop(self, request: Request) -> Response:
        """Retract a fact, or erase it."""
        number = _number(request)
        if bodies.truth(request, "erase"):
            return await self._erase(request, fact=number)
        operation = await self._write(request, lambda room: room.kb.retract(number))
        return JSONResponse({"retracted": number, "operation": operation})

    async def erase(self, request: Request) -> Response:
        """Erase all about a subject."""
        return await self._erase(request, subject=bodies.query_text(request, "subject", NAME))

    async def _erase(self, request: Request, **which: Any) -> Response:
        def deed(room: Room) -> int:
            try:
                return room.kb.erase(**which)
            finally:
                room.forget_words()
                identity.cache_clear()

        return JSONResponse({"erased": await self._write(request, deed)})

    async def undo(self, request: Request) -> Response:
        """Take back an operation."""
        body = await bodies.json_body(request)
        only(body, "operation")
        number = field(body, "operation", int)

        def deed(room: Room) -> tuple[int, list[Fact]]:
            which = room.kb.undoable() if number is None else number
            return which, room.kb.undo(which)

        undone, back = await self._write(request, deed)
        return JSONResponse({"undone": undone, "back": [fact_json(fact) for fact in back]})

    async def pending(self, request: Request) -> Response:
        """Statements that wait for a decision."""
        waiting = await self._read(request, lambda room: room.kb.pending())
        rows = [
            {
                "id": number,
                **triple_json(said.subject, said.relation, said.object),
                "source": {**vars(said.source), "shown": str(said.source)},
            }
            for number, said in waiting
        ]
        return JSONResponse({"object": "list", "data": rows})

    async def decide(self, request: Request) -> Response:
        """Accept or reject what waits."""
        body = await bodies.json_body(request)
        only(body, "accept")
        number, accept = _number(request), field(body, "accept", bool)
        if accept is None:
            invalid("accept", None, "true or false")
        if accept:
            added = await self._write(request, lambda room: room.kb.accept(number))
            return JSONResponse(added_json(added))
        await self._write(request, lambda room: room.kb.reject(number))
        return JSONResponse({"rejected": number})

    async def ask(self, request: Request) -> Response:
        """Answer a question."""
        body = await bodies.json_body(request)
        only(body, "question", "context", "at")
        question = text(body.get("question"), "question", QUESTION)
        context = field(body, "context", list, [])
        if len(context) > CONTEXT:
            invalid("context", len(context), f"at most {CONTEXT} names")
        names = [text(name, f"context[{i}]", NAME) for i, name in enumerate(context)]
        at = moment(body, "at")
        answer = await self._read(request, lambda room: room.ask(question, names, at))
        return JSONResponse(answer.as_dict())


TIMES = ("valid_from", "valid_to")
FIELDS = ("subject", "relation", "object", "source", "many", *TIMES)


def _statement(subject: str, relation: str, body: dict[str, Any]) -> Statement:
    kind = body.get("kind") or "api"
    if kind not in ("api", "user"):
        invalid("kind", kind, '"api" or "user"')
    uri = body.get("source")
    source = Source(kind, None if uri is None else text(uri, "source", NAME))
    times = [moment(body, name) for name in TIMES]
    thing = text(body.get("object"), "object", OBJECT)
    return Statement(subject, relation, thing, source, field(body, "many", bool, False), *times)


def _number(request: Request) -> int:
    number = int(request.path_params["number"])
    if number >= 2**63:
        raise Refused(404, f"{number}: there is none", "not_found")
    return number


def _live(kb: KnowledgeBase, number: int) -> Fact:
    fact = kb.fact(number)
    if not fact.live:
        raise ValueError(f"fact {number}: is retired already")
    return fact


def search(
    kb: KnowledgeBase,
    q: str | None,
    subject: str | None,
    limit: int,
    offset: int,
    said: bool = False,
) -> dict[str, Any]:
    """A page of the facts that hold, the newest first, and how many there are in all.

    Args:
        q: part of a subject, relation or object.
        subject: of these only.
        said: sentences that are kept in their own words instead of facts.
    """
    where = f"tenant = ? AND relation_id {'=' if said else '<>'} ? AND {LIVE}"
    values = [kb.tenant, SAID]
    if subject is not None:
        where, values = f"{where} AND subject_id = ?", [*values, identity(subject, "subject")]
    if q is not None:
        where, values = f"{where} AND {FOUND}", [*values, *[identity(q, "q")] * 3]
    total = kb.ledger.query(f"SELECT count(*) FROM facts WHERE {where}", tuple(values))[0][0]
    order = f"facts.id DESC LIMIT {int(limit)} OFFSET {int(offset)}"
    data = shown(kb, kb.ledger.rows(where, tuple(values), order))
    return {"object": "list", "total": int(total), "offset": offset, "data": data}


def shown(kb: KnowledgeBase, facts: list[Fact]) -> list[dict[str, Any]]:
    """Facts as JSON, each with the operation that wrote it."""
    marks = ", ".join("?" * len(facts))
    rows = kb.ledger.query(
        f"SELECT id, added_by FROM facts WHERE tenant = ? AND id IN ({marks})",
        (kb.tenant, *(fact.id for fact in facts)),
    )
    by = {row[0]: row[1] for row in rows}
    return [{**fact_json(fact), "operation": by.get(fact.id)} for fact in facts]
