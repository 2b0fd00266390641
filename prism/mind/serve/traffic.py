"""Traffic: who may work now, who waits, and who is sent away.

    turns    at most ``parallel`` at once, ``WAITING`` more wait      else 503, Retry-After
    tenant   at most ``PER_TENANT`` requests inside at once           else 429, Retry-After
    writes   one at a time, in the order in which they came           else 503, Retry-After
    reads    one at a time: readings of questions share a parser

What a thread has begun it ends, also when the client has gone; what waits is dropped, unwritten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from starlette.types import Receive

from prism.mind.schema import Busy
from prism.mind.serve.bodies import Refused
from prism.whole_file import reason

T = TypeVar("T")
WAITING, PER_TENANT, WRITES = 64, 32, 64
PATIENCE = 30.0  # seconds that a turn waits for a slot


class Traffic:
    """Slots and queues of one server.

    Args:
        parallel: turns that are answered at once.
    """

    def __init__(self, parallel: int = 4) -> None:
        self.parallel = parallel
        self.slots = anyio.CapacityLimiter(parallel)
        self.writer, self.reader = anyio.CapacityLimiter(1), anyio.CapacityLimiter(1)
        self.steps = anyio.CapacityLimiter(parallel)
        self.inside: Counter[str] = Counter()
        self.turns = self.writes = 0

    @asynccontextmanager
    async def request(self, tenant: str) -> AsyncIterator[None]:
        """A request of a tenant.

        Raises:
            Refused: 429, the tenant has too many inside.
        """
        if self.inside[tenant] >= PER_TENANT:
            message = f"{PER_TENANT} requests of this key are being answered: wait for one"
            raise Refused(429, message, "rate_limit_exceeded", retry=1)
        self.inside[tenant] += 1
        try:
            yield
        finally:
            self.inside[tenant] -= 1
            if not self.inside[tenant]:
                del self.inside[tenant]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A slot for a turn of a conversation.

        Raises:
            Refused: 503, too many wait, or none became free in time.
        """
        if self.turns >= self.parallel + WAITING:
            raise Refused(503, "too many turns wait; try again", "overloaded", retry=2)
        self.turns += 1
        owner = object()
        try:
            try:
                with anyio.fail_after(PATIENCE):
                    await self.slots.acquire_on_behalf_of(owner)
            except TimeoutError:
                message = f"no slot became free in {PATIENCE:.0f} s; try again"
                raise Refused(503, message, "overloaded", retry=5) from None
            try:
                yield
            finally:
                self.slots.release_on_behalf_of(owner)
        finally:
            self.turns -= 1

    async def write(self, deed: Callable[[], T]) -> T:
        """Do a deed that writes, when all before it are done.

        Raises:
            Refused: 503, too many wait, or another program holds the file.
        """
        if self.writes >= WRITES:
            raise Refused(503, "too many writes wait; try again", "overloaded", retry=2)
        self.writes += 1
        try:
            return await self._done(deed, self.writer)
        finally:
            self.writes -= 1

    async def read(self, deed: Callable[[], T]) -> T:
        """Do a deed that reads.

        Raises:
            Refused: 503, another program holds the file.
        """
        return await self._done(deed, self.reader)

    async def aside(self, deed: Callable[[], T]) -> T:
        """Do a deed beside writes and reads: the step of a model, opening a file.

        Raises:
            Refused: 503, another program holds the file.
        """
        return await self._done(deed, self.steps)

    async def _done(self, deed: Callable[[], T], where: anyio.CapacityLimiter) -> T:
        try:
            return await to_thread.run_sync(deed, limiter=where)
        except Busy as error:
            raise Refused(503, reason(error), "busy", retry=5) from None
        except KeyError as error:
            raise Refused(404, reason(error), "not_found") from None
        except ValueError as error:
            raise Refused(422, reason(error), "invalid_value") from None
        except OSError as error:
            raise Refused(503, reason(error), "storage", retry=30) from None


async def while_connected(receive: Receive, work: Callable[[], Awaitable[None]]) -> None:
    """Do some work that is cut off when the client goes."""
    failure: list[Exception] = []

    async def watch() -> None:
        message: Any = {}
        while message.get("type") != "http.disconnect":
            message = await receive()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            await work()
        except Exception as error:  # raised below, outside the group, which would wrap it
            failure.append(error)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
