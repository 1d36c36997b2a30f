"""`usher replay`: a node's history step by step, decided again; and whether histories lead to what is held.

Rules:
1. It reads the database and nothing else, with a daemon or without one; every step is decided by today's table with the
   policy that its row names (fsm.replay).
2. What cannot be decided any more is told as far as it was recorded, with the reason.
3. Exit code 0; 1 if there is no such node or no such row, or a history does not lead where it says; 2 if there is
   nothing to read or the question is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from diagrams import document, mermaid
from fsm.replay import Judged, ending
from fsm.snapshot import Snapshot
from store.folding import open_past
from usher.views import common, nodes_show, path, stepping, steps, verifying
from usher.views.book import open_book
from usher.views.documents import whole
from usher.views.moments import is_seq, time
from usher.views.past import Past
from usher.views.steps import Told, told
from usher.views.telling import brief, lines
from usher.views.text import local, visible

NO_SUCH_ROW: Final = 1
WRONG: Final = 1
EPILOG: Final = """\
examples:
  usher replay web2.example.net                     each step, and what every guard said
  usher replay web2.example.net --step              step by step, on a terminal
  usher replay web2.example.net --at 2h             the node as it was two hours ago
  usher replay web2.example.net --diagram           its way through the machine, for Mermaid
  usher replay --verify                             whether every history leads to what is held"""


@dataclass(frozen=True, slots=True)
class Held:
    """One node as it is to be told: what is held of it now and before its first row, its steps, its history's lines."""

    node: str
    snapshot: Snapshot
    base: Snapshot
    steps: Iterable[Told]
    lines: Iterable[Past]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher replay`."""
    parser.description = "Walk through a node's history, each step decided again, or verify histories."
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument("node", nargs="?", metavar="NODE", help="the node's name")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--step", action="store_true", help="step by step, on a terminal: h tells the keys")
    help_ = "the node as it was at a time (2026-11-20T21:52:29, 2h ago) or after a row (its seq)"
    how.add_argument("--at", type=place, metavar="TIME|SEQ", help=help_)
    how.add_argument("--diagram", action="store_true", help="its way through the machine, as Mermaid draws it")
    how.add_argument("--verify", action="store_true", help="whether the history leads to what is held; 1 if not")
    parser.add_argument("--all", action="store_true", help="with --verify: the histories of all nodes")
    parser.add_argument("--generation", type=_generation, metavar="N", help="only the steps of this generation")
    common.add_state(parser)
    parser.add_argument("--json", action="store_true", help="a JSON document a line, times in UTC")
    parser.set_defaults(run=run)


def place(text: str) -> tuple[str, int]:
    """The number of a row, or a time."""
    return ("seq", int(text)) if is_seq(text) else ("at", time(text))


def _generation(text: str) -> int:
    if not is_seq(text):
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is not the number of a generation, such as 3")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    wrong = _wrong(args)
    if wrong:
        sys.stderr.write(f"usher: {wrong}\n")
        return common.NOTHING_TO_READ
    if args.verify:
        return verifying.run(args)
    return common.guarded(lambda: _replay(args))


def _wrong(args: argparse.Namespace) -> str:
    """What of the question does not fit together."""
    if args.node is None and not args.verify:
        return "name a node (usher nodes list lists them), or verify all of them: usher replay --verify"
    if args.all and (args.node is not None or not args.verify):
        return "--all stands beside --verify, in the place of a node"
    if args.generation is not None and (args.at or args.verify):
        return "--generation chooses among the steps that are told: leave it out beside --at and --verify"
    if args.step and (args.json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        return "--step needs a terminal: leave it out, or use --json for programs"
    return ""


def _replay(args: argparse.Namespace) -> None:
    with _held(common.database(args), args.node) as held:
        if args.at:
            _at(held, *args.at, as_json=args.json)
            return
        seen = _Seen(held, args.generation)
        if args.step:
            stepping.walk(held.node, seen, sys.stdin, sys.stdout)
        elif args.diagram:
            common.say(_drawn(held, seen, as_json=args.json))
        elif args.json:
            common.say(json.dumps(steps.document(each)) for each in seen)
        else:
            common.say(_list(seen, common.width()))
        if seen.none and not args.json and args.generation is None:
            common.say(["nothing of its history is kept"])
        seen.judge()


def _drawn(held: Held, seen: Iterable[Told], *, as_json: bool) -> list[str]:
    """The way through the machine that these steps took."""
    seqs = {each.step.recorded.seq for each in seen}
    diagram = path.draw(held.node, (line for line in held.lines if line.seq in seqs))
    return (document.render if as_json else mermaid.render)(diagram).splitlines()


def _list(seen: Iterable[Told], width: int | None) -> Iterator[str]:
    for count, each in enumerate(seen):
        row = each.step.recorded
        if not count and row.seq > 1 and each.gap is None:
            yield f"(what is kept begins with row {row.seq}: what was before it has been pruned, or was cut)"
        yield from lines(each, width)


@contextmanager
def _held(database: Path, node: str) -> Iterator[Held]:
    """A node and its steps; raises RefusedError if nobody knows it."""
    with open_book(database) as book, open_past(database) as past:
        snapshot = common.known(book, node)
        yield Held(node, snapshot, past.base(node), told(past.steps(node), book.opening(node)), book.lines(node))


class _Seen:
    """The steps that were chosen, noting what is wrong with the history while they are told."""

    def __init__(self, held: Held, generation: int | None) -> None:
        """Choose the steps of a generation; all of them without one. `none`: nothing was told so far."""
        self._held, self._generation = held, generation
        self.none, self._wrong, self._last = True, "", held.base

    def __iter__(self) -> Iterator[Told]:
        """Each step that was chosen, in order."""
        known = True
        for each in self._held.steps:
            step = each.step
            if step.judged is Judged.DIVERGES and not self._wrong:
                self._wrong = f"row {step.recorded.seq}: {step.why}"
            known, self._last = step.after is not None, step.after or self._last
            if self._generation in {None, step.recorded.generation}:
                self.none = False
                yield each
        if known and not self._wrong and self._last.seq <= self._held.snapshot.seq:
            self._wrong = ending(self._last, self._held.snapshot)

    def judge(self) -> None:
        """Raises RefusedError if nothing was told, or if the history does not lead where it says."""
        name = visible(self._held.node)
        if self.none and self._generation is not None:
            said = f"nothing of generation {self._generation} is kept in the history of {name}"
            raise common.RefusedError(said, NO_SUCH_ROW)
        if self._wrong:
            raise common.RefusedError(f"node {name}, {self._wrong}; usher db check looks at all of it", WRONG)


# -- as it was --------------------------------------------------------------------------------------------------------


def _at(held: Held, kind: str, value: int, *, as_json: bool) -> None:
    """The node after this row, or after the last row that is not later than this time."""
    first: Told | None = None
    found: Told | None = None
    back = False
    for each in held.steps:
        row = each.step.recorded
        first = first or each
        if (row.seq if kind == "seq" else row.at) <= value:
            found = each
        back = back or (each.gap or 0) < 0
    _refuse(held, first, found, kind, value)
    if found is not None:
        now = value if kind == "at" else found.step.recorded.at
        _was(found, now, as_json=as_json, back=back and kind == "at")


def _refuse(held: Held, first: Told | None, found: Told | None, kind: str, value: int) -> None:
    """What was asked for is not there; raises RefusedError."""
    name = visible(held.node)
    if first is None:
        raise common.RefusedError(f"nothing is kept of the history of {name}", NO_SUCH_ROW)
    row = first.step.recorded
    if found is None and kind == "at":
        said = f"{name} has no row as old as {local(value)}: what is kept of it begins {local(row.at)} (row {row.seq})"
        raise common.RefusedError(said, NO_SUCH_ROW)
    if kind == "seq" and (found is None or found.step.recorded.seq != value):
        last = held.snapshot.seq
        raise common.RefusedError(f"{name} has no row {value}: its rows are {row.seq} to {last}", NO_SUCH_ROW)


def _was(found: Told, now: int, *, as_json: bool, back: bool) -> None:
    """The snapshot after a row as it was `now`, if it is known; its row otherwise."""
    row, after = found.step.recorded, found.step.after
    if as_json:
        common.answer({"row": steps.document(found), "snapshot": None if after is None else whole(after)})
        return
    said = [f"as it was after row {row.seq}, {local(row.at, 'milliseconds')} ({brief(found)})"]
    if back:
        said.append("(the clock went back meanwhile: this is the last row that is not later)")
    unknown = f"what it was is not known: {found.step.why}"
    common.say([*said, *([unknown] if after is None else nodes_show.lines(after, now))])
