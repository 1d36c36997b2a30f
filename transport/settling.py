"""Settling: after an outage of the broker its nodes are on their way back, and may be slower than we are.

Rules:
1. The first login of a process is settled if nothing went wrong before it: the nodes had no reason to leave.
2. Any other is settled after so many seconds; until then, that nobody is subscribed proves nothing of a node that has
   not been heard since the login began.
"""

from __future__ import annotations

import asyncio


class Settling:
    """Of one connection; seconds of the loop's own clock."""

    def __init__(self, seconds: float) -> None:
        """Nothing has gone wrong yet."""
        self._seconds = seconds
        self._disturbed = False
        self._until = 0.0
        self._back: set[str] = set()

    def disturb(self) -> None:
        """A login ended, or did not come to be."""
        self._disturbed = True

    def begin(self) -> None:
        """A login has come to be."""
        self._back.clear()
        if self._disturbed:
            self._until = asyncio.get_running_loop().time() + self._seconds

    def end(self) -> None:
        """The nodes are known to be back."""
        self._until = 0.0

    def heard(self, node: str) -> None:
        """A node has answered."""
        if not self._over:
            self._back.add(node)

    def is_back(self, node: str) -> bool:
        """Whether this node has come back, or has had the time to."""
        return self._over or node in self._back

    @property
    def _over(self) -> bool:
        return asyncio.get_running_loop().time() >= self._until
