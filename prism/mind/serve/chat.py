"""OpenAI's chat protocol over a knowledge base: /v1/chat/completions and /v1/models.

A turn waits for a slot, is consolidated, its questions are answered, and only then does the
response begin: what fails before has a status of its own. The reply is made piece by piece; a
client that goes frees the slot after the piece that is being made, and one that does not read holds
none, as pieces wait in memory (a reply has at most some hundred).

An extra field ``prism`` holds the trace: in the answer, or in the first chunk of a stream. Every
chunk of a stream says whether its words come from the answer's register (``prism.fact``).
"""

from __future__ import annotations

import functools
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from prism.mind.consolidate import Consolidation
from prism.mind.respond import Speaker, Spoken
from prism.mind.serve import bodies
from prism.mind.serve.bodies import Refused
from prism.mind.serve.rooms import Rooms
from prism.mind.serve.traffic import Traffic, while_connected
from prism.mind.serve.turns import Request, Turn, request_of

STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}


class Chat:
    """The chat routes of one server.

    Args:
        rooms: the tenants' knowledge bases.
        traffic: slots and queues.
        model: model and tokenizer that speak the answers, or None.
        name: of the model, as clients name it.
    """

    def __init__(
        self, rooms: Rooms, traffic: Traffic, model: tuple[Any, Any] | None, name: str
    ) -> None:
        self.rooms, self.traffic, self.model, self.name = rooms, traffic, model, name
        self.started = int(time.time())

    async def models(self, request: HttpRequest) -> Response:
        """The one model that is served."""
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def one_model(self, request: HttpRequest) -> Response:
        """The model of a name."""
        if request.path_params["name"] != self.name:
            message = f"model {request.path_params['name']!r}: there is none"
            raise Refused(404, f"{message}; must be {self.name!r}", "model_not_found", "model")
        return JSONResponse(self._model())

    def _model(self) -> dict[str, Any]:
        return {"id": self.name, "object": "model", "created": self.started, "owned_by": "prism"}

    async def completions(self, request: HttpRequest) -> Response:
        """Answer a turn."""
        wanted = request_of(await bodies.json_body(request), self.name)
        return Completion(self, request.state.tenant, wanted)

    def speaker(self) -> Speaker | None:
        """A speaker for one reply: its register holds that reply's answer and no other's."""
        return None if self.model is None else Speaker(*self.model)

    def count(self, texts: tuple[str, ...]) -> int:
        """Tokens of texts; words where there is no model."""
        if self.model is None:
            return sum(len(text.split()) for text in texts)
        return sum(len(self.model[1].encode(text)) for text in texts)


class Completion(Response):
    """The response to a turn; it does the turn's work, so that it ends with the connection.

    Args:
        chat: the routes.
        tenant: whose turn.
        wanted: the request.
    """

    def __init__(self, chat: Chat, tenant: str, wanted: Request) -> None:
        super().__init__()
        self.chat, self.tenant, self.wanted = chat, tenant, wanted
        self.turn = Turn(wanted)
        self.id, self.created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())
        self.pieces = 0
        self.finish = "stop"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(receive, functools.partial(self._answer, scope, receive, send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.wanted.stream:
            into, out = anyio.create_memory_object_stream[Spoken](float("inf"))
            failure: list[Exception] = []
            async with anyio.create_task_group() as group, out:
                begun = anyio.Event()

                async def work() -> None:
                    try:
                        async with into:
                            await self._work(into, begun)
                    except Exception as error:  # raised below, outside the group
                        failure.append(error)
                    begun.set()

                group.start_soon(work)
                await begun.wait()
                if not failure:
                    await self._send_stream(send, out)
            if failure:
                raise failure[0]
            return
        said: list[Spoken] = []
        await self._work(said)
        await JSONResponse(self._whole(said))(scope, receive, send)

    async def _work(
        self, into: MemoryObjectSendStream[Spoken] | list[Spoken], begun: anyio.Event | None = None
    ) -> None:
        """Take in the turn, answer its questions, and make the reply; in a slot."""
        chat, traffic = self.chat, self.chat.traffic
        async with (
            traffic.request(self.tenant),
            traffic.turn(),
            chat.rooms.enter(self.tenant) as room,
        ):
            async with room.lock:
                await traffic.write(
                    lambda: self.turn.consolidate(Consolidation(room.kb, self.wanted.speaker))
                )
            for question in self.turn.outcome.questions:
                async with room.lock:
                    ask = functools.partial(room.ask, question, self.turn.context(question))
                    self.turn.answered(question, await traffic.read(ask))
            if begun is not None:
                begun.set()
            speaker = await traffic.aside(chat.speaker)
            take: Callable[[Spoken], Any] = (
                into.append if isinstance(into, list) else into.send_nowait
            )
            await self._speak(self.turn.reply(speaker), take)

    async def _speak(self, reply: Iterator[Spoken], take: Callable[[Spoken], Any]) -> None:
        """Hand over pieces as they are made, at most as many as were asked for."""
        try:
            while True:
                piece = await self.chat.traffic.aside(functools.partial(next, reply, None))
                if piece is None:
                    return
                if self.wanted.most is not None and self.pieces >= self.wanted.most:
                    self.finish = "length"
                    return
                self.pieces += 1
                take(piece)
        finally:
            reply.close()  # type: ignore[attr-defined]

    async def _send_stream(self, send: Send, out: MemoryObjectReceiveStream[Spoken]) -> None:
        headers = [(name.encode(), value.encode()) for name, value in STREAM.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        first = {"role": "assistant", "content": ""}
        await self._chunk(send, first, prism=self.turn.trace())
        async for piece in out:
            await self._chunk(send, {"content": piece.text}, prism={"fact": piece.fact})
        await self._chunk(send, {}, finish=self.finish)
        if self.wanted.usage:
            await self._event(send, {**self._head("chat.completion.chunk"), **self._usage([])})
        await self._event(send, None)

    async def _chunk(
        self, send: Send, delta: dict[str, str], finish: str | None = None, **more: Any
    ) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        await self._event(
            send, {**self._head("chat.completion.chunk"), "choices": [choice], **more}
        )

    async def _event(self, send: Send, data: dict[str, Any] | None) -> None:
        text = "[DONE]" if data is None else json.dumps(data, ensure_ascii=False, allow_nan=False)
        body = f"data: {text}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": data is not None})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.chat.name}

    def _usage(self, choices: list[Any]) -> dict[str, Any]:
        read = self.chat.count(self.wanted.texts)
        counts = {"prompt_tokens": read, "completion_tokens": self.pieces}
        return {"choices": choices, "usage": {**counts, "total_tokens": read + self.pieces}}

    def _whole(self, said: list[Spoken]) -> dict[str, Any]:
        content = "".join(piece.text for piece in said).strip()
        message = {"role": "assistant", "content": content, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        whole = {**self._head("chat.completion"), **self._usage([choice])}
        return {**whole, "prism": self.turn.trace()}
