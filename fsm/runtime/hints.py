"""Hints: names from discovery and events, in a bounded set, worked off a bounded piece a turn of the loop.

Rules (design §5.1):
1. A name that is in the set already is not taken twice; the newest kind of hint stands.
2. The set is never shed below its bound; beyond it a new name is counted and dropped: discovery lists it again.
3. A hint that tells of two machines with one name is no sighting: it is never merged with another.
4. A name leaves the set only while there is room for what it brings (fsm.runtime.pressure).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fsm.events import Hint, HintKind
from fsm.runtime.loop import Loop
from fsm.runtime.pump import Pump

BOUND: Final = 1_000_000
MOST: Final = 100


class Hints:
    """Calls `take(node, hint)` for each name."""

    def __init__(
        self,
        loop: Loop,
        take: Callable[[str, Hint], None],
        bound: int = BOUND,
        room: Callable[[], int] | None = None,
    ) -> None:
        """Begin with an empty set; `room` says how many names may be taken now."""
        self._take, self._bound = take, bound
        self._waiting: dict[str, HintKind] = {}
        self._pump = Pump(loop, self._work, MOST, room)
        self.dropped = 0

    def __len__(self) -> int:
        """How many names wait."""
        return len(self._waiting)

    def add(self, node: str, kind: HintKind) -> None:
        """Somebody said something about this node."""
        if kind is HintKind.SECOND_ANSWER:
            self._take(node, Hint(kind))
        elif node in self._waiting or len(self._waiting) < self._bound:
            if kind is not HintKind.LISTED or self._waiting.get(node) is not HintKind.STARTUP:
                self._waiting[node] = kind  # how it was heard of first is what its history tells
            self._pump.prime()
        else:
            self.dropped += 1

    def shut(self) -> None:
        """Hand nothing on; what comes waits in the set."""
        self._pump.shut()

    def open(self) -> None:
        """Hand on again."""
        self._pump.open()

    def feed(self) -> None:
        """There may be room again."""
        self._pump.feed()

    def _work(self, most: int) -> bool:
        for node in list(_first(self._waiting, most)):
            self._take(node, Hint(self._waiting.pop(node)))
        return bool(self._waiting)


def _first(names: dict[str, HintKind], most: int) -> list[str]:
    return [node for node, _ in zip(names, range(most), strict=False)]
