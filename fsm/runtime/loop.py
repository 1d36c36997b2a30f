"""What the runtime needs of an event loop: to be called back, now or later.

Rules:
1. Only these two calls are used, so a test's loop can jump through time when all is idle.
2. Delays are seconds of the loop's own clock, which never goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Handle(Protocol):
    """A call that was arranged."""

    def cancel(self) -> None:
        """Have it not made."""
        ...


class Loop(Protocol):
    """The part of asyncio.AbstractEventLoop that timers and pumps use."""

    def call_soon(self, callback: Callable[..., object], *args: Any) -> Handle:
        """Call in the next turn."""
        ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Handle:
        """Call after so many seconds."""
        ...
