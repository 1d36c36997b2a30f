"""Integrity: whether the database is whole and agrees with itself, as far as the database alone can tell.

Rules:
1. It reads; each finding names the law that is broken, the first row at fault, and how many there are.
2. A statement is one invariant of design §6, or one promise of the schema; what no statement can see, the audit and the
   fold do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from fsm.codec import decode_snapshot
from fsm.errors import UsherError
from store import statements as sql

_COLUMNS: Final = "state, generation, seq, since, due_at, due_kind, due_span, doing, reason, held, active, body, node"
_EVERY: Final = 5000


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: which check found it, and what it found."""

    check: str
    what: str


_NONE: Final[dict[str, tuple[str, str]]] = {
    "open effects": (
        """
        SELECT e.node FROM effects e LEFT JOIN nodes n ON n.node = e.node
        WHERE e.closed_at IS NULL AND (n.doing IS NULL OR n.doing <> e.effect)
        UNION ALL
        SELECT n.node FROM nodes n WHERE n.doing IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM effects e WHERE e.node = n.node AND e.closed_at IS NULL)
        """,
        "node {} has an open effect in one place and not in the other (invariant 3)",
    ),
    "epochs": (
        """
        SELECT e.node FROM effects e JOIN history h ON h.position = e.position
        WHERE h.node <> e.node OR h.seq <> e.opened OR h.epoch <> e.epoch
        """,
        "an effect of node {} is not of the row that opened it (invariant 8)",
    ),
    "later epochs": (
        "SELECT node FROM history WHERE epoch > (SELECT epoch FROM meta)",
        "a row of node {} is of an epoch that has not begun (invariant 8)",
    ),
    "held": (
        "SELECT node FROM nodes WHERE held = 1 AND (doing IS NOT NULL OR due_at IS NOT NULL)",
        "node {} is held and something is under way or due (invariant 9)",
    ),
    "blobs": (
        "SELECT digest FROM blobs b WHERE NOT EXISTS (SELECT 1 FROM blob_refs r WHERE r.digest = b.digest)",
        "",
    ),
    "credentials": (
        """
        SELECT node FROM effects WHERE effect = 'sign_token' AND status = 'done'
        GROUP BY node, generation, first HAVING count(*) > 1
        """,
        "two credentials were signed for one order of node {} (invariant 12)",
    ),
}


def structure(db: sqlite3.Connection) -> Iterator[Finding]:
    """What SQLite finds itself: pages, indexes, references; sqlite3.Error where it cannot even look."""
    for (said,) in db.execute("PRAGMA integrity_check(5)").fetchall():
        if said != "ok":
            yield Finding("integrity", said)
    for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(5):
        yield Finding("references", f"{table} row {rowid} refers to a row of {parent} that is not there")


def statements(db: sqlite3.Connection) -> Iterator[Finding]:
    """What one statement each can tell; blobs without a reference are no fault (unreferenced)."""
    for check, (query, said) in _NONE.items():
        if said and (found := db.execute(f"SELECT count(*), min(node) FROM ({query})").fetchall()[0])[0]:  # noqa: S608 constants
            more = f", and {found[0] - 1} more" if found[0] > 1 else ""
            yield Finding(check, said.format(found[1]) + more)


def unreferenced(db: sqlite3.Connection) -> int:
    """Blobs that nothing refers to: they go at the next start."""
    return int(db.execute(f"SELECT count(*) FROM ({_NONE['blobs'][0]})").fetchall()[0][0])  # noqa: S608 constants


def snapshots(db: sqlite3.Connection, say: Callable[[int], None] = lambda _: None) -> Iterator[Finding]:
    """Each node's row says what its snapshot says, its open effect is the snapshot's, and it is sound (invariant 9)."""
    opened = {
        node: (at, epoch, tries)
        for node, at, epoch, tries in db.execute("SELECT node, opened, epoch, try FROM effects WHERE closed_at IS NULL")
    }
    for count, row in enumerate(db.execute(f"SELECT {_COLUMNS} FROM nodes ORDER BY node"), 1):  # noqa: S608 constants
        if count % _EVERY == 0:
            say(count)
        body, node = row[-2], row[-1]
        try:
            snapshot = decode_snapshot(body)
        except UsherError as error:
            yield Finding("snapshots", f"the snapshot of node {node} cannot be read: {error}")
            continue
        if tuple(row) != sql.node_row(snapshot, body):
            yield Finding("snapshots", f"the row of node {node} is not what its snapshot says")
        doing = snapshot.open
        if opened.get(node) != ((doing.opened, doing.epoch, doing.tries) if doing else None):
            yield Finding("open effects", f"the open effect of node {node} is not its snapshot's (invariant 3)")
        if not snapshot.sound():
            yield Finding("rest", f"node {node} is not at rest and nothing, or two things, are to happen (invariant 9)")


def sealed(db: sqlite3.Connection, sealed_by: Callable[[bytes], str]) -> tuple[list[Finding], dict[str, int]]:
    """Entries that nobody sealed (invariant 10), and how many entries each key sealed."""
    findings: list[Finding] = []
    keys: dict[str, int] = {}
    for table, name in (("vault", "node"), ("blobs", "digest")):
        for named, head in db.execute(f"SELECT {name}, substr(data, 1, 64) FROM {table}"):  # noqa: S608 constants
            key = sealed_by(head)
            keys[key] = keys.get(key, 0) + 1
            if not key and not findings:
                findings.append(
                    Finding("sealing", f"{table} holds something of {named} that is not sealed (invariant 10)")
                )
    keys.pop("", None)
    return findings, keys
