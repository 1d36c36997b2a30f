"""`usher status --watch` on a terminal: drawn in place, resized, ended by a key, a signal, or the terminal's end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.written import write_database
from tests.patience import PATIENCE
from usher.board import HELP
from usher.terminal import ENTER, LEAVE
from usher.views import common

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
def watching(state: Path) -> Iterator[Screen]:
    """The command at work on a terminal of 100 columns and 30 lines; the first screen is drawn."""
    master, slave = pty.openpty()
    words = [sys.executable, "-P", "-c", PROGRAM, "status", "--watch", "--state", str(state)]
    environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    screen = Screen(master, process)
    try:
        screen.resize(100, 30)
        screen.until(lambda drawn: "\x1b[J" in drawn)
        yield screen
    finally:
        screen.close()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(write_database(tmp_path_factory.mktemp("state"), common.now()))


def test_it_is_drawn_in_place_and_q_ends_it_with_the_terminal_as_before(state: Path):
    with watching(state) as screen:
        assert screen.drawn.startswith(ENTER)
        assert HELP in screen.drawn
        assert "no daemon answers; this is what its database holds" in screen.drawn
        screen.press(b"x")
        screen.until(lambda drawn: "\x1b[H" in drawn)
        screen.press(b"q")
        after = screen.until(lambda drawn: LEAVE in drawn and "provisioned" in drawn.split(LEAVE)[1])
        assert "\x1b" not in after.split(LEAVE)[1]
        assert screen.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_terminal_as_before(state: Path, number: signal.Signals):
    with watching(state) as screen:
        screen.process.send_signal(number)
        screen.until(lambda drawn: LEAVE in drawn)
        assert screen.end() == 0


def test_ctrl_c_ends_it(state: Path):
    with watching(state) as screen:
        screen.press(b"\x03")
        screen.until(lambda drawn: LEAVE in drawn)
        assert screen.end() == 0


def test_a_window_of_another_size_is_drawn_anew_and_fits(state: Path):
    with watching(state) as screen:
        screen.resize(40, 9)
        frame = screen.until(lambda drawn: "\x1b[J" in drawn).split("\x1b[H")[-1]
        lines = frame.split("\x1b[J", maxsplit=1)[0].split("\r\n")
        assert len(lines) <= 9
        assert max(len(line.strip("\r").removesuffix("\x1b[K")) for line in lines) <= 40


def test_the_end_of_the_terminal_ends_it(state: Path):
    with watching(state) as screen:
        screen.hang_up()
        assert isinstance(screen.end(), int)
