"""Settling: after an outage of the broker its nodes are on their way back, and may be slower than we are.

Rules:
1. The first login of a process is settled if nothing went wrong before it: the nodes had no reason to leave.
2. Any other is settled after so many seconds; until then, that nobody is subscribed proves nothing of a node that has
   not been heard since the login began.
3. Who found no broker for a while waits as long again at most before the next attempt (wire/protocol.md §6.1): after a
   short outage that we have seen from its begin, nodes are back sooner.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final

SHORTEST: Final = 5.0
"""Seconds in which a node is back after an outage that was over at once: it notices, connects, subscribes."""


class Settling:
    """Of one connection; seconds of the loop's own clock."""

    def __init__(self, longest: float) -> None:
        """Nothing has gone wrong yet; after whatever outage, nodes are back within `longest`."""
        self._longest = longest
        self._gone = inf  # since when there is no login, after a first failure
        self._been = False  # a login has been there
        self._until = 0.0
        self._back: set[str] = set()

    def disturb(self) -> None:
        """A login ended, or did not come to be."""
        now = asyncio.get_running_loop().time()
        self._gone = min(self._gone, now if self._been else -inf)

    def begin(self) -> None:
        """A login has come to be."""
        now = asyncio.get_running_loop().time()
        self._back.clear()
        if self._gone < inf:
            self._until = now + min(self._longest, SHORTEST + now - self._gone)
        self._been, self._gone = True, inf

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
