"""Startups: what the newest startup events said of their servers' clocks and versions (wire/protocol.md §8).

Rules:
1. It is what somebody said under a name: anybody may forge it, so it is shown to people and decides nothing.
2. It is bounded: beyond MOST names the one that was heard of longest ago is dropped.
3. Nothing of it is durable: who asks after a start of usher is told that nothing was heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST: Final = 10_000
"""Names that are remembered: two megabytes."""
LONGEST: Final = 64
"""Characters of a version that are kept."""


@dataclass(frozen=True, slots=True)
class Startup:
    """A startup event: when it came (`at`, our wall clock), how far its clock is `ahead` of ours, and its version.

    Milliseconds; `ahead` is known to a second, since events carry seconds, less the time that the event travelled.
    """

    at: int
    ahead: int
    version: str


class Startups:
    """The newest one of each name."""

    def __init__(self, most: int = MOST) -> None:
        """Begin with none."""
        self._most = most
        self._heard: dict[str, Startup] = {}

    def __len__(self) -> int:
        """How many names are remembered."""
        return len(self._heard)

    def note(self, node: str, at: int, timestamp: int, version: str) -> None:
        """An event of this node came `at` (milliseconds since 1970); `timestamp` is its own time, in seconds."""
        self._heard.pop(node, None)
        if len(self._heard) >= self._most:
            del self._heard[next(iter(self._heard))]
        self._heard[node] = Startup(at, timestamp * 1000 - at // 1000 * 1000, version[:LONGEST])

    def of(self, node: str) -> Startup | None:
        """What was heard of a node last; None if nothing was, or too long ago."""
        return self._heard.get(node)
