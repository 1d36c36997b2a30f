"""The real clock, and the real chance.

Rules:
1. This is the only module of the house that asks the machine what time it is.
2. Waiting is measured on the monotonic clock; wall time is for people, for the wire, and for what survives a restart.
3. A wall clock that jumps is believed after BELIEVED: until then decisions go on in the old time, so that no wait for
   an earlier request ends before that request can be dead. A clock that is slewed is followed at once.
4. A process goes on in the time of the one before it: a jump while none ran is a jump like any other.
5. By how much it was set in all is said beside the time (fsm.leaps): what was sent in the minute before a jump is
   believed is no older for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from fsm.instant import Instant

_DRAWN: Final = 4096
_EACH: Final = 16
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000
JUMP: Final = 5_000
"""Milliseconds by which a wall clock must change at once to have jumped."""
SLEWED: Final = 1_000
"""Milliseconds that slewing may add up to before they count as a leap: a request's life has more to spare."""
BELIEVED: Final = 60_000
"""Milliseconds until a jump is believed: a request lives no longer (fsm.policy: request_life)."""


def since_boot() -> int:
    """Nanoseconds that never go back and pass while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class SystemClock:
    """fsm.ports.Clock, from the operating system; `wall` and `steady` say where its nanoseconds come from."""

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = since_boot) -> None:
        """Begin with nothing drawn, in the time that the wall clock has."""
        self._wall, self._steady = wall, steady
        self._pool = b""
        self._at = 0
        self._offset = self.wall() - self._passed()
        self._other = self._offset
        self._believed = self._slewed = self._leaps = 0

    def now(self) -> int:
        """Milliseconds since 1970, without the jumps of the last minute."""
        passed = self._passed()
        offset = self.wall() - passed
        if -JUMP <= offset - self._offset <= JUMP or self._is_believed(offset, passed):
            self._adopt(offset)
        return passed + self._offset

    @property
    def leaps(self) -> int:
        """Milliseconds by which `now` has been set in all."""
        return self._leaps

    @property
    def offset(self) -> int:
        """Milliseconds since 1970 at which the machine started, in the time in which decisions are made."""
        return self._offset

    def go_on(self, leaps: int, offset: int | None) -> None:
        """Begin where an earlier process was: with its leaps, and its offset if the machine has not started since."""
        self._leaps = leaps
        if offset is not None:
            self._offset = self._other = offset

    def wall(self) -> int:
        """Milliseconds since 1970 as the machine has it at this moment."""
        return self._wall() // _MILLISECOND

    def _passed(self) -> int:
        return self._steady() // _MILLISECOND

    def _adopt(self, offset: int) -> None:
        self._slewed += offset - self._offset
        self._offset = self._other = offset
        if abs(self._slewed) >= SLEWED:
            self._leaps, self._slewed = self._leaps + self._slewed, 0

    def _is_believed(self, offset: int, passed: int) -> bool:
        """Whether the wall clock has kept to its new time for so long."""
        if not -JUMP <= offset - self._other <= JUMP:
            self._other, self._believed = offset, passed + BELIEVED
        return self._other != self._offset and passed >= self._believed

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def instant(self) -> Instant:
        """This moment: the wall clock first, so that a stop in between makes it older than it was, never newer."""
        wall = self.wall()
        return Instant(self._steady() / _SECOND, wall)

    def entropy(self) -> bytes:
        """16 random bytes, each given once; drawn many at a time, since asking the system costs a call."""
        if self._at >= len(self._pool):
            self._pool, self._at = os.urandom(_DRAWN), 0
        self._at += _EACH
        return self._pool[self._at - _EACH : self._at]
