"""The real clock, and the real chance.

Rules:
1. This is the only module of the house that asks the machine what time it is.
2. Wall time is for people and for what must survive a restart; waiting is measured on the monotonic clock.
"""

from __future__ import annotations

import os
import time
from typing import Final

_DRAWN: Final = 4096
_EACH: Final = 16


class SystemClock:
    """fsm.ports.Clock, from the operating system."""

    def __init__(self) -> None:
        """Begin with nothing drawn."""
        self._pool = b""
        self._at = 0

    def now(self) -> int:
        """Wall clock, milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def entropy(self) -> bytes:
        """16 random bytes, each given once; drawn many at a time, since asking the system costs a call."""
        if self._at >= len(self._pool):
            self._pool, self._at = os.urandom(_DRAWN), 0
        self._at += _EACH
        return self._pool[self._at - _EACH : self._at]
