"""Calls: what waits in the journal for its batch, and how a batch is put off.

Rules:
1. A call has one future of its own, which nobody but the journal completes.
2. Time is the loop's; a test brings another way of putting off, and never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from store.writer import Prepared


class Later(Protocol):
    """How a call is put off: the shape of a loop's call_later."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> object:
        """Have `callback` called on the loop after `delay` seconds."""
        ...


def loop_later(delay: float, callback: Callable[[], None], /) -> object:
    """Later by the running loop."""
    return asyncio.get_running_loop().call_later(delay, callback)


class Call:
    """One call that waits: a unit, or a job that runs within the transaction; answers when it is durable."""

    __slots__ = ("answer", "future", "item", "job")

    def __init__(self, item: Prepared | None, job: Callable[[], object] | None = None) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.item = item
        self.job = job
        self.answer: object = None
