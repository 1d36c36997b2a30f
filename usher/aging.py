"""Aging: the records of nodes that have been at rest for longer than `keep_nodes` are closed, a few at a time.

Rules:
1. It is an ordinary event of an ordinary node, `Operator(forget, usher, why)`: whoever dies in between loses nothing,
   the history stays and says what happened.
2. Only a node that is at rest at that very moment: one that is seen again meanwhile is left alone.
3. A few a minute, however many are old, and none while the disk is full, usher is paused, stops, or was restored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, Self

from fsm.errors import StoreError
from fsm.events import Operator, Verb
from fsm.machine import Decision
from fsm.ports import Clock
from fsm.reasons import Reason
from fsm.runtime.engine import Answer
from usher import logs
from usher.daemon import Daemon
from usher.metrics.families import Family
from usher.views.text import span

EVERY: Final = 60.0
"""Seconds between two looks for old records."""
MOST: Final = 200
"""Records that are closed at most each time: 288,000 a day, and nobody notices."""
NAME: Final = "usher"
_logger = logging.getLogger("usher")
_NO_MATTER: Final = frozenset({Reason.DISCONNECTED})
Aged = Callable[[int, int], Sequence[str]]
"""Names of nodes that are at rest, in their state since a time (milliseconds) or longer, no more than so many."""


class Ageing(Protocol):
    """What is needed of the engine."""

    @property
    def holds(self) -> frozenset[Reason]:
        """Why nothing goes on."""
        ...

    def resting(self, node: str) -> bool:
        """Whether what is committed of a node holds at this moment."""
        ...

    def ask(self, node: str, wish: Operator) -> Answer:
        """A wish for a node."""
        ...


class Aging:
    """Looks for old records from `start` to `stop`; `keep` in milliseconds, 0 keeps everything for ever."""

    def __init__(
        self, engine: Ageing, aged: Aged, clock: Clock, keep: int, count: Callable[[], None] = lambda: None
    ) -> None:
        """Compose; `count` is called for each record that was closed."""
        self._engine, self._aged, self._clock, self._count = engine, aged, clock, count
        self._keep = keep
        self._handle: asyncio.TimerHandle | None = None
        self._asked = 0
        self.closed = 0
        """Records that were closed since the start."""

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Look in a minute, and each minute from then on."""
        if self._keep:
            self._handle = asyncio.get_running_loop().call_later(EVERY, self._turn)

    def stop(self) -> None:
        """Look no more; what was asked for is a matter of the engine."""
        if self._handle is not None:
            self._handle.cancel()

    def _turn(self) -> None:
        self.start()
        if self._asked or self._engine.holds - _NO_MATTER:
            return
        wish = Operator(Verb.FORGET, NAME, f"at rest for {span(self._keep)} (keep_nodes)")
        for node in self._old():
            if self._engine.resting(node):  # nothing is awaited between the look and the wish: it is decided at once
                self._asked += 1
                self._engine.ask(node, wish).add_done_callback(self._answered)

    def _old(self) -> Sequence[str]:
        try:
            return self._aged(self._clock.now() - self._keep, MOST)
        except StoreError as error:  # whoever has work for the database finds out too, and that ends the process
            logs.say(_logger, logging.ERROR, f"old records cannot be looked for: {error}")
            return ()

    def _answered(self, answer: Answer) -> None:
        self._asked -= 1
        if not answer.cancelled() and isinstance(answer.result(), Decision):
            self.closed += 1
            self._count()


def aging_of(daemon: Daemon, keep: float, families: Mapping[str, Family]) -> Aging:
    """The aging of a daemon; `keep` in seconds, 0 keeps everything for ever."""
    count = families["usher_aged_total"].add
    return Aging(daemon.engine, daemon.journal.aged, daemon.clock, round(keep * 1000), count)
