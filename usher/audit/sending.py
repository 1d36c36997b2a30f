"""Sending checkpoints away: the site's command gets them, so that they bind whoever owns this machine.

Rules:
1. A line of JSON a checkpoint on standard input, the newest last; those that it did not take come again with the next.
2. It runs within a time and a size, one at a time, with the daemon's own environment; what it prints is not kept.
3. Whatever goes wrong is a line of the log and a count: the daemon goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from helpers.runners.process import End, Limits, Result, run
from store.checkpoints import Checkpoint
from usher import logs
from usher.audit.exported import line

MOST: Final = 1000
"""Checkpoints that wait: of more, the oldest are not sent, which the numbers of the others show."""
_OUTPUT: Final = 1 << 16
_ERRORS: Final = 4096
_logger = logging.getLogger("usher")


class Sending:
    """What the command has not taken yet; without a command nothing waits."""

    def __init__(self, command: Sequence[str], seconds: float, failed: Callable[[], None]) -> None:
        """Hold the command in words, its time limit, and who counts its failures."""
        self._command, self._failed = tuple(command), failed
        self._limits = Limits(seconds, _OUTPUT, _ERRORS)
        self._waiting: deque[Checkpoint] = deque(maxlen=MOST)
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, checkpoint: Checkpoint) -> None:
        """Have it sent with the next call of `send`."""
        if self._command:
            self._waiting.append(checkpoint)

    async def send(self) -> None:
        """Give the command all that wait."""
        async with self._turn:
            await self._send()

    async def _send(self) -> None:
        going = list(self._waiting)
        if not going:
            return
        problem = await self._run("".join(map(line, going)).encode())
        if problem:
            self._failed()
            said = f"audit.checkpoint_command {problem}: it gets these checkpoints again with the next one"
            logs.say(_logger, logging.ERROR, said, unsent=len(going), newest=going[-1].number)
            return
        for each in going:
            if self._waiting and self._waiting[0] is each:  # else it was dropped meanwhile
                self._waiting.popleft()

    async def _run(self, lines: bytes) -> str:
        """What went wrong, in our words; empty if it took them."""
        try:
            return _problem(await run(self._command, dict(os.environb), lines, self._limits), self._limits.seconds)
        except (OSError, ValueError) as error:
            return f"cannot be started ({error.strerror if isinstance(error, OSError) else type(error).__name__})"


def _problem(result: Result, seconds: float) -> str:
    match result.end:
        case End.TIMEOUT:
            return f"took longer than audit.checkpoint_timeout ({seconds:g}s) and was ended"
        case End.TOO_LARGE:
            return f"printed more than {_OUTPUT} bytes and was ended"
        case End.EXITED if result.status is not None and result.status < 0:
            return f"was ended by signal {-result.status}"
        case End.EXITED:
            return f"ended with exit status {result.status}" if result.status else ""
