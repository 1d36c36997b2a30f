"""`usher status --watch`: how usher stands, live, until q, Ctrl-C or the end of the terminal.

Rules:
1. On a terminal one screen is drawn anew; in a pipe a line is said when there is something new, or with --json always.
2. It asks the daemon, and the database for what moved; without a daemon the database alone, and it says so.
3. A daemon that ends, starts or is away is waited for: only who watches ends the watching.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from fsm.errors import StoreError
from usher.board import NO_MOVES, Board, Moves, plain, programs, screen
from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.display import redraws
from usher.standing import stored, unreadable
from usher.state import StateDirectory
from usher.terminal import Terminal, Wish, drawing
from usher.views import common
from usher.views.book import open_book
from usher.views.moving import Moved
from usher.views.text import local

PACE: Final = 2.0
"""Seconds between two looks."""
PATIENCE: Final = 2.0
"""Seconds to wait for the daemon, before its database is asked instead."""
MINUTE: Final = 60_000
MOST: Final = 20_000
"""Lines of the history that rates are counted over."""
LAST: Final = 100
"""The newest lines of the history among which transitions are looked for."""
Look = Callable[[], Board]


def watch(state: StateDirectory, *, as_json: bool) -> int:
    """Show it until it ends; answers the exit code."""

    def look() -> Board:
        return board(state, common.now())

    if redraws(sys.stdout) and not as_json:
        return common.guarded(lambda: on_a_terminal(look))
    return common.guarded(lambda: in_a_pipe(look, common.pacing(PACE), as_json=as_json))


def board(state: StateDirectory, now: int) -> Board:
    """This moment."""
    try:
        status: dict[str, Any] | None = ask(state, Ask(Command.STATUS), patience=PATIENCE)["status"]
        why = ""
    except (NoDaemonError, RefusedError) as error:
        status, why = stored(state.database), unreadable(state.database) or str(error)
    return Board(now, status, why, moves(state, now))


def moves(state: StateDirectory, now: int) -> Moves:
    """What moved within the last minute, or within the newest MOST lines if they are fewer; nothing if unreadable."""
    if not state.database.exists():
        return NO_MOVES
    try:
        with open_book(state.database) as book:
            end = book.end()
            start = max(book.before(now - MINUTE), end - MOST)
            newest = [Moved(*each) for each in book.after(max(end - LAST, 0), LAST)]
            first = book.after(start, 1)
            cut = start == end - MOST and first
            seconds = (now - first[0][1].at) / 1000 if cut else MINUTE / 1000
            return Moves(book.arrivals(start), seconds, tuple(moved for moved in newest if moved.past.moved))
    except StoreError:
        return NO_MOVES


def on_a_terminal(look: Look) -> None:
    """Draw until somebody ends it; the last screen stays."""
    last: list[str] = []
    with drawing(sys.stdout, sys.stdin) as terminal:
        for last in _drawn(terminal, look):  # noqa: B007 the last one is what stays
            pass
    common.say(last)


def _drawn(terminal: Terminal, look: Look) -> Iterator[list[str]]:
    wish = Wish.AGAIN
    while wish is Wish.AGAIN:
        shown = screen(look(), *terminal.size())
        try:
            terminal.draw(shown)
        except OSError:
            return
        yield shown
        wish = terminal.wait(PACE)


def in_a_pipe(look: Look, wait: Callable[[], bool], *, as_json: bool) -> None:
    """Say a line when there is something new; `wait` lets time pass, and ends it by answering False."""
    said = ""
    try:
        while True:
            shown = look()
            line = plain(shown)
            if as_json:
                common.say([json.dumps(programs(shown))], flush=True)
            elif line != said:
                common.say([f"{local(shown.at)}: {line}"], flush=True)
            said = line
            if not wait():
                return
    except KeyboardInterrupt:
        return
