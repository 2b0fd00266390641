"""Rooms: the open knowledge base of each tenant, and who answers its questions.

Weights of the readings are loaded once in a process; what a reading has learned of a tenant's
words, its tape and its vocabulary belong to one room. Rooms that nobody is in are closed, the
oldest first.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from prism.mind.knowledge import KnowledgeBase
from prism.mind.mind import Mind
from prism.mind.reflect import Answer
from prism.mind.serve.traffic import Traffic

OPEN = 128  # rooms that stay open


class Room:
    """One tenant's knowledge base. One thread at a time works in it, under ``lock``.

    Args:
        path: of the knowledge base.
        tenant: whose.
    """

    def __init__(self, path: Path, tenant: str) -> None:
        self.kb = KnowledgeBase(path, tenant)
        self.lock = anyio.Lock()
        self.visitors = 0
        self._mind: Mind | None = None

    def ask(self, question: str, context: Sequence[str] = (), at: float | None = None) -> Answer:
        """The answer to a question, as :meth:`prism.mind.Mind.ask`."""
        if self._mind is None:
            self._mind = Mind(self.kb)
        return self._mind.ask(question, context, at)

    def forget_words(self) -> None:
        """Drop what was learned of words, after an erasure."""
        self._mind = None


class Rooms:
    """All tenants' rooms.

    Args:
        path: of the knowledge base.
        traffic: in whose threads rooms are opened and closed.
    """

    def __init__(self, path: Path, traffic: Traffic) -> None:
        self.path, self.traffic = path, traffic
        self._open: OrderedDict[str, Room] = OrderedDict()
        self._door = anyio.Lock()

    @asynccontextmanager
    async def enter(self, tenant: str) -> AsyncIterator[Room]:
        """The room of a tenant, kept open meanwhile."""
        async with self._door:
            if tenant not in self._open:
                await self._make_space()
                room = functools.partial(Room, self.path, tenant)
                self._open[tenant] = await self.traffic.aside(room)
            self._open.move_to_end(tenant)
            room = self._open[tenant]
            room.visitors += 1
        try:
            yield room
        finally:
            room.visitors -= 1

    async def _make_space(self) -> None:
        empty = [name for name, room in self._open.items() if not room.visitors]
        for name in empty[: max(0, len(self._open) - OPEN + 1)]:
            await self.traffic.aside(self._open.pop(name).kb.close)

    def close(self) -> None:
        """Close all rooms; their tapes are kept for the next start."""
        while self._open:
            self._open.popitem()[1].kb.close()
