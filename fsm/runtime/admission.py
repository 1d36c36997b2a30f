"""Admission: the waiting room, and how many nodes may be in flight.

Rules (design §3 `discovered`):
1. Oldest first; nodes that have answered before strangers, failing ones last.
2. A node is in flight from its admission until it has restarted, failed or been put off.
3. The window follows the slowest port: it grows while nothing queues and shrinks while a port's queue is longer than
   its limit, so a burst does not take the locks of nodes that cannot be served soon, and silent nodes cannot fill it.
4. Who is refused stays in the room and is not admitted; with a pace, one is admitted each 60 / pace seconds at most.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from fsm.events import DueKind
from fsm.runtime.loop import Handle, Loop
from fsm.snapshot import Snapshot
from fsm.states import State

NARROWEST: Final = 64
WIDEST: Final = 4096
MOST: Final = 256
"""Nodes admitted in one turn of the loop: after an outage the whole window is empty at once."""
TICK: Final = 0.05
"""Seconds between two adjustments of the window."""
_FLYING: Final = frozenset({State.DISCOVERED, State.INVENTORIED, State.ENROLLED, State.CONFIGURED})


class Rank(IntEnum):
    """Who is admitted before whom."""

    KNOWN = 0
    STRANGER = 1
    FAILING = 2


def rank(snapshot: Snapshot) -> Rank:
    """The rank of a node in the waiting room."""
    if snapshot.failures or snapshot.absences or snapshot.returns:
        return Rank.FAILING
    return Rank.KNOWN if snapshot.answered else Rank.STRANGER


def in_flight(snapshot: Snapshot) -> bool:
    """Admitted, and not yet restarted, failed or put off."""
    if snapshot.state not in _FLYING:
        return False
    awaited = snapshot.awaited
    return snapshot.open is not None or (awaited is not None and awaited.kind is not DueKind.RETRY)


class Admission:
    """Calls `admit(node)` for as many waiting nodes as the window has room for."""

    def __init__(self, loop: Loop, admit: Callable[[str], None], congested: Callable[[], bool]) -> None:
        """Begin with an empty room; `congested` says whether a port's queue is longer than its limit."""
        self._loop, self._admit, self._congested = loop, admit, congested
        self._heap: list[tuple[int, int, str]] = []
        self._room: dict[str, tuple[int, int, str]] = {}
        self._flying: set[str] = set()
        self._called: set[str] = set()
        self._window = NARROWEST
        self._tick: Handle | None = None
        self._next: Handle | None = None
        self._held = False
        self._refused: dict[str, tuple[int, int, str]] = {}
        self._refuses: Callable[[str], bool] = lambda _: False
        self._pace = 0
        self._credit = 1.0
        self._refill: Handle | None = None

    def follow(self, refuses: Callable[[str], bool], pace: int) -> None:
        """Admit by these from now on: whom not, and how many a minute (0: as many as there is room for)."""
        self._refuses, self._pace = refuses, pace
        if self._refill is not None:
            self._refill.cancel()
        self._credit = min(self._credit, 1.0) if pace else 1.0
        self._refill = self._loop.call_later(self._period, self._earn) if self._credit < 1 else None
        everybody = [*self._room.values(), *self._refused.values()]
        self._room.clear()
        self._refused.clear()
        self._heap.clear()
        for entry in everybody:
            self._enter(entry)
        self._call()

    @property
    def refused(self) -> int:
        """How many nodes wait that are not admitted as things are."""
        return len(self._refused)

    @property
    def waiting(self) -> int:
        """How many nodes wait."""
        return len(self._room)

    @property
    def flying(self) -> int:
        """How many nodes are in flight."""
        return len(self._flying)

    @property
    def window(self) -> int:
        """How many nodes may be in flight now."""
        return self._window

    def oldest(self) -> int | None:
        """Since when the one that has waited longest waits (milliseconds since 1970); None in an empty room."""
        return min((since for _, since, _ in self._room.values()), default=None)

    def note(self, snapshot: Snapshot) -> None:
        """Take in a committed snapshot."""
        node = snapshot.node
        self._called.discard(node)
        if in_flight(snapshot):
            self._flying.add(node)
        else:
            self._flying.discard(node)
        if not snapshot.waiting_for_admission:
            self._room.pop(node, None)
            self._refused.pop(node, None)
        elif node not in self._room:
            self._enter((int(rank(snapshot)), snapshot.since, node))
        self._call()

    def _enter(self, entry: tuple[int, int, str]) -> None:
        if self._refuses(entry[2]):
            self._refused[entry[2]] = entry
        else:
            self._room[entry[2]] = entry
            heapq.heappush(self._heap, entry)

    def hold(self) -> None:
        """Admit nobody."""
        self._held = True

    def release(self) -> None:
        """Admit again."""
        self._held = False
        self._call()

    def _call(self) -> None:
        if self._next is not None:
            return
        admitted = 0
        while not self._held and self._heap and self._places():
            if admitted == MOST:
                self._next = self._loop.call_soon(self._again)
                return
            entry = heapq.heappop(self._heap)
            node = entry[2]
            if self._room.get(node) is entry:
                del self._room[node]
                self._called.add(node)
                admitted += 1
                self._spend()
                self._admit(node)
        if self._heap and self._tick is None and not self._held:
            self._tick = self._loop.call_later(TICK, self._adjust)

    def _places(self) -> bool:
        return len(self._flying) + len(self._called) < self._window and self._credit >= 1

    def _spend(self) -> None:
        if self._pace:
            self._credit -= 1
            if self._refill is None:
                self._refill = self._loop.call_later(self._period, self._earn)

    @property
    def _period(self) -> float:
        """Seconds between two looks at the pace: those between two nodes, or TICK if that is longer."""
        return max(60 / self._pace, TICK)

    def _earn(self) -> None:
        earned = self._period * self._pace / 60
        self._credit = min(self._credit + earned, max(1.0, earned))
        full = self._credit >= max(1.0, earned)
        self._refill = None if full else self._loop.call_later(self._period, self._earn)
        self._call()

    def _again(self) -> None:
        self._next = None
        self._call()

    def _adjust(self) -> None:
        self._tick = None
        if self._congested():
            self._window = max(NARROWEST, self._window * 9 // 10)
        elif len(self._flying) + len(self._called) >= self._window:
            self._window = min(WIDEST, self._window * 5 // 4 + 1)
        self._call()
