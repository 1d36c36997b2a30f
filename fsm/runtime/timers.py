"""Timers: one due time a node, in one heap, with one call arranged in the loop.

Rules:
1. A due time is never waited for longer than the span it was set with: a clock that jumps loses nothing (design §5.5).
2. Calls come PACE apart: what comes due meanwhile surfaces together, and becomes one batch of the store.
3. A due time that was replaced is dropped when it surfaces; nobody cancels anything.
4. While held, nothing fires; what came due meanwhile fires, a bounded piece a turn, when released.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from fsm.ports import Clock
from fsm.runtime.loop import Handle, Loop
from fsm.runtime.pump import Pump
from fsm.snapshot import Awaited

MOST: Final = 250
PACE: Final = 0.05
"""Seconds between two calls, so also how late a due time can be: nothing, beside the seconds that nodes wait."""


class Timers:
    """Calls `fire(node, awaited)` when a node's due time has come."""

    def __init__(
        self,
        loop: Loop,
        clock: Clock,
        fire: Callable[[str, Awaited], None],
        room: Callable[[], int] | None = None,
    ) -> None:
        """Begin with nothing due; `room` says for how many there is room now."""
        self._loop, self._clock, self._fire = loop, clock, fire
        self._heap: list[tuple[float, int, str, Awaited]] = []
        self._order = 0
        self._current: dict[str, Awaited] = {}
        self._alarm: Handle | None = None
        self._pump = Pump(loop, self._surface, MOST, room)
        self._held = False
        self._next = 0.0

    def __len__(self) -> int:
        """How many nodes have a due time."""
        return len(self._current)

    def set(self, node: str, awaited: Awaited | None) -> None:
        """The node's one due time from now on; None means none."""
        if awaited is None:
            self._current.pop(node, None)
            return
        if self._current.get(node) == awaited:
            return
        self._current[node] = awaited
        wait = min(max(awaited.at - self._clock.now(), 0), awaited.span) / 1000
        self._order += 1
        deadline = self._clock.monotonic() + wait
        heapq.heappush(self._heap, (deadline, self._order, node, awaited))
        if self._heap[0][1] == self._order:
            self._arrange()

    def hold(self) -> None:
        """Let nothing fire."""
        self._held = True
        self._pump.shut()

    def release(self) -> None:
        """Let what came due fire."""
        self._held = False
        self._pump.open()

    def feed(self) -> None:
        """There may be room again."""
        self._pump.feed()

    def _arrange(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._heap:
            now = self._clock.monotonic()
            self._alarm = self._loop.call_later(max(self._heap[0][0], self._next, now) - now, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._next = self._clock.monotonic() + PACE
        self._pump.prime()

    def _surface(self, most: int) -> bool:
        now = self._clock.monotonic()
        for _ in range(most):
            if not self._heap or self._heap[0][0] > now:
                self._arrange()
                return False
            _, _, node, awaited = heapq.heappop(self._heap)
            if self._current.get(node) is awaited:
                del self._current[node]
                self._fire(node, awaited)
        return True
