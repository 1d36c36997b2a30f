"""The real clock, and the real chance.

Rules:
1. This is the only module of the house that asks the machine what time it is.
2. Wall time is for people and for what must survive a restart; waiting is measured on the monotonic clock.
"""

from __future__ import annotations

import os
import time


class SystemClock:
    """fsm.ports.Clock, from the operating system."""

    def now(self) -> int:
        """Wall clock, milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def entropy(self) -> bytes:
        """16 random bytes."""
        return os.urandom(16)
