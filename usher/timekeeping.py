"""Timekeeping: what a process hands on to the next one, so that a clock that is set while none runs is a jump too.

A request of the old process may still be alive, and the only measure of that is time: a wall clock that is an hour
ahead at the next start would end every quiet time at once.

Rules:
1. Only what was noted on this start of the machine counts: nothing else says how much time has passed.
2. The file is replaced whole, and one that cannot be read or written is as if there were none: never an error.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from fsm.ports import Clock
from fsm.runtime.clock import SystemClock

FILE: Final = "clock"
EVERY: Final = 10.0
"""Seconds between two looks at whether the time has moved against the machine's."""
WORTH: Final = 1000
"""Milliseconds by which it must have moved to be noted."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Timekeeper:
    """Of one state directory and one start of the machine, which `boot` names."""

    def __init__(self, directory: Path, clock: SystemClock, boot: str | None = None) -> None:
        """Hold where the note is."""
        self._path, self._clock = directory / FILE, clock
        self._boot = _booted() if boot is None else boot
        self._noted: int | None = None
        self._handle: asyncio.TimerHandle | None = None

    def take_up(self) -> None:
        """Go on with the leaps of the process before this one, and in its time if the machine has not started since."""
        with suppress(OSError, ValueError):
            boot, offset, *since_0_3 = self._path.read_text("ascii").split()
            (leaps,) = since_0_3 or ("0",)
            noted = int(offset) if boot == self._boot else None
            self._clock.go_on(int(leaps), noted)
            self._noted = noted

    def start(self) -> None:
        """Note the time now, and whenever it has moved."""
        self._note()
        self._handle = asyncio.get_running_loop().call_later(EVERY, self.start)

    def stop(self) -> None:
        """Note it a last time."""
        if self._handle is not None:
            self._handle.cancel()
        self._note()

    def _note(self) -> None:
        self._clock.now()
        offset = self._clock.offset
        if not self._boot or (self._noted is not None and abs(offset - self._noted) < WORTH):
            return
        new = self._path.with_suffix(".new")
        with suppress(OSError):
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
                file.write(f"{self._boot} {offset} {self._clock.leaps}\n")
            new.replace(self._path)
            self._noted = offset


@contextmanager
def timekeeping_of(directory: Path, clock: Clock) -> Iterator[None]:
    """Keep the time of a daemon; a clock of another kind keeps its own."""
    if not isinstance(clock, SystemClock):
        yield
        return
    keeper = Timekeeper(directory, clock)
    keeper.take_up()
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


def _booted() -> str:
    with suppress(OSError):
        return _BOOT.read_text("ascii").strip()
    return ""
