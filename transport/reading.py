"""Reading: what nats-py's read loop hands over, cut into frames; and when the broker was last heard.

Rules:
1. What is not NATS ends the login, by the error that nats-py expects.
2. However much can be read already, others have their turn of the loop in between.
3. A broker that answers pings is heard at least once between two of them: a longer pause is noted, and forgotten never.
"""

from __future__ import annotations

import asyncio
from typing import Final

from nats import errors

from transport.framing import Framing, FramingError, Sink

_MUCH: Final = 16 * 1024


class Reading:
    """What a login has instead of nats-py's parser. `longest` is in seconds, `paused` in the loop's time."""

    def __init__(self, sink: Sink) -> None:
        """Begin between two frames; no pause is too long before `longest` is set."""
        self.longest = float("inf")
        self.paused = 0.0
        self._last = asyncio.get_running_loop().time()
        self._framing = Framing(sink)

    async def parse(self, data: bytes = b"") -> None:
        """Cut into frames."""
        now = asyncio.get_running_loop().time()
        if now - self._last > self.longest:
            self.paused = now
        self._last = now
        try:
            self._framing.feed(data)
        except FramingError as error:
            raise errors.ProtocolError(str(error)) from error
        if len(data) >= _MUCH:  # there may be more already, and reading that would not give way to anybody
            await asyncio.sleep(0)

    def reset(self) -> None:
        """Never: a login reads one stream."""
