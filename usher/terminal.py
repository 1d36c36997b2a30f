"""A terminal that is drawn on: one screen that is drawn anew in place, keys, its size, and its end.

Rules:
1. What the terminal showed before is there again afterwards, however the drawing ends.
2. It asks for nothing but the other screen, moving to the corner, and clearing: any terminal of forty years can it.
3. A signal, a key, a new size and the terminal's own end are answers of `wait`, never exceptions.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import termios
import tty
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from typing import Final, TextIO

ENTER: Final = "\x1b[?1049h\x1b[?25l"
LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_HEARD: Final = _ENDING | {signal.SIGWINCH, signal.SIGCONT}
_ENDS: Final = b"\x03\x04"
"""Ctrl-C and Ctrl-D where they come as keys."""
_KEYS: Final = b"qQ" + _ENDS
"""What ends a screen that takes no other keys."""
_ESCAPED: Final = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|.", re.DOTALL)
_NAMED: Final = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left", "\x1b[H": "home", "\x1b[F": "end",
    "\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left", "\x1bOH": "home", "\x1bOF": "end",
    "\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b": "escape", "\r": "enter", "\n": "enter", "\t": "tab",
    "\x7f": "rubout", "\x08": "rubout",
}  # fmt: skip
"""The names of the keys that are no letters."""
SMALLEST: Final = 20
"""Columns below which a size is not believed."""


class Wish(Enum):
    """Why a wait ended."""

    AGAIN = "the time is up, or there is a reason to draw anew"
    END = "somebody wants it to end, or the terminal is gone"


class Terminal:
    """Draws lines on a stream that is a terminal; made by `drawing`."""

    def __init__(self, stream: TextIO, keys: int | None, signals: socket.socket) -> None:
        """Hold the stream, the descriptor of the keys if there are any, and where signals arrive."""
        self._stream, self._keys, self._signals = stream, keys, signals
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._waiting: deque[str] = deque()

    def size(self) -> tuple[int, int]:
        """Columns and lines; asked for each time, since windows change."""
        with suppress(OSError):
            size = os.get_terminal_size(self._stream.fileno())
            if size.columns >= SMALLEST and size.lines > 1:
                return size.columns, size.lines
        return 80, 24

    def draw(self, lines: Sequence[str]) -> None:
        """Draw them over what is there; what the encoding does not have is escaped. Raises OSError if it is gone."""
        encoding = self._stream.encoding or "utf-8"
        text = "\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()

    def wait(self, seconds: float) -> Wish:
        """Let time pass, but no longer than until a key or a signal comes."""
        watched: list[int | socket.socket] = [self._signals]
        watched += [] if self._keys is None else [self._keys]
        readable, _, _ = select.select(watched, [], [], seconds)
        ends = [self._signalled() if each is self._signals else self._typed() for each in readable]
        return Wish.END if any(ends) else Wish.AGAIN

    def key(self) -> str | Wish:
        """The next key: its letter, or its name if it is none; AGAIN when the size may be another one."""
        while not self._waiting:
            watched: list[int | socket.socket] = [self._signals, *([] if self._keys is None else [self._keys])]
            readable, _, _ = select.select(watched, [], [])
            if self._signals in readable:
                return Wish.END if self._signalled() else Wish.AGAIN
            typed = self._read()
            if not typed or any(key in _ENDS for key in typed):
                return Wish.END
            self._waiting += [_NAMED.get(each, each) for each in _ESCAPED.findall(self._decoder.decode(typed))]
        return self._waiting.popleft()

    def _signalled(self) -> bool:
        numbers = self._signals.recv(256)
        if signal.SIGCONT in numbers:  # the shell has put the terminal back
            if self._keys is not None:
                tty.setcbreak(self._keys)
            self._stream.write(ENTER)
        return any(number in _ENDING for number in numbers)

    def _typed(self) -> bool:
        typed = self._read()
        return not typed or any(key in _KEYS for key in typed)

    def _read(self) -> bytes:
        """What was typed; nothing if the terminal is gone."""
        try:
            return os.read(self._keys or 0, 256)
        except OSError:
            return b""


@contextmanager
def drawing(stream: TextIO, keys: TextIO | None) -> Iterator[Terminal]:
    """A terminal to draw on; `keys` is where it is typed, None or no terminal if nowhere."""
    with ExitStack() as stack:
        typed = keys.fileno() if keys is not None and keys.isatty() else None
        if typed is not None:
            before = termios.tcgetattr(typed)
            stack.callback(_calm, typed, before)
            tty.setcbreak(typed)
        signals = stack.enter_context(_heard())
        stack.callback(_leave, stream)
        stream.write(ENTER)
        yield Terminal(stream, typed, signals)


@contextmanager
def _heard() -> Iterator[socket.socket]:
    """Where the numbers of signals can be read, while they do nothing else."""
    hearing, telling = socket.socketpair()
    with hearing, telling:
        telling.setblocking(False)
        wakeup = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, _nothing) for number in _HEARD}
        try:
            yield hearing
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)


def _nothing(_number: int, _frame: object) -> None:
    """The number is read from the socket."""


def _leave(stream: TextIO) -> None:
    with suppress(OSError):
        stream.write(LEAVE)
        stream.flush()


def _calm(descriptor: int, before: list[int | list[bytes | int]]) -> None:
    with suppress(OSError, termios.error):
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
