"""`usher nodes why NODE`: one paragraph that says where a node is, and why.

Rules:
1. The paragraph is the story of usher.views.story, wrapped for the terminal; in JSON its sentences are named.
2. The history is read after the snapshot and told no further than that, so the two never disagree.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, Final

from fsm.snapshot import Snapshot
from usher.views import common
from usher.views.book import open_book
from usher.views.documents import line, whole
from usher.views.past import Past
from usher.views.story import Story, arrival, story

DEPTH: Final = 200
"""Lines of history in which the last failure and the row that led here are looked for."""


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `why` below `usher nodes`."""
    parser = subparsers.add_parser("why", help="say why a node is where it is", description="Tell a node's story.")
    parser.add_argument("node", metavar="NODE", help="the node's name")
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    return common.guarded(lambda: _why(args))


def _why(args: argparse.Namespace) -> None:
    with open_book(common.database(args)) as book:
        snapshot = common.known(book, args.node)
        past = book.history(args.node, DEPTH, snapshot.seq)
        paused = book.paused()
    told = story(snapshot, past, common.now(), paused)
    if args.json:
        common.answer(document(snapshot, past, told))
    else:
        width = common.width()
        common.say(wrap(told.paragraph, max(width, 40), break_long_words=False) if width else [told.paragraph])


def document(snapshot: Snapshot, past: Sequence[Past], told: Story) -> dict[str, Any]:
    """The story for programs: the list's document, the sentences, and the row that led here."""
    led = arrival(snapshot, past)
    sentences = {name: getattr(told, name) for name in Story.__slots__ if getattr(told, name)}
    row = line(led) if led else None
    return {**whole(snapshot), "row": row, "sentences": sentences, "why": told.paragraph}
