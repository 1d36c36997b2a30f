"""An instant: one moment as two clocks have it.

Rules:
1. Both are read at one time: what was decided by the one is said by the other.
2. A stop of the process between the two readings makes the wall clock's older than it was, never newer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """Seconds since the machine started, its sleep included, and milliseconds since 1970."""

    boot: float
    wall: int
