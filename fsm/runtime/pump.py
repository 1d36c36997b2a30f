"""A pump: work that waits, done a bounded piece a turn of the loop.

Rules:
1. However much waits, one turn does no more than `most` pieces, so that replies and timers are never starved.
2. A pump that is shut keeps what waits; opening it goes on.
3. While there is no room for what it would make, it does nothing; who makes room says so with `feed`.
"""

from __future__ import annotations

from collections.abc import Callable

from fsm.runtime.loop import Handle, Loop


class Pump:
    """Calls `work(most)` once a turn of the loop for as long as that answers that more waits."""

    def __init__(
        self, loop: Loop, work: Callable[[int], bool], most: int, room: Callable[[], int] | None = None
    ) -> None:
        """Begin idle; `work` does at most that many pieces and says whether more waits; `room` is asked each turn."""
        self._loop = loop
        self._work = work
        self._most = most
        self._room = room
        self._next: Handle | None = None
        self._shut = False
        self._starved = False

    def prime(self) -> None:
        """Something waits."""
        if self._next is None and not self._shut:
            self._next = self._loop.call_soon(self._turn)

    def feed(self) -> None:
        """There may be room again."""
        if self._starved:
            self._starved = False
            self.prime()

    def shut(self) -> None:
        """Do nothing more until opened."""
        self._shut = True
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def open(self) -> None:
        """Go on."""
        self._shut = False
        self.prime()

    def _turn(self) -> None:
        self._next = None
        most = self._most if self._room is None else min(self._most, self._room())
        if most <= 0:
            self._starved = True
        elif self._work(most):
            self.prime()
