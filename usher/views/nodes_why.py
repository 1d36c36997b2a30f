"""`usher nodes why NODE`: one paragraph that says where a node is, and why.

Rules:
1. The paragraph is the story of usher.views.story, wrapped for the terminal; in JSON its sentences are named.
2. The history is read after the snapshot and told no further than that, so the two never disagree.
3. What the signs suggest (usher.views.signs) stands below it, each with its command; only what a startup event
   said, and what refuses its name, is asked of the daemon, and without one it is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from fsm.identity import is_safe
from fsm.snapshot import Snapshot
from fsm.states import State
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
from usher.views.text import visible

DEPTH: Final = 200
"""Lines of history in which the last failure and the row that led here are looked for."""
PATIENCE: Final = 2.0
"""Seconds to wait for the daemon, without which the story is told too."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a daemon knows of a name; nothing where no daemon answers.

    `heard` is its newest startup event, `elsewhere` its newest sighting in a network that does not have it, `refused`
    what refuses it.
    """

    heard: Heard | None = None
    elsewhere: Sighted | None = None
    refused: str = ""


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
    told_us = asked(database.parent, args.node)
    with open_book(database) as book:
        if told_us.refused and book.node(args.node) is None:
            _never_taken_in(args, told_us.refused)
            return
        snapshot = common.known(book, args.node)
        past = book.history(args.node, DEPTH, snapshot.seq)
        paused, groups, begun = book.paused(), book.failures(), book.begins(args.node)
    now = common.now()
    told = story(snapshot, past, now, paused)
    shown = tuple(signs(Known(snapshot, past, now, told_us.heard, groups, told_us.elsewhere, told_us.refused)))
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


def _never_taken_in(args: argparse.Namespace, refused: str) -> None:
    said = f"{visible(args.node)} is no node of usher's: {visible(refused)}, so it is never asked anything."
    if args.json:
        common.answer({"node": args.node, "state": State.UNSEEN.value, "refused": refused, "why": said})
    else:
        common.say(_wrapped(said))


def asked(state: Path, node: str) -> Asked:
    """What the daemon of this state directory knows of a name."""
    directory = StateDirectory(state)
    if not directory.socket.exists() or not is_safe(node):
        return Asked()
    try:
        answer = ask(directory, Ask(Command.HEARD, nodes=(node,)), patience=PATIENCE)
        found, seen = answer["heard"][node], answer.get("elsewhere", {}).get(node)
        return Asked(
            Heard(int(found["at"]), int(found["ahead"]), str(found["version"])) if found else None,
            Sighted(int(seen["at"]), str(seen["seen"]), str(seen["owner"])) if seen else None,
            str(answer.get("refused", {}).get(node, "")),
        )
    except (NoDaemonError, RefusedError, KeyError, TypeError, ValueError):
        return Asked()


def document(snapshot: Snapshot, past: Sequence[Past], told: Story) -> dict[str, Any]:
    """The story for programs: the list's document, the sentences, and the row that led here."""
    led = arrival(snapshot, past)
    sentences = {name: getattr(told, name) for name in Story.__slots__ if getattr(told, name)}
    row = line(led) if led else None
    return {**whole(snapshot), "row": row, "sentences": sentences, "why": told.paragraph}
