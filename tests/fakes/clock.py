"""A loop that jumps through time when all is idle, and a clock on it: hours of waiting take no time at all."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from typing import Any, Final

from fsm.events import Sent
from fsm.instant import Instant
from fsm.ports import Clock
from fsm.runtime.loop import Handle
from tests.patience import PATIENCE

START: Final = 1_795_200_000_000
"""Milliseconds since 1970 at which a jumping clock begins."""


class StillError(AssertionError):
    """Nothing is under way, nothing is due, nothing came from outside in PATIENCE real seconds, and the test waits"""


class _Jumper(selectors.EpollSelector):
    """Instead of waiting it moves the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            ready = super().select(PATIENCE)
            if not ready:
                raise StillError
            return ready
        self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time; it is also fsm.runtime.loop.Loop."""

    def __init__(self) -> None:
        self._jumper = _Jumper()
        super().__init__(self._jumper)

    def time(self) -> float:
        return self._jumper.now


class JumpingClock:
    """fsm.ports.Clock on the running jumping loop; the wall clock alone may be set by `leap`."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 a test repeats itself
        self.skew = 0

    def now(self) -> int:
        return START + round((self.monotonic() - 1000.0) * 1000) + self.skew

    @property
    def leaps(self) -> int:
        return self.skew

    def wall(self) -> int:
        return self.now()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def instant(self) -> Instant:
        return Instant(self.monotonic(), self.wall())

    def entropy(self) -> bytes:
        return self._random.randbytes(16)

    def leap(self, milliseconds: int) -> None:
        """Set the wall clock forward, or back."""
        self.skew += milliseconds


def sent_over(clock: Clock, connection: str) -> Sent:
    """A request that is handed over now."""
    return Sent(clock.now(), connection, clock.leaps)


class Turns:
    """fsm.runtime.loop.Loop whose turns a test makes."""

    def __init__(self) -> None:
        self.next: list[tuple[asyncio.Future[None], Callable[..., object], tuple[Any, ...]]] = []
        self.later: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []

    def call_soon(self, callback: Callable[..., object], *args: Any) -> Handle:
        handle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.next.append((handle, callback, args))
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Handle:
        self.later.append((delay, callback, args))
        return asyncio.get_running_loop().create_future()

    def turn(self) -> None:
        """One turn of the loop."""
        now, self.next = self.next, []
        for handle, callback, args in now:
            if not handle.cancelled():
                callback(*args)

    def ring(self) -> None:
        """What was put off is called, whenever it is due."""
        later, self.later = self.later, []
        for _, callback, args in later:
            callback(*args)


async def pass_time(seconds: float) -> None:
    """Let the loop jump so far; whatever is due meanwhile happens."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def settle(turns: int = 50) -> None:
    """Let everything happen that is to happen at this moment of time."""
    for _ in range(turns):
        await asyncio.sleep(0)
