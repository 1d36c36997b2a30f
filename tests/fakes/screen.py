"""A terminal's other side: a command of usher at work on a pty, its keys and its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.patience import PATIENCE

PROGRAM = """
import os, sys
os.login_tty(0)
from usher.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Screen:
    """The terminal's other side: what was drawn, and keys."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master, self.process = master, process
        self.drawn = ""

    def until(self, condition: Callable[[str], bool]) -> str:
        """Read until it holds of what was drawn since the last time."""
        since = len(self.drawn)
        while not condition(self.drawn[since:]):
            assert select.select([self._master], [], [], PATIENCE)[0], self.drawn
            try:
                self.drawn += os.read(self._master, 65536).decode()
            except OSError:  # the last one has closed it
                assert condition(self.drawn[since:]), self.drawn
        return self.drawn[since:]

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def hang_up(self) -> None:
        os.close(self._master)
        self._master = -1

    def end(self) -> int:
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        if self._master >= 0:
            os.close(self._master)


@contextmanager
def on_a_terminal(*words: str) -> Iterator[Screen]:
    """The command at work on a terminal of 100 columns and 30 lines; the first screen is drawn."""
    master, slave = pty.openpty()
    command = [sys.executable, "-P", "-c", PROGRAM, *words]
    environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    screen = Screen(master, process)
    try:
        screen.resize(100, 30)
        screen.until(lambda drawn: "\x1b[J" in drawn)
        yield screen
    finally:
        screen.close()
