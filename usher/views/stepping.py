"""`usher replay NODE --step`: a node's history on a terminal, a step at a time.

Rules:
1. What a key does depends on nothing but the steps, where it stands, and the key; drawing is usher.terminal's.
2. A screen fits the terminal: what does not can be scrolled to.
3. What was typed wrongly is said in the last line, and changes nothing.
"""

from __future__ import annotations

import argparse
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from textwrap import wrap
from typing import Final, TextIO

from usher.terminal import Wish, drawing
from usher.views import nodes_show
from usher.views.moments import is_seq, time
from usher.views.steps import Told
from usher.views.telling import lines
from usher.views.text import columns, cut, local, visible

MOST: Final = 20_000
"""The newest steps that are held, so that no history is too long; --generation chooses others."""
HELP: Final = (
    "right, space   the next step",
    "left, b        the step before",
    "home, g        the first step             end, G    the last",
    ": SEQ|TIME     jump to a row, or to the last one that is not later than a time (2h: two hours ago)",
    "/ WORDS        search in what is told of the steps, from here on",
    "n, N           the next step with these words, the one before",
    "f              all that was held of the node after this step, and back",
    "up, down       scroll (also page up, page down)",
    "h              this help, and back         q         quit",
)
_KEYS: Final = "right/left step  : jump  / search  f facts  h help  q quit"


class Stepper:
    """Where somebody stands in a history, and what they are typing."""

    def __init__(self, node: str, steps: Sequence[Told]) -> None:
        """Stand at the first step."""
        self._node, self._steps = node, steps
        self._at, self._top = 0, 0
        self._prompt, self._typed, self._said, self._words = "", "", "", ""
        self._page = "step"
        self._moves: dict[str, Callable[[], None]] = {
            **dict.fromkeys(("right", " ", "enter"), lambda: self._go(self._at + 1)),
            **dict.fromkeys(("left", "b"), lambda: self._go(self._at - 1)),
            **dict.fromkeys(("home", "g"), lambda: self._go(0)),
            **dict.fromkeys(("end", "G"), lambda: self._go(len(self._steps) - 1)),
            **dict.fromkeys((":", "/"), lambda: None),
            "n": lambda: self._search(1),
            "N": lambda: self._search(-1),
            "f": lambda: self._turn("facts"),
            "h": lambda: self._turn("help"),
            "?": lambda: self._turn("help"),
            "down": lambda: self._scroll(1),
            "up": lambda: self._scroll(-1),
            "page down": lambda: self._scroll(10),
            "page up": lambda: self._scroll(-10),
        }

    @property
    def seq(self) -> int:
        """The row where it stands."""
        return self._steps[self._at].step.recorded.seq

    def press(self, key: str) -> bool:
        """Do what a key asks for; False ends it."""
        self._said = ""
        if self._prompt:
            self._type(key)
            return True
        if key in {"q", "Q"}:
            return False
        move = self._moves.get(key)
        if move is None:
            self._said = "no such key: h tells them"
        elif key in {":", "/"}:
            self._prompt, self._typed = key, ""
        else:
            move()
        return True

    # -- keys ------------------------------------------------------------------------------------------------------

    def _go(self, at: int) -> None:
        if not 0 <= at < len(self._steps):
            self._said = "this is the last step" if at > 0 else "this is the first step"
            return
        self._at, self._top = at, 0
        self._page = "step" if self._page == "help" else self._page

    def _turn(self, page: str) -> None:
        self._page, self._top = "step" if self._page == page else page, 0

    def _scroll(self, by: int) -> None:
        self._top = max(self._top + by, 0)

    def _type(self, key: str) -> None:
        """A key while something is being typed."""
        if key == "enter":
            prompt, self._prompt = self._prompt, ""
            self._jump(self._typed.strip()) if prompt == ":" else self._look_for(self._typed.strip())
        elif key == "escape" or (key == "rubout" and not self._typed):
            self._prompt = ""
        elif key == "rubout":
            self._typed = self._typed[:-1]
        elif len(key) == 1 and key.isprintable():
            self._typed += key

    def _jump(self, where: str) -> None:
        """To a row, or to the last one that is not later than a time."""
        rows = [each.step.recorded for each in self._steps]
        if is_seq(where):
            found = bisect_right([row.seq for row in rows], int(where)) - 1
            if found < 0 or rows[found].seq != int(where):
                self._said = f"there is no row {where} here: {rows[0].seq} to {rows[-1].seq}"
                return
            self._go(found)
            return
        try:
            at = time(where)
        except argparse.ArgumentTypeError as error:
            self._said = str(error)
            return
        earlier = [place for place, row in enumerate(rows) if row.at <= at]
        if earlier:
            self._go(earlier[-1])
        else:
            self._said = f"no row here is as old as {local(at)}: the first is of {local(rows[0].at)}"

    def _look_for(self, words: str) -> None:
        self._words = words.lower()
        self._search(0)

    def _search(self, by: int) -> None:
        """To the nearest step with the words, from here on (0), after (1) or before (-1) this one."""
        if not self._words:
            self._said = "nothing was searched for: / begins a search"
            return
        places = range(self._at - 1, -1, -1) if by < 0 else range(self._at + by, len(self._steps))
        found = next((place for place in places if self._words in self._told(place)), None)
        if found is None:
            self._said = f"no step {'before' if by < 0 else 'from here on'} has {visible(self._words)!r}"
        else:
            self._go(found)

    def _told(self, place: int) -> str:
        return "\n".join(lines(self._steps[place], None, full=True)).lower()

    # -- the screen ------------------------------------------------------------------------------------------------

    def screen(self, width: int, height: int) -> list[str]:
        """What is drawn: never wider or higher than the terminal."""
        body = [line for text in self._body(width) for line in _fitting(text, width)]
        room = max(height - 3, 1)
        self._top = min(self._top, max(len(body) - room, 0))
        shown = body[self._top : self._top + room]
        more = len(body) - self._top - len(shown)
        foot = self._said or (f"({more} more lines: down)" if more else "") or _KEYS
        head = f"{visible(self._node)}: step {self._at + 1} of {len(self._steps)}"
        last = f"{self._prompt} {self._typed}" if self._prompt else foot
        return [_cut(line, width) for line in (head, "", *shown, *[""] * (room - len(shown)), last)][:height]

    def _body(self, width: int) -> Iterator[str]:
        each = self._steps[self._at]
        after = each.step.after
        if self._page == "help":
            yield from HELP
        elif self._page == "facts" and after is not None:
            yield f"after row {self.seq}:"
            yield from nodes_show.lines(after, each.step.recorded.at)
        elif self._page == "facts":
            yield f"what was held after row {self.seq} is not known: {each.step.why}"
        else:
            yield from lines(each, width, full=True)


def _fitting(text: str, width: int) -> list[str]:
    return [text] if columns(text) <= width else wrap(text, width, subsequent_indent="    ")


def _cut(line: str, width: int) -> str:
    return line if columns(line) <= width else cut(line, width)


def walk(node: str, steps: Iterable[Told], keys: TextIO, screen: TextIO) -> None:
    """Let somebody walk through the steps until they have enough."""
    held = deque(steps, MOST)
    if not held:
        return
    stepper = Stepper(node, tuple(held))
    with drawing(screen, keys) as terminal, suppress(OSError):
        key: str | Wish = Wish.AGAIN
        while key is not Wish.END and (isinstance(key, Wish) or stepper.press(key)):
            terminal.draw(stepper.screen(*terminal.size()))
            key = terminal.key()
