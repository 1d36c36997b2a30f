"""Where progress is shown: one redrawn screen on a terminal, a line now and then otherwise.

Rules:
1. What is no terminal gets plain lines: no escape, at most one a second, none that says the same twice.
2. What is said stays; the screen is drawn anew below it.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Final, TextIO

from usher.progress import View, plain, redrawn, screen

SAY_SECONDS: Final = 1.0
_WIDEST: Final = 100


class Display:
    """Shows views on a stream; `quiet` shows nothing. `terminal` follows the stream unless it is given."""

    def __init__(self, stream: TextIO, *, quiet: bool = False, terminal: bool | None = None) -> None:
        """Hold the stream."""
        self._stream = stream
        self._quiet = quiet
        self._terminal = redraws(stream) if terminal is None else terminal
        self._block = "█" if "utf" in (stream.encoding or "").lower() else "#"
        self._drawn = 0
        self._said = ""
        self._said_at = float("-inf")

    def say(self, *lines: str) -> None:
        """Print lines that stay."""
        self._drawn = 0
        self._write("".join(f"{line}\n" for line in lines))

    def show(self, view: View, *, last: bool = False) -> None:
        """Draw the screen anew, or say a line when there is something new; the last view is always shown."""
        if self._terminal:
            width = min(_WIDEST, shutil.get_terminal_size().columns)
            lines = screen(view, "usher demo", width, block=self._block)
            self._write(redrawn(lines, self._drawn))
            self._drawn = len(lines)
            return
        line = plain(view)
        news = line.partition(": ")[2]
        if news != self._said and (last or view.seconds - self._said_at >= SAY_SECONDS):
            self._said, self._said_at = news, view.seconds
            self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        if not self._quiet:
            self._stream.write(text)
            self._stream.flush()


def redraws(stream: TextIO) -> bool:
    """Whether a screen can be drawn anew on this stream."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and sys.platform != "win32"
