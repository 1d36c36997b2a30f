"""Calls: what waits in the journal for its batch, and how a batch is put off.

Rules:
1. A call has one future of its own, which nobody but the journal completes.
2. Time is the loop's; a test brings another way of putting off, and never waits.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from fsm.errors import StoreError, StoreFullError
from store.batches import Prepared
from store.writer import Writer


class Later(Protocol):
    """How a call is put off: the shape of a loop's call_later."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> object:
        """Have `callback` called on the loop after `delay` seconds."""
        ...


def loop_later(delay: float, callback: Callable[[], None], /) -> object:
    """Later by the running loop."""
    return asyncio.get_running_loop().call_later(delay, callback)


class Call:
    """One call that waits: a unit, or a job that runs within the transaction; answers when it is durable.

    A call with `alone` is no part of a batch: it has the connection to itself, outside of any transaction.
    """

    __slots__ = ("alone", "answer", "future", "item", "job")

    def __init__(
        self,
        item: Prepared | None,
        job: Callable[[], object] | None = None,
        alone: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.item = item
        self.job = job
        self.alone = alone
        self.answer: object = None


class Counted:
    """What waits and what was done, for those who watch: the journal inherits it."""

    _writer: Writer
    _waiting: deque[Call]

    @property
    def waiting(self) -> int:
        """Calls that wait for a transaction."""
        return len(self._waiting)

    @property
    def commits(self) -> int:
        """Transactions that became durable since the start."""
        return self._writer.commits


def take(waiting: deque[Call], most: int) -> list[Call]:
    """The next batch, in order: at most so many calls, or one that wants to be alone."""
    batch = [waiting.popleft()]
    while waiting and len(batch) < most and batch[0].alone is None and waiting[0].alone is None:
        batch.append(waiting.popleft())
    return batch


def again(error: StoreError | StoreFullError) -> StoreError | StoreFullError:
    """The same error for another who waits: one that is raised twice gathers the traces of both."""
    return StoreError(error.detail, error.node, error.seq) if isinstance(error, StoreError) else StoreFullError()
