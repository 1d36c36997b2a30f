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
from usher.views.nodes_list import age
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
        found = book.ending((now + args.within) // 1000, args.limit)
    if args.json:
        common.answer_all(document(view) for view in found)
    else:
        common.say(lines(found, now, common.width()))


def lines(found: Sequence[EndView], now: int, width: int | None) -> Iterable[str]:
    """A line a node, or the sentence that there is none."""
    if not found:
        return ["no node's server token ends within that time"]
    cells = [(view.node, local(view.ends * 1000), distance(view.ends * 1000, now)) for view in found]
    return table(HEAD, cells, width)


def document(view: EndView) -> dict[str, Any]:
    """A node for programs."""
    return {"node": view.node, "ends": utc(view.ends * 1000)}
