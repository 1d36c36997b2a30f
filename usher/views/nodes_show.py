"""`usher nodes show NODE`: everything that is held of one node; `why` is registered along with it.

Rules:
1. Every field of the snapshot that says something is shown, under the name that its document has in JSON.
2. Digests, ids and public keys are shown; no blob, no secret, no entropy.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fsm.snapshot import Snapshot
from fsm.states import FACTS, State
from usher.views import common, nodes_why
from usher.views.book import open_book
from usher.views.closed import closing
from usher.views.documents import whole
from usher.views.story import awaited
from usher.views.text import span, visible, when

_ALWAYS: Final = frozenset({"open"})


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `show` and `why`, which tell of one node, below `usher nodes`."""
    parser = subparsers.add_parser("show", help="show a node", description="Show everything that is held of a node.")
    parser.add_argument("node", metavar="NODE", help="the node's name")
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)
    nodes_why.add_arguments(subparsers)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    return common.guarded(lambda: _show(args))


def _show(args: argparse.Namespace) -> None:
    with open_book(common.database(args)) as book:
        snapshot = common.known(book, args.node)
        past = book.history(args.node, 1, snapshot.seq) if snapshot.state is State.UNSEEN else ()
    said = closing(past, common.now())
    if args.json:
        common.answer(whole(snapshot) | ({"closed": said} if said else {}))
    else:
        common.say([*lines(snapshot, common.now()), *([said] if said else [])])


def lines(snapshot: Snapshot, now: int) -> Iterator[str]:
    """What is held, a line a field, and what comes next."""
    yield f"{visible(snapshot.node)}: {snapshot.state.value}, {FACTS[snapshot.state]}"
    yield from _fields(whole(snapshot, times=lambda at: when(at, now) if at else None), "  ")
    yield awaited(snapshot, now)


def _fields(held: Mapping[str, Any], indent: str) -> Iterator[str]:
    """The fields that say something, with what is within them further to the right."""
    size = max((len(name) for name, value in held.items() if not isinstance(value, Mapping)), default=0)
    for name, value in held.items():
        if isinstance(value, Mapping):
            within = list(_fields(value, indent + "  "))
            yield from (f"{indent}{name}", *within) if within else ()
        elif value or name in _ALWAYS:
            yield f"{indent}{name:<{size}}  {_said(name, value)}"


def _said(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return span(value) if name == "span" else visible(str(value))
