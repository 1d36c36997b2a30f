"""Peers: how many may talk to a server of ours at once, and how a talk ends for good.

Rules:
1. No peer, however many and however slow they are, takes more than its place: memory and files are bounded.
2. A connection that was closed is gone after a moment, whether or not its peer has read what was sent.
"""

from __future__ import annotations

import asyncio


class Places:
    """So many places; when all are taken, the peer who has had one longest loses it to the newest."""

    def __init__(self, most: int) -> None:
        """All free."""
        self._most = most
        self._taken: dict[asyncio.StreamWriter, None] = {}

    def __len__(self) -> int:
        """How many are taken."""
        return len(self._taken)

    def take(self, writer: asyncio.StreamWriter) -> None:
        """Seat the newest peer."""
        if len(self._taken) >= self._most:
            oldest = next(iter(self._taken))
            del self._taken[oldest]
            oldest.transport.abort()
        self._taken[writer] = None

    def leave(self, writer: asyncio.StreamWriter) -> None:
        """This talk is over."""
        self._taken.pop(writer, None)


def part(writer: asyncio.StreamWriter, within: float) -> None:
    """Close a connection, and cut it after so many seconds if its peer does not read what was sent."""
    writer.close()
    asyncio.get_running_loop().call_later(within, writer.transport.abort)
