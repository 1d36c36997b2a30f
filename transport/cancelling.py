"""Whether we were cancelled, also where a library has lost it.

Rules:
1. asyncio.wait_for of Python 3.11, which nats-py uses, loses a cancellation that comes together with what it waits for.
2. The task still knows that it was asked for, so whoever goes on after such a wait asks here first.
"""

from __future__ import annotations

import asyncio


def cancelled() -> bool:
    """Whether the task that runs now was asked to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
