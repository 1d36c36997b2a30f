"""Pressure: how many names and due times may become turns now, so that memory is bounded by choice and not by luck.

A turn holds its unit in memory until that is durable. Names come faster than any disk takes them, and after an outage
a whole fleet is due at once: they wait where they cost least, names in their set, due times in their heap.

Rules:
1. Replies are never held back: what is under way is finished first, and makes the room.
2. Due times have more room than all nodes in flight can take, so that a slow disk cannot starve them; names have less.
3. Names wait while the waiting room is full, and while a port has more to do than its limit: forged ones too.
"""

from __future__ import annotations

from typing import Final

from fsm.runtime.admission import WIDEST, Admission
from fsm.runtime.executor import Executor
from fsm.runtime.mailbox import Mailboxes

NAMES: Final = 1024
"""Turns under way from which on names wait in their set."""
DUES: Final = 2 * WIDEST
"""Turns under way from which on due times wait in their heap."""
ROOM: Final = 100_000
"""Nodes in the waiting room from which on names wait in their set: a name there costs a tenth of a node here."""
LEAST: Final = 50
"""Room below which it is not worth beginning."""


class Pressure:
    """What is under way in one engine."""

    def __init__(self, mail: Mailboxes, admission: Admission, executor: Executor, waiting: int = ROOM) -> None:
        """Hold where to look; `waiting` is how many nodes the waiting room is filled with by names."""
        self._mail, self._admission, self._executor, self._waiting = mail, admission, executor, waiting

    def names(self) -> int:
        """For how many names there is room."""
        if self._executor.congested():
            return 0
        return _worth(min(NAMES - len(self._mail), self._waiting - self._admission.waiting - len(self._mail)))

    def dues(self) -> int:
        """For how many due times there is room."""
        return _worth(DUES - len(self._mail))


def _worth(room: int) -> int:
    return room if room >= LEAST else 0
