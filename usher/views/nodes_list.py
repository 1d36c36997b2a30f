"""`usher nodes list`: which nodes there are, by state, reason and age.

Rules:
1. One line a node, by name; the same filters for people and for programs.
2. A name that is no state or no reason is refused with the nearest one, before anything is read.
3. `--state` is the state directory, as on every command; `--in` is the state of the nodes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from fsm.reasons import Reason
from fsm.states import State
from store.views import NodeView
from usher.views import common
from usher.views.book import open_book
from usher.views.documents import brief, in_the_room
from usher.views.text import distance, milliseconds, span, table, visible
from usher.views.tokens import marked

READABLE = 1000
"""Lines on a terminal: nobody reads more, and a hundred thousand take a second."""
Word = TypeVar("Word", State, Reason)
NETWORK = "NETWORK"
WELL = 60 * 60 * 1000
"""Milliseconds for which one must have been provisioned to loop no more."""
HEAD = ("NODE", "STATE", "FOR", "GEN", "REASON", "NEXT")
PAGE = 200
"""Lines whose columns are aligned together, so that the first appear before the last are read."""


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `list` below `usher nodes`."""
    parser = subparsers.add_parser("list", help="list nodes", description="List nodes, one a line, by name.")
    parser.add_argument("--in", dest="state", type=state, metavar="STATE", help="only nodes in this state")
    parser.add_argument("--reason", type=reason, metavar="REASON", help="only nodes with this reason code")
    parser.add_argument("--older-than", type=age, metavar="TIME", help="only those in their state for longer: 90s, 1h")
    parser.add_argument("--token", metavar="N", help="only nodes that let usher in with this token: place or mark")
    parser.add_argument("--network", metavar="NAME", help="only nodes of this one of several networks")
    parser.add_argument("--looping", action="store_true", help="only nodes that come back again and again")
    parser.add_argument("--limit", type=common.count, metavar="N", help="no more than N nodes")
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    return common.guarded(lambda: _list(args))


def _list(args: argparse.Namespace) -> None:
    _mistaken(args)
    now = common.now()
    looping = now - WELL if args.looping else None
    before = None if args.older_than is None else now - args.older_than
    with open_book(common.database(args)) as book:
        mark = None if args.token is None else marked(book, args.token)
        found = book.nodes(args.state, args.reason, before, args.limit, mark, args.network, looping)
        several = book.networked
        if args.json:
            common.answer_all(brief(view) for view in found)
        else:
            common.say(bounded(found, now, common.width(), args.limit, several=several))


def _mistaken(args: argparse.Namespace) -> None:
    """`--state failed` means a state, unless there is a directory of that name."""
    given = args.state_directory
    if given in set(State) and not Path(given).is_dir():
        said = f"--state names the state directory; the nodes in a state are listed by: usher nodes list --in {given}"
        raise common.RefusedError(said, common.NOTHING_TO_READ)


def bounded(
    found: Iterable[NodeView], now: int, width: int | None, limit: int | None, *, several: bool = False
) -> Iterator[str]:
    """The lines; on a terminal of a long list the beginning alone, unless a limit was named."""
    left = iter(found)
    if width is None or limit is not None:
        yield from lines(left, now, width, several=several)
        return
    yield from lines(islice(left, READABLE), now, width, several=several)
    if next(left, None) is not None:
        yield f"(the first {READABLE} by name: --limit N shows more, and a pipe gets all of them)"


def lines(found: Iterable[NodeView], now: int, width: int | None, *, several: bool = False) -> Iterator[str]:
    """A line a node, with its network where there are several; or the sentence that there is none."""
    left, head = iter(found), True
    names = (*HEAD[:1], NETWORK, *HEAD[1:]) if several else HEAD
    while page := [_cells(view, now, several=several) for view in islice(left, PAGE)]:
        told = table(names, page, width)
        yield from told if head else islice(told, 1, None)
        head = False
    if head:
        yield "no node is like that"


def _cells(view: NodeView, now: int, *, several: bool) -> tuple[str, ...]:
    reason = view.reason.value if view.reason else "-"
    network = (view.network or "-",) if several else ()
    return (
        view.node,
        *network,
        view.state.value,
        span(now - view.since),
        str(view.generation),
        reason,
        following(view, now),
    )


def following(view: NodeView, now: int) -> str:
    """What happens next to a node, in a few words."""
    if view.held:
        return "held until released"
    if view.doing is not None:
        return f"{view.doing.value} is under way"
    if view.due_at is not None:
        return f"{view.due_kind} {distance(view.due_at, now)}"
    return "its turn" if in_the_room(view) else "-"


# -- arguments --------------------------------------------------------------------------------------------------------


def state(text: str) -> State:
    """A state as it is typed."""
    return _word(text, State, "state")


def reason(text: str) -> Reason:
    """A reason code as it is typed."""
    return _word(text, Reason, "reason")


def _word(text: str, words: type[Word], what: str) -> Word:
    try:
        return words(text.lower())
    except ValueError:
        near = common.nearest(text.lower(), [word.value for word in words], most=1)
        said = f"; did you mean {near[0]}?" if near else f"; choose from {', '.join(word.value for word in words)}"
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is no {what}{said}") from None


def age(text: str) -> int:
    """A length of time as it is typed, in milliseconds."""
    try:
        return milliseconds(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is no length of time, such as 90s, 1h30m or 2d") from None
