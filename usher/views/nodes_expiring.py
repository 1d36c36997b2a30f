"""`usher nodes expiring`: which provisioned nodes hold a server token that ends soon.

Rules:
1. Usher knows what it has issued: a token's end is a fact of the node, and no node is asked.
2. The soonest end comes first; what has ended already is there too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, Final

from store.views import EndView
from usher.views import common
from usher.views.book import open_book
from usher.views.nodes_list import NETWORK, age
from usher.views.text import distance, local, table, utc

HEAD: Final = ("NODE", "ENDS", "IN")
USUAL: Final = 60 * 86_400_000
"""Milliseconds: sixty days."""


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `expiring` below `usher nodes`."""
    what = "list provisioned nodes whose server token ends soon"
    parser = subparsers.add_parser(
        "expiring", help=what, description=f"{what[0].upper()}{what[1:]}, the soonest first."
    )
    parser.add_argument("--within", type=age, default=USUAL, metavar="TIME", help="ends within this time (60d)")
    parser.add_argument("--network", metavar="NAME", help="only nodes of this one of several networks")
    parser.add_argument("--limit", type=common.count, metavar="N", help="no more than N nodes")
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    return common.guarded(lambda: _expiring(args))


def _expiring(args: argparse.Namespace) -> None:
    now = common.now()
    with open_book(common.database(args)) as book:
        found, several = book.ending((now + args.within) // 1000, args.limit, args.network), book.networked
    if args.json:
        common.answer_all(document(view) for view in found)
    else:
        common.say(lines(found, now, common.width(), several=several))


def lines(found: Sequence[EndView], now: int, width: int | None, *, several: bool = False) -> Iterable[str]:
    """A line a node, with its network where there are several; or the sentence that there is none."""
    if not found:
        return ["no node's server token ends within that time"]
    cells = [
        (
            view.node,
            *([view.network or "-"] if several else []),
            local(view.ends * 1000),
            distance(view.ends * 1000, now),
        )
        for view in found
    ]
    return table((HEAD[0], NETWORK, *HEAD[1:]) if several else HEAD, cells, width)


def document(view: EndView) -> dict[str, Any]:
    """A node for programs."""
    return {"node": view.node, "network": view.network, "ends": utc(view.ends * 1000)}
