"""Folding: each node's history decided again, and whether it leads to the snapshot that is held.

Rules:
1. What judges a row is fsm.replay; here rows are read, counted, and compared with what is held.
2. What cannot be decided any more is counted by its reason, and its node is not compared: that is no fault.
3. It ends at the first fault. One page of one node is in memory at a time; how far it is, is said now and then.
4. What is held of a node is read before its rows, so a daemon that goes on meanwhile is no fault.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fsm.codec import MalformedError, NewerError, decode_snapshot
from fsm.policy import Policy, named, read_policy
from fsm.replay import Judged, Recorded, Step, Walk, ending
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from store.identity import opened, ours
from store.refusals import older
from store.versions import migrations

_RECORDED: Final = """
SELECT h.node, h.seq, CAST(h.at AS INTEGER), CAST(h.generation AS INTEGER), CAST(h.table_version AS INTEGER), h.policy,
  h.event, h.name, h.source, h.target, h.digest, CAST(h.payload AS BLOB), e.effect, e.try, e.first
FROM history h LEFT JOIN effects e ON e.position = h.position
WHERE h.node = ? AND h.seq > ? ORDER BY h.seq LIMIT ?
"""
"""Types are those of the schema, whoever wrote the row."""
_HELD: Final = "SELECT node, body FROM nodes WHERE node > ? ORDER BY node LIMIT ?"
_BODY: Final = "SELECT body FROM nodes WHERE node = ?"
_FLOOR: Final = "SELECT max(position) FROM floor"
_BASE: Final = "SELECT body FROM floor_bases WHERE position = ? AND node = ?"
_STRANGER: Final = "SELECT min(node) FROM history h WHERE NOT EXISTS (SELECT 1 FROM nodes n WHERE n.node = h.node)"
_PAGE: Final = 1000
_EVERY: Final = 5000
"""Rows between two words."""

Say = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: with which row of which node (0: with where its history leads), and what."""

    node: str
    seq: int
    what: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"node {self.node}, row {self.seq}: {self.what}" if self.seq else f"node {self.node}: {self.what}"


@dataclass
class Folded:
    """How many nodes lead to what is held, how many cannot be decided to their end, and how many rows are how.

    `agrees` and `declared` count rows that were decided again, `undecided` those that cannot be, by the reason.
    """

    nodes: int = 0
    left_alone: int = 0
    agrees: int = 0
    declared: int = 0
    undecided: Counter[str] = field(default_factory=Counter)
    fault: Fault | None = None

    @property
    def rows(self) -> int:
        """The rows that were decided again."""
        return self.agrees + self.declared


def fold(db: sqlite3.Connection, say: Say = lambda _: None) -> Folded:
    """Decide everything again, to the first fault; raises sqlite3.Error."""
    return Past(db).fold(say)


@contextmanager
def open_past(path: Path) -> Iterator[Past]:
    """The recorded past in the database at `path`, to read; raises StoreError that says what to do."""
    with opened(path) as db:
        version, newest = ours(db, path), max(migrations())
        if version < newest:
            raise older(path, version, newest)
        db.execute("PRAGMA query_only = ON")
        yield Past(db)


class Past:
    """The recorded rows of a database, with what it takes to decide them again."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Read the policies, and where the floor is."""
        self._db = db
        self.policies = dict(_policies(db))
        self._floor: int | None = db.execute(_FLOOR).fetchall()[0][0]

    def base(self, node: str) -> Snapshot:
        """The snapshot before a node's first row that is kept: what a floor holds, else that of a node nobody has seen.

        A node of which a floor holds none was first seen after it.
        """
        if self._floor is not None:
            found = self._db.execute(_BASE, (self._floor, node)).fetchall()
            if found:
                return decode_snapshot(found[0][0])
        return unseen(node)

    def rows(self, node: str, after: int) -> Iterator[Recorded]:
        """A node's rows with a seq above `after`, in their order."""
        full = True
        while full:
            page = self._db.execute(_RECORDED, (node, after, _PAGE)).fetchall()
            yield from map(Recorded._make, page)
            full = len(page) == _PAGE
            after = page[-1][1] if page else after

    def steps(self, node: str) -> Iterator[Step]:
        """A node's rows above its base, each decided again."""
        base = self.base(node)
        walk = Walk(base, self.policies)
        return map(walk.step, self.rows(node, base.seq))

    def fold(self, say: Say = lambda _: None) -> Folded:
        """Decide every node again, to the first fault."""
        folded = Folded()
        for node, body in _held(self._db):
            _node(self, node, body, folded, say)
            if folded.fault is not None:
                return folded
        stranger = self._db.execute(_STRANGER).fetchall()[0][0]
        if stranger is not None:
            folded.fault = Fault(stranger, 0, ending(unseen(stranger), None))
        return folded

    def fold_node(self, node: str, say: Say = lambda _: None) -> Folded:
        """Decide one node again, to the first fault."""
        folded, found = Folded(), self._db.execute(_BODY, (node,)).fetchall()
        _node(self, node, found[0][0] if found else None, folded, say)
        return folded


def _policies(db: sqlite3.Connection) -> Iterator[tuple[str, Policy]]:
    for hashed, document in db.execute("SELECT hash, document FROM policies").fetchall():
        try:
            if named(document) == hashed:
                yield hashed, read_policy(document)
        except (ValueError, TypeError, KeyError):
            continue


def _held(db: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    after, full = "", True
    while full:
        page = db.execute(_HELD, (after, _PAGE)).fetchall()
        yield from page
        full = len(page) == _PAGE
        after = page[-1][0] if page else after


def _node(past: Past, node: str, body: bytes | None, folded: Folded, say: Say) -> None:
    """One node more."""
    try:
        held = None if body is None else decode_snapshot(body)
        reached: Snapshot | None = past.base(node)
    except NewerError:
        folded.left_alone += 1
        return
    except MalformedError as error:
        folded.fault = Fault(node, 0, str(error))
        return
    for step in _counted(past.steps(node), folded, say):
        if folded.fault is not None:
            return
        reached = step.after
        if reached is not None and held is not None and reached.seq == held.seq:
            break
    if reached is None:
        folded.left_alone += 1
        return
    what = ending(reached, held)
    if what:
        folded.fault = Fault(node, 0, what)
    folded.nodes += not what


def _counted(steps: Iterable[Step], folded: Folded, say: Say) -> Iterator[Step]:
    for step in steps:
        judged = step.judged
        if judged is Judged.AGREES or judged is Judged.DECLARED:
            folded.agrees += judged is Judged.AGREES
            folded.declared += judged is Judged.DECLARED
            if folded.rows % _EVERY == 0:
                say(folded.rows)
            what = _unproven(step)
        elif judged is Judged.UNDECIDED:
            folded.undecided[step.why] += 1
            what = ""
        else:
            what = step.why
        if what:
            folded.fault = Fault(step.recorded.node, step.recorded.seq, what)
        yield step


def _unproven(step: Step) -> str:
    """Invariant 5: what a node has behind it when it is provisioned, as far as its snapshot tells."""
    before, after = step.before, step.after
    if after is None or after.state is not State.PROVISIONED or before is None or before.state is State.PROVISIONED:
        return ""
    if before.held:
        return ""  # it was provisioned before it was held
    if not before.facts.configured:
        return "provisioned without an acknowledged configuration"
    return "" if before.parting.at else "provisioned without a restart that was sent"
