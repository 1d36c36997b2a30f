"""Watching a demonstration: until all have arrived, or it cannot go on.

Rules:
1. What is shown and what decides the end is read from the outlook: committed facts.
2. A child that ends before the work does ends the demonstration; its last words are kept.
3. A signal is one more way to end, never an exception.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from fsm.states import State
from usher.children import Child
from usher.display import Display
from usher.progress import Slowest, View, plain

LOOK_SECONDS: Final = 0.2


class End(Enum):
    """How a demonstration ended; the value is the exit code."""

    DONE = 0
    DIED = 1
    LATE = 3
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM


class Outlook(Protocol):
    """What the database says about a fleet."""

    def counts(self) -> Mapping[State, int]:
        """How many nodes are in each state; empty while there is no database yet."""
        ...

    def slowest(self) -> Slowest | None:
        """The provisioned node that took longest."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: the last view, why in a sentence, and the last lines of the log that matters."""

    end: End
    view: View
    why: str = ""
    tail: tuple[str, ...] = ()
    slowest: Slowest | None = None


Stop = asyncio.Future[signal.Signals]


@contextmanager
def interrupted() -> Iterator[Stop]:
    """A promise that INT and TERM keep instead of ending the process."""
    loop = asyncio.get_running_loop()
    stop: Stop = loop.create_future()

    def note(number: signal.Signals) -> None:
        if not stop.done():
            stop.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, note, number)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class Watch:
    """One demonstration under way: `limit` in seconds from now."""

    def __init__(
        self, nodes: int, children: Sequence[Child], outlook: Outlook, display: Display, *, stop: Stop, limit: float
    ) -> None:
        """Begin to count the time."""
        self._nodes = nodes
        self._children = children
        self._outlook = outlook
        self._display = display
        self._stop = stop
        self._began = time.monotonic()
        self._limit = limit

    async def until_done(self) -> Ending:
        """Show the progress until there is an end."""
        while True:
            view = View(self._nodes, self._outlook.counts(), time.monotonic() - self._began)
            ending = self._ending(view)
            self._display.show(view, last=ending is not None)
            if ending is not None:
                return ending
            await self._news(min(LOOK_SECONDS, max(0.0, self._limit - view.seconds)))

    async def until_stopped(self) -> None:
        """Wait for a signal, or for the end of a child."""
        await self._news(None)

    async def _news(self, seconds: float | None) -> None:
        """Wait, but no longer than until a child ends or a signal comes."""
        watched: list[asyncio.Future[Any]] = [self._stop, *(child.ended for child in self._children)]
        await asyncio.wait(watched, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def _ending(self, view: View) -> Ending | None:
        """How it has ended, if it has: arrived, asked to stop, died, late, in this order."""
        if view.complete:
            return Ending(End.DONE, view, slowest=self._outlook.slowest())
        if self._stop.done():
            number = self._stop.result()
            end = End.INTERRUPTED if number is signal.SIGINT else End.TERMINATED
            return Ending(end, view, f"Stopped by {number.name}.")
        for child in self._children:
            if child.ended.done():
                why = f"{child.name} ended ({_how(child.ended.result())}); the end of {child.log}:"
                return Ending(End.DIED, view, why, tuple(child.tail()))
        if view.seconds >= self._limit:
            last = self._children[-1]
            why = f"Not all were provisioned in time: {plain(view)}; the end of {last.log}:"
            return Ending(End.LATE, view, why, tuple(last.tail()))
        return None


def _how(code: int) -> str:
    """An exit code in words."""
    return f"exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
