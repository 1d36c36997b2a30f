"""The requests that are under way, and for a while those that are over: what a reply subject belongs to.

A second machine under one name answers too, and a late answer is no stranger: so a request is remembered for a minute
after it is over. It then costs a few hundred bytes, and there is a limit to how many there are.

Rules:
1. A request under way is never forgotten; one that is over is, after KEPT seconds or when there are too many.
2. The same bytes again are a duplicate; other bytes of the same name are a second answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from fsm.events import Sent
from fsm.ports import Reply, Request
from transport.connection import Handed

KEPT: Final = 60.0
"""Seconds that a reply subject is remembered (design.md §3)."""
MOST: Final = 50_000
"""Requests that are remembered after they are over: about 20 MB."""


@dataclass(slots=True)
class Asked:
    """A request that was sent. Under way while `waiting` is there; `first` is the hash of the first answer's bytes."""

    node: str
    agent: str
    request: Request | None
    sent: Sent | None
    waiting: asyncio.Future[Reply] | None
    handed: Handed | None
    timer: asyncio.TimerHandle | None = None
    first: int | None = None
    absent: bool = False
    until: float = 0.0


class Memory:
    """Requests by their ids."""

    def __init__(self, monotonic: Callable[[], float], most: int = MOST) -> None:
        """Hold the clock (seconds that never go back) and how many are remembered at most."""
        self._monotonic = monotonic
        self._most = most
        self._asked: dict[str, Asked] = {}
        self._over: deque[str] = deque()

    def __len__(self) -> int:
        """How many are known, under way or remembered."""
        return len(self._asked)

    def add(self, request_id: str, asked: Asked) -> None:
        """A request that was sent just now."""
        self._asked[request_id] = asked

    def get(self, request_id: str) -> Asked | None:
        """The request of this id, if it is under way or still remembered."""
        asked = self._asked.get(request_id)
        if asked is None or asked.waiting is not None or asked.until > self._monotonic():
            return asked
        return None

    def under_way(self) -> Iterator[tuple[str, Asked]]:
        """All that still wait."""
        return ((request_id, asked) for request_id, asked in list(self._asked.items()) if asked.waiting is not None)

    def over(self, request_id: str, asked: Asked) -> None:
        """Nobody waits for it any more: keep of it what tells a second answer."""
        if asked.timer is not None:
            asked.timer.cancel()
        asked.waiting = asked.timer = asked.handed = asked.request = asked.sent = None
        now = self._monotonic()
        asked.until = now + KEPT
        self._over.append(request_id)
        while len(self._over) > self._most or self._is_stale(self._over[0], now):
            self._asked.pop(self._over.popleft(), None)

    def _is_stale(self, request_id: str, now: float) -> bool:
        asked = self._asked.get(request_id)
        return asked is None or asked.until <= now

    def forget(self, request_id: str) -> None:
        """It was never sent."""
        self._asked.pop(request_id, None)
