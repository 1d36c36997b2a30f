"""`usher tokens`: which of the site's tokens nodes let usher in with, so that the last users of an old one are found.

Rules:
1. A token is its place in the list and its mark; its text is in no database.
2. What was withdrawn is shown as long as a node let usher in with it last.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from store.views import Marked
from usher.effects.tokens import MARK
from usher.views import common
from usher.views.book import Book, open_book
from usher.views.text import span, table, utc, visible

HEAD = ("TOKEN", "MARK", "NODES", "LAST", "SAMPLE")
WITHDRAWN = "withdrawn"
UNKNOWN = "not known"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The state directory, and how to answer."""
    parser.description = "Count the nodes by the token that they let usher in with last."
    common.add_state(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    return common.guarded(lambda: _tokens(args))


def _tokens(args: argparse.Namespace) -> None:
    with open_book(common.database(args)) as book:
        offered, found = book.offered(), book.marks()
    if args.json:
        common.answer(document(offered, found))
    else:
        common.say(lines(offered, found, common.now(), common.width()))


def marked(book: Book, named: str) -> str:
    """The mark of a token that is named by its place in the list or by its mark."""
    offered = book.offered()
    if named.isascii() and named.isdigit() and len(named) < MARK and 0 < int(named) <= len(offered):
        return offered[int(named) - 1]
    if named in offered or named in {each.mark for each in book.marks()}:
        return named
    said = f"no token is called {visible(named)}: usher tokens lists them by place and mark"
    raise common.RefusedError(said, common.NOTHING_TO_READ)


def lines(offered: Sequence[str], found: Sequence[Marked], now: int, width: int | None) -> Iterable[str]:
    """A line a token, those of the list first."""
    rows = [_cells(each["token"], each, now) for each in document(offered, found)]
    if not rows:
        return ["no daemon has written down its tokens yet, and no node has let it in"]
    return table(HEAD, rows, width)


def _cells(token: int | None, each: dict[str, Any], now: int) -> tuple[str, ...]:
    place = str(token) if token else WITHDRAWN if each["mark"] else UNKNOWN
    last = f"{span(now - each['since'])} ago" if each["since"] else "-"
    return (place, each["mark"] or "-", str(each["nodes"]), last, each["sample"] or "-")


def document(offered: Sequence[str], found: Sequence[Marked]) -> list[dict[str, Any]]:
    """The same for programs: `token` is the place in the list, null for what was withdrawn or is not known."""
    by = {each.mark: each for each in found}
    listed = [_entry(place, mark or None, by.pop(mark or None, None)) for place, mark in enumerate(offered, 1)]
    return listed + [_entry(None, mark, each) for mark, each in by.items()]


def _entry(place: int | None, mark: str | None, each: Marked | None) -> dict[str, Any]:
    return {
        "token": place,
        "mark": mark,
        "nodes": each.nodes if each else 0,
        "since": each.last if each else None,
        "last": utc(each.last) if each else None,
        "sample": each.sample if each else None,
    }
