"""Processes of our own: started beside us, watched, and ended with us.

Rules:
1. A child leads a process group of its own: a Ctrl-C on the terminal reaches us alone, and we end it in order.
2. A child never outlives us, whatever ends us (usher.simulator.tether).
3. It is ended by its number, and its group before that number is given back: no other process is ever hit.
4. What it prints goes into its log; nothing of it is lost when it dies early.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from usher.simulator.tether import tethered

STOP_SECONDS: Final = 10.0
_TAIL: Final = 8192
_MAIN: Final = "from usher.entry import main; raise SystemExit(main())"


def usher(*words: str) -> list[str]:
    """The command line of one of usher's own commands, run by our interpreter."""
    return [sys.executable, "-P", "-c", _MAIN, *words]


class Child:
    """One process; `name` is what messages call it, `log` the file that takes its output."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        """Hold what it will be."""
        self.name = name
        self.log = log
        self.command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Future[int] | None = None

    @property
    def pid(self) -> int:
        """Its process number; 0 before its start and after its end."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    @property
    def ended(self) -> asyncio.Future[int]:
        """Done with the exit code (negative: the signal) when it has ended; it must have been started."""
        if self._ended is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._ended

    def start(self) -> None:
        """Start it; needs a running loop, on a thread that stays (the kernel ends the child with that thread)."""
        self.log.touch(mode=0o600)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                tethered(self.command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
            )
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        handle = os.pidfd_open(self._process.pid)
        loop.add_reader(handle, self._over, loop, handle)

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end, insist after some seconds, and wait for it. Nothing happens when it has ended before."""
        if not self.pid:
            return
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        await asyncio.wait({self.ended}, timeout=seconds)
        if self.pid:
            self._end_group(self.pid)
            await self.ended

    def tail(self, lines: int = 12) -> list[str]:
        """The last lines that it printed."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            return log.read().decode(errors="replace").splitlines()[-lines:]

    def _over(self, loop: asyncio.AbstractEventLoop, handle: int) -> None:
        """It has ended and is not waited for yet, so its number is still its own: end what is left of its group."""
        loop.remove_reader(handle)
        os.close(handle)
        if self._process is not None and self._ended is not None:
            self._end_group(self._process.pid)
            self._ended.set_result(self._process.wait())

    @staticmethod
    def _end_group(group: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
