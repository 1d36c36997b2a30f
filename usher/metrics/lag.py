"""Loop lag: how late the event loop is, measured by a call that knows when it should come.

Rules:
1. One call every PERIOD, and nothing else.
2. What is measured is the loop's own lateness: no clock but the loop's is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

PERIOD: Final = 0.25


class LoopLag:
    """Calls `observe(seconds)` four times a second with how late the loop was."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        """Begin when started."""
        self._observe = observe
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure from now on."""
        loop = asyncio.get_running_loop()
        due = loop.time() + PERIOD
        self._handle = loop.call_at(due, self._measure, due)

    def stop(self) -> None:
        """Measure no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _measure(self, due: float) -> None:
        self._observe(max(asyncio.get_running_loop().time() - due, 0.0))
        self.start()
