"""How a connection behaves: how long it waits for a broker, and how long before it asks again.

Rules:
1. A pause grows with each round of servers that brought no lasting login, up to the last of `backoff`.
2. It is drawn anew from half to one and a half of its length, so that many clients do not come at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import SystemRandom
from typing import Final

BACKOFF: Final = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
"""Seconds before the n-th round of attempts to log in; the last repeats (protocol.md §6.1)."""
_random: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Options:
    """How a connection behaves; seconds and bytes. A silent broker is noticed after two to three `ping`.

    `settling` is how long after an outage nodes may be on their way back: a server waits 20 s, and up to half of that
    more, before it tries again (wire/protocol.md §6.1).
    """

    connect_timeout: float = 2.0
    ping: float = 10.0
    settling: float = 35.0
    backoff: tuple[float, ...] = BACKOFF
    most_waiting: int = 16 * 1024 * 1024

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, at least one."""
        return self.backoff[min(failures, len(self.backoff)) - 1] * _random.uniform(0.5, 1.5)
