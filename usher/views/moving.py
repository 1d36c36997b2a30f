"""`usher watch`: nodes moving, a line a transition as it is committed, until it is stopped.

Rules:
1. It only reads, a page at a time, and holds nothing open while it waits: the daemon's log can be written back.
2. A line is printed once, in the order of the commits; what happened before only where it is asked for.
3. A database that went away, or was restored meanwhile, is waited for and taken up; it is said, once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fsm.errors import StoreError
from fsm.states import State
from usher.views import common
from usher.views.book import Book, open_book
from usher.views.documents import line
from usher.views.history import effect
from usher.views.nodes_list import age, state
from usher.views.past import Past
from usher.views.text import cut, local, visible

PACE: Final = 0.5
"""Seconds between two looks into the database."""
PAGE: Final = 500
_NAME: Final = 30
_ROW: Final = 22
_NETWORK: Final = 8


@dataclass(frozen=True, slots=True)
class Moved:
    """One transition and whose it is."""

    node: str
    past: Past


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transitions are shown: of these nodes, into these states (empty: of all), and also those that stay."""

    nodes: Collection[str] = ()
    states: Collection[State] = ()
    all: bool = False

    def __call__(self, moved: Moved) -> bool:
        """Whether this one is."""
        past = moved.past
        return (
            (self.all or past.moved)
            and (not self.nodes or moved.node in self.nodes)
            and (not self.states or past.target in self.states)
        )


@dataclass
class Tail:
    """Where reading stands: `position` of the last row that was read, None before the first look."""

    path: Path
    since: int | None = None
    position: int | None = None
    lineage: str = field(default="", init=False)

    def more(self) -> Iterator[Moved]:
        """What was committed since the last look; raises StoreError where there is no database."""
        with open_book(self.path) as book:
            lineage = book.lineage()
            if self.position is None or lineage != self.lineage:
                self.position, self.lineage = self._start(book), lineage
            while page := book.after(self.position, PAGE):
                self.position = page[-1][1].position
                yield from (Moved(*each) for each in page)

    def _start(self, book: Book) -> int:
        return book.end() if self.since is None or self.position is not None else book.before(self.since)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher watch`."""
    parser.description = "Show nodes moving: a line for each transition that is committed, until stopped (Ctrl-C)."
    parser.add_argument("nodes", nargs="*", metavar="NODE", help="only these nodes")
    parser.add_argument(
        "--in", dest="states", action="append", type=state, metavar="STATE", help="only into this state"
    )
    parser.add_argument("--all", action="store_true", help="also transitions that do not change the state")
    parser.add_argument("--since", type=age, metavar="TIME", help="begin with what happened since then: 90s, 10m, 2h")
    common.add_state(parser)
    parser.add_argument("--json", action="store_true", help="a JSON document a line, times in UTC")


def run(args: argparse.Namespace) -> int:
    """Print until stopped."""
    return common.guarded(lambda: _watch(args))


def _watch(args: argparse.Namespace) -> None:
    tail = Tail(common.database(args), None if args.since is None else common.now() - args.since)
    wanted = Wanted(frozenset(args.nodes), frozenset(args.states or ()), args.all or bool(args.nodes))
    width = common.width()
    try:
        for moved in follow(tail, common.pacing(PACE)):
            if wanted(moved):
                common.say([json.dumps(document(moved)) if args.json else text(moved, width)], flush=True)
    except KeyboardInterrupt:
        return


def follow(tail: Tail, wait: Callable[[], bool]) -> Iterator[Moved]:
    """What is committed from now on; `wait` lets time pass between two looks, and ends it by answering False."""
    missing = False
    while True:
        try:
            yield from tail.more()
            missing = False
        except StoreError as error:
            if not missing:
                common.warn(f"{visible(error.detail)}; waiting for it")
            missing = True
        if not wait():
            return


def text(moved: Moved, width: int | None) -> str:
    """The line for a person."""
    past = moved.past
    moves = f"{past.source.value} -> {past.target.value}" if past.moved else past.source.value
    cells: Iterable[str] = (
        local(past.at, "seconds"),
        visible(moved.node).ljust(_NAME),
        *((past.network.ljust(_NETWORK),) if past.network else ()),
        visible(past.row).ljust(_ROW),
        moves.ljust(_NAME),
        "  ".join(filter(None, (effect(past), visible(past.detail)))),
    )
    said = "  ".join(cells).rstrip()
    return said if width is None else cut(said, width)


def document(moved: Moved) -> dict[str, Any]:
    """The line for programs."""
    return {"node": moved.node, **line(moved.past)}
