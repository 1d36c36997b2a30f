"""The worker: one thread that waits for the disk, so that the loop does not.

A thread that comes back from the disk needs the interpreter's lock, and beside a loop that never idles it can wait for
that for a second: each turn's select() lets the lock go for a microsecond, which wakes the thread too late and starts
its wait anew. So the loop gives way on purpose, seldom and shortly.

Rules:
1. Jobs run one after the other; a job reports its own errors, and the thread ends when it is told to.
2. The loop lets a job begin before it goes on, and while one runs gives way at growing intervals: a third of a
   millisecond's wait, a tenth of twenty; a job that is over is noticed after a quarter more than it took.
3. A loop that idles in select() is woken by the job itself; giving way then costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

MOMENT: Final = 0.0001
"""Seconds that the loop waits for the thread when it gives way."""
FIRST: Final = 0.0005
"""Seconds after which the loop gives way for the first time; each later wait is longer by GROWTH."""
GROWTH: Final = 1.25
BEGIN: Final = 0.002
"""Seconds that the loop waits at most for a job to begin."""


class Worker:
    """A thread with a queue; a daemon thread, since an interpreter that ends must not wait for a disk."""

    def __init__(self, name: str) -> None:
        """Begin."""
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._signs: SimpleQueue[bool] = SimpleQueue()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """On the loop: have a job run; the one before it must have reported."""
        self._quiet()
        self._jobs.put(job)
        self._sign(BEGIN)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(FIRST, self._give_way, loop, FIRST)

    def close(self, last: Callable[[], None]) -> None:
        """Run a last job, end, and wait for that."""
        self._quiet()
        self._jobs.put(last)
        self._jobs.put(None)
        self._thread.join()

    def _quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while not self._signs.empty():
            self._signs.get()

    def _sign(self, seconds: float) -> bool:
        try:
            self._signs.get(timeout=seconds)
        except Empty:
            return False
        return True

    def _give_way(self, loop: asyncio.AbstractEventLoop, after: float) -> None:
        if not self._sign(MOMENT):
            self._timer = loop.call_later(after * (GROWTH - 1), self._give_way, loop, after * GROWTH)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._signs.put(True)
            job()
            self._signs.put(True)
