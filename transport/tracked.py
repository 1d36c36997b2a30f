"""Requests that change a node, followed until they are answered or dead: what a hand-over has to wait for.

Rules:
1. A request that changes the node is alive until it is answered, was not delivered, or its ttl is over.
2. Whoever gave it up does not make it dead: a call that was cancelled leaves it alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Reply, Request, Rpc

_DEAD: Final = frozenset({Certainty.NOT_SENT, Certainty.NOT_DELIVERED, Certainty.REFUSED, Certainty.INVALID})
"""It was not sent, reached nobody, or was answered."""


class Tracked:
    """The port Rpc over another one."""

    def __init__(self, rpc: Rpc, monotonic: Callable[[], float]) -> None:
        """Begin with nothing alive."""
        self._rpc, self._monotonic = rpc, monotonic
        self._alive: dict[object, float] = {}
        self._waiting: set[object] = set()
        self._answered = asyncio.Event()

    async def call(self, request: Request) -> Reply:
        """Ask and wait for the answer; raises CallError."""
        if not request.changes:
            return await self._rpc.call(request)
        this = object()
        self._alive[this] = self._monotonic() + request.ttl
        self._waiting.add(this)
        try:
            reply = await self._rpc.call(request)
        except CallError as error:
            if error.certainty in _DEAD:
                del self._alive[this]
            raise
        else:
            del self._alive[this]
            return reply
        finally:
            self._waiting.discard(this)
            self._answered.set()
            self._forget()

    def rest(self) -> float:
        """Seconds until all that was sent is dead or answered."""
        self._forget()
        return max((end - self._monotonic() for end in self._alive.values()), default=0.0)

    async def settle(self, within: float) -> None:
        """Wait until every request that changes a node is answered or given up, so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._waiting:
                    self._answered.clear()
                    await self._answered.wait()

    def _forget(self) -> None:
        now = self._monotonic()
        for this in [this for this, end in self._alive.items() if end <= now and this not in self._waiting]:
            del self._alive[this]
