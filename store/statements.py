"""Statements: the SQL of the hot path, and how a unit becomes its parameters.

Rules:
1. Every statement that changes a node is a compare-and-swap: it counts rows only if the database was as expected.
2. Parameters are plain texts, integers and bytes: an enum would be adapted at a cost.
"""

from __future__ import annotations

from typing import Final

from fsm.snapshot import Snapshot
from fsm.unit import Closing, HistoryRow, Unit
from store.entries import Status

INSERT_NODE: Final = """
INSERT INTO nodes (state, generation, seq, since, due_at, due_kind, due_span, doing, reason, held, active, body, node)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_NODE: Final = """
UPDATE nodes SET state = ?, generation = ?, seq = ?, since = ?, due_at = ?, due_kind = ?, due_span = ?, doing = ?,
  reason = ?, held = ?, active = ?, body = ?
WHERE node = ? AND seq = ?
"""
INSERT_HISTORY: Final = """
INSERT INTO history (position, lineage, epoch, node, generation, seq, at, table_version, policy, event, name, source,
  target, digest, previous, hash, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
OPEN_EFFECT: Final = """
INSERT INTO effects (position, node, opened, epoch, generation, first, effect, try, status, at, entropy, since)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'intended', ?, ?, ?)
"""
CLOSE_EFFECT: Final = """
UPDATE effects SET status = ?, certainty = ?, reason = ?, closed_at = ?
WHERE node = ? AND opened = ? AND closed_at IS NULL
"""
START_EFFECT: Final = """
UPDATE effects SET status = 'started'
WHERE node = ? AND opened = ? AND epoch = ? AND closed_at IS NULL AND status = 'intended'
"""
OPEN_EFFECTS: Final = """
SELECT node, epoch, generation, first, opened, try, status FROM effects INDEXED BY effects_open
WHERE closed_at IS NULL ORDER BY position
"""
ACTIVE: Final = """
SELECT since, rowid, body FROM nodes INDEXED BY nodes_by_state
WHERE state = ? AND (since, rowid) > (?, ?) AND active = 1 ORDER BY since, rowid LIMIT ?
"""
"""A page of the active nodes in a state that is no end: what is at rest is not looked at."""
ROUSED: Final = """
SELECT body FROM nodes INDEXED BY nodes_roused
WHERE active = 1 AND (state = 'unseen' OR state = 'provisioned' OR state = 'retired' OR state = 'gone')
"""
AGED: Final = """
SELECT node FROM nodes INDEXED BY nodes_by_state WHERE state = ? AND since <= ? AND held = 0 AND active = 0
ORDER BY since LIMIT ?
"""
BODY: Final = "SELECT body FROM nodes WHERE node = ?"
BLOB: Final = "SELECT data FROM blobs WHERE digest = ?"
SECRET: Final = "SELECT data FROM vault WHERE node = ? AND generation = ? AND name = ?"  # noqa: S105 SQL
INSERT_BLOB: Final = """
INSERT INTO blobs (digest, data) VALUES (?, ?)
ON CONFLICT (digest) DO UPDATE SET data = excluded.data WHERE substr(data, 1, 9) <> substr(excluded.data, 1, 9)
"""
"""Held already under another key (security.vault: the first 9 bytes): that key may be lost, so the new bytes win."""
INSERT_REF: Final = "INSERT OR IGNORE INTO blob_refs (node, generation, digest) VALUES (?, ?, ?)"
PUT_SECRET: Final = "INSERT OR REPLACE INTO vault (node, generation, name, data) VALUES (?, ?, ?, ?)"  # noqa: S105 SQL
REFS_BELOW: Final = "SELECT digest FROM blob_refs WHERE node = ? AND generation < ?"
DROP_REFS: Final = "DELETE FROM blob_refs WHERE node = ? AND generation < ?"
DROP_SECRETS: Final = "DELETE FROM vault WHERE node = ? AND generation < ?"
DROP_ALL_BUT: Final = "DELETE FROM vault WHERE node = ? AND generation < ? AND name <> ?"
DROP_NAMED: Final = "DELETE FROM vault WHERE node = ? AND generation < ? AND name = ?"
ENTRIES: Final = "SELECT generation, name, data FROM vault WHERE node = ? ORDER BY generation, name"
COLLECT: Final = """
DELETE FROM blobs WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM blob_refs WHERE blob_refs.digest = blobs.digest)
"""
COLLECT_ALL: Final = """
DELETE FROM blobs WHERE digest IN (
  SELECT digest FROM blobs AS held WHERE NOT EXISTS (SELECT 1 FROM blob_refs WHERE blob_refs.digest = held.digest)
)
"""
"""Which are loose is found in the index of digests alone: the blobs themselves are most of the database."""
INSERT_FLEET: Final = """
INSERT INTO journal (position, lineage, epoch, at, kind, name, reason, digest, previous, hash, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
VAULT_KEYS: Final = "SELECT key FROM vault_keys ORDER BY since, key"
PUT_VAULT_KEY: Final = "INSERT OR IGNORE INTO vault_keys (key, since) VALUES (?, ?)"
DROP_VAULT_KEY: Final = "DELETE FROM vault_keys WHERE key = ?"
INSERT_POLICY: Final = "INSERT OR IGNORE INTO policies (hash, document, first_used) VALUES (?, ?, ?)"

Row = tuple[str | int | bytes | None, ...]


def node_row(snapshot: Snapshot, body: bytes) -> Row:
    """The parameters of INSERT_NODE; with `seq - 1` after them those of UPDATE_NODE."""
    awaited, doing, reason = snapshot.awaited, snapshot.doing, snapshot.reason
    return (
        str(snapshot.state),
        snapshot.generation,
        snapshot.seq,
        snapshot.since,
        *((None, None, None) if awaited is None else (awaited.at, str(awaited.kind), awaited.span)),
        str(doing.effect) if doing is not None and doing.open else None,
        None if reason is None else str(reason),
        int(snapshot.held),
        int(snapshot.active),
        body,
        snapshot.node,
    )


def envelope(row: HistoryRow, position: int, lineage: str, digest: str) -> Row:
    """The columns that the chain covers, in the order of store.chain.ENVELOPE."""
    return (
        position, lineage, row.epoch, row.node, row.generation, row.seq, row.at, row.table, row.policy,
        str(row.event), row.row, str(row.source), str(row.target), digest,
    )  # fmt: skip


def opening(unit: Unit, position: int) -> Row:
    """The parameters of OPEN_EFFECT."""
    intent = unit.opens
    assert intent is not None  # noqa: S101 the caller has looked
    of = intent.id
    return (
        position, of.node, of.opened, of.epoch, of.generation, of.seq, str(intent.effect), of.tries, intent.at,
        intent.entropy, intent.since,
    )  # fmt: skip


def closing(closes: Closing, node: str, at: int) -> Row:
    """The parameters of CLOSE_EFFECT."""
    certainty, reason = closes.certainty, closes.reason
    ended = Status.ABANDONED if closes.abandoned else Status.DONE if certainty is None else Status.FAILED
    return (
        str(ended),
        None if certainty is None else str(certainty),
        None if reason is None else str(reason),
        at,
        node,
        closes.opened,
    )
