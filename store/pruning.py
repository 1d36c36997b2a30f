"""Pruning: rows below a signed floor go, and what is above can still be verified, decided again, and explained.

Rules:
1. The floor with the base of every node that has rows below it is one transaction; only then rows are deleted.
2. A floor never lies above an open effect's row, nor above the last row: the chain goes on from there.
3. Rows are deleted a page at a time while commits go on; what a death leaves of them the next prune deletes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fsm.codec import encode_snapshot
from fsm.errors import StoreError
from fsm.replay import Judged
from store.connections import transaction
from store.folding import Past
from store.records import Base, Floor

_PAGE: Final = 1000
_DELETED: Final = 2000
"""Rows that are deleted in one transaction: about a twentieth of a second."""
_PLACE: Final = """
SELECT min(
  coalesce((SELECT min(position) FROM history WHERE at >= ?), (SELECT max(position) FROM history), 0),
  coalesce((SELECT min(position) FROM effects WHERE closed_at IS NULL), 9223372036854775807)
)
"""
_ABOUT: Final = "SELECT count(*), min(at), max(at), count(DISTINCT node) FROM history WHERE position < ?"
_NODES: Final = """
SELECT n.node, n.seq, n.body,
  (SELECT h.seq FROM history h WHERE h.node = n.node AND h.position < ? ORDER BY h.seq DESC LIMIT 1)
FROM nodes n WHERE n.node > ? ORDER BY n.node LIMIT ?
"""
_OLD_BASE: Final = "SELECT seq, body FROM floor_bases WHERE node = ? ORDER BY position DESC LIMIT 1"
_DECIDED: Final = frozenset({Judged.AGREES, Judged.DECLARED})


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go: rows below `position`, of how many nodes, from when to when (ms); `floor` is the one that is."""

    position: int
    rows: int
    nodes: int
    began: int
    ended: int
    floor: int


@dataclass(frozen=True, slots=True)
class Unmade:
    """A node whose base cannot be made: its rows below cannot be decided again, from which on and why."""

    node: str
    seq: int
    why: str


def plan(db: sqlite3.Connection, before: int) -> Plan:
    """What a prune before this time (milliseconds) would delete; raises sqlite3.Error."""
    floor = db.execute("SELECT coalesce(max(position), 0) FROM floor").fetchall()[0][0]
    position = max(int(db.execute(_PLACE, (before,)).fetchall()[0][0]), floor)  # rows below may be left of a death
    rows, began, ended, nodes = db.execute(_ABOUT, (position,)).fetchall()[0]
    return Plan(position, rows, nodes, began or 0, ended or 0, floor)


def link_below(db: sqlite3.Connection, position: int) -> bytes:
    """The link of the last row below a position; raises StoreError if there is none."""
    found = db.execute("SELECT previous FROM history WHERE position = ?", (position,)).fetchall()
    if not found:
        raise StoreError(f"history has no row {position}: it was pruned meanwhile, ask again")
    return bytes(found[0][0])


def make_bases(db: sqlite3.Connection, position: int) -> Iterator[Base | Unmade]:
    """The base of each node that has rows below, by node. A node that moves meanwhile changes none: its rows stay."""
    past, after, full = Past(db), "", True
    while full:
        page = db.execute(_NODES, (position, after, _PAGE)).fetchall()
        for node, seq, body, below in page:
            made = _made(db, past, node, (seq, body), below)
            if made is not None:
                yield made
        full, after = len(page) == _PAGE, page[-1][0] if page else after


def _made(
    db: sqlite3.Connection, past: Past, node: str, held: tuple[int, bytes], below: int | None
) -> Base | Unmade | None:
    if below is None:  # nothing of it is below, or all that was is below the floor that is
        old = db.execute(_OLD_BASE, (node,)).fetchall()
        return Base(node, *old[0]) if old else None
    if held[0] == below:
        return Base(node, *held)
    for step in past.steps(node):
        if step.judged not in _DECIDED or step.after is None:
            return Unmade(node, step.recorded.seq, step.why)
        if step.recorded.seq == below:
            return Base(node, below, encode_snapshot(step.after))
    return Unmade(node, below, "its rows do not lead there")


def set_floor(floor: Floor, bases: Callable[[], Iterable[Base]]) -> Callable[[sqlite3.Connection], None]:
    """The job for Journal.maintain that sets a floor with its bases, in place of those of earlier floors."""

    def job(db: sqlite3.Connection) -> None:
        with transaction(db):
            _check(db, floor)
            db.execute(
                "INSERT INTO floor (position, at, hash, signer, signature, document) VALUES (?, ?, ?, ?, ?, ?)",
                (floor.position, floor.at, floor.hash, floor.signer, floor.signature, floor.document),
            )
            rows = ((floor.position, each.node, each.seq, each.body) for each in bases())
            db.executemany("INSERT INTO floor_bases (position, node, seq, body) VALUES (?, ?, ?, ?)", rows)
            db.execute("DELETE FROM floor_bases WHERE position < ?", (floor.position,))

    return job


def _check(db: sqlite3.Connection, floor: Floor) -> None:
    """Whether it may still be set: nothing else was pruned, and no effect is open below it."""
    if link_below(db, floor.position) != floor.hash:
        raise StoreError(f"history is another one at row {floor.position}: run usher audit verify")
    standing = db.execute("SELECT coalesce(max(position), 0) FROM floor").fetchall()[0][0]
    opened = db.execute("SELECT min(position) FROM effects WHERE closed_at IS NULL").fetchall()[0][0]
    if standing >= floor.position or (opened is not None and opened < floor.position):
        raise StoreError("the database was pruned or restored meanwhile: ask again")


def delete_page(db: sqlite3.Connection) -> int:
    """The job for Journal.maintain that deletes a page of what is below the floor; answers how many rows went."""
    with transaction(db):
        floor = db.execute("SELECT coalesce(max(position), 0) FROM floor").fetchall()[0][0]
        first = db.execute("SELECT min(position) FROM history").fetchall()[0][0]
        if first is None or first >= floor:
            return 0
        end = min(first + _DELETED, floor)
        db.execute("DELETE FROM effects WHERE position < ? AND closed_at IS NOT NULL", (end,))
        return db.execute("DELETE FROM history WHERE position < ?", (end,)).rowcount
