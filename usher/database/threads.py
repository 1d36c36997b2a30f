"""Threads: blocking work beside the loop, which a process that ends does not wait for.

Rules:
1. What the work raises is raised where it is awaited.
2. The thread is a daemon thread: whatever it does must be undone, or completed later, if the process ends within it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run it on a thread of its own, and wait for that."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def told(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # the one or the other

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 it is raised where the job is awaited
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(told, result, failed)

    Thread(target=run, name="job", daemon=True).start()
    return await future
