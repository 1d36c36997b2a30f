"""`usher nodes why NODE`: one paragraph that says where a node is, and why.

Rules:
1. The paragraph is the story of usher.views.story, wrapped for the terminal; in JSON its sentences are named.
2. The history is read after the snapshot and told no further than that, so the two never disagree.
3. What the signs suggest (usher.views.signs) stands below it, each with its command; only what a startup event said is
   asked of the daemon, and without one it is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from fsm.identity import is_safe
from fsm.snapshot import Snapshot
from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.state import StateDirectory
from usher.views import common
from usher.views.book import open_book
from usher.views.documents import line, whole
from usher.views.history import pruned
from usher.views.past import Past
from usher.views.signs import Heard, Known, Sighted, Sign, signs
from usher.views.story import Story, arrival, story

DEPTH: Final = 200
"""Lines of history in which the last failure and the row that led here are looked for."""
PATIENCE: Final = 2.0
"""Seconds to wait for the daemon, without which the story is told too."""


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
    database = common.database(args)
    with open_book(database) as book:
        snapshot = common.known(book, args.node)
        past = book.history(args.node, DEPTH, snapshot.seq)
        paused, groups, begun = book.paused(), book.failures(), book.begins(args.node)
    now = common.now()
    told = story(snapshot, past, now, paused)
    startup, elsewhere = heard(database.parent, args.node)
    shown = tuple(signs(Known(snapshot, past, now, startup, groups, elsewhere)))
    if args.json:
        more = {"signs": [sign.document() for sign in shown], "history_begins": begun[0] if begun else 1}
        common.answer(document(snapshot, past, told) | more)
    else:
        before = _wrapped(f"({pruned(begun)})") if begun else []
        common.say(chain(_wrapped(told.paragraph), before, *(lines(sign) for sign in shown)))


def lines(sign: Sign) -> list[str]:
    """What a sign says, below the story."""
    return ["", *_wrapped(f"A sign: {sign.sentence}"), f"  {sign.command}"]


def _wrapped(text: str) -> list[str]:
    width = common.width()
    return wrap(text, max(width, 40), break_long_words=False) if width else [text]


def heard(state: Path, node: str) -> tuple[Heard | None, Sighted | None]:
    """What the daemon of this state directory heard in the newest startup event, and saw in another network.

    None where there was nothing, or no daemon answers.
    """
    directory = StateDirectory(state)
    if not directory.socket.exists() or not is_safe(node):
        return None, None
    try:
        answer = ask(directory, Ask(Command.HEARD, nodes=(node,)), patience=PATIENCE)
        found, seen = answer["heard"][node], answer.get("elsewhere", {}).get(node)
        startup = Heard(int(found["at"]), int(found["ahead"]), str(found["version"])) if found else None
        return startup, Sighted(int(seen["at"]), str(seen["seen"]), str(seen["owner"])) if seen else None
    except (NoDaemonError, RefusedError, KeyError, TypeError, ValueError):
        return None, None


def document(snapshot: Snapshot, past: Sequence[Past], told: Story) -> dict[str, Any]:
    """The story for programs: the list's document, the sentences, and the row that led here."""
    led = arrival(snapshot, past)
    sentences = {name: getattr(told, name) for name in Story.__slots__ if getattr(told, name)}
    row = line(led) if led else None
    return {**whole(snapshot), "row": row, "sentences": sentences, "why": told.paragraph}
