"""Queries: the SQL of the reading side, and how a filter becomes a condition.

Rules:
1. Every query that may be long is bounded and goes by a key that is indexed.
2. What a person typed is a parameter, never part of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NODES: Final = "SELECT node, state, generation, seq, since, due_at, due_kind, doing, reason, held, active FROM nodes"
HISTORY: Final = """
SELECT position, epoch, node, generation, seq, at, table_version, policy, event, name, source, target, digest, hash,
  payload
FROM history
"""
FLEET: Final = "SELECT position, epoch, at, kind, name, reason, payload FROM journal"
COUNTS: Final = "SELECT state, count(*) AS nodes FROM nodes WHERE state <> 'unseen' GROUP BY state"
REASONS: Final = """
SELECT reason, count(*) AS nodes FROM nodes WHERE reason IS NOT NULL AND +state = 'failed'
GROUP BY reason ORDER BY nodes DESC, reason LIMIT ?
"""
_IN_THE_WAITING_ROOM: Final = "state = 'discovered' AND active = 1 AND doing IS NULL AND due_at IS NULL"
WAITING: Final = f"{NODES} WHERE {_IN_THE_WAITING_ROOM} ORDER BY since LIMIT ?"
WAITING_COUNT: Final = f"SELECT count(*) AS nodes FROM nodes WHERE {_IN_THE_WAITING_ROOM}"  # noqa: S608 constants
EFFECTS: Final = """
SELECT e.node, e.epoch, e.generation, e.first, e.opened, e.try, e.effect, e.status, h.at AS opened_at
FROM effects e INDEXED BY effects_open JOIN history h ON h.position = e.position
WHERE e.closed_at IS NULL ORDER BY e.position LIMIT ?
"""


def where(conditions: Mapping[str, str | int | None]) -> tuple[str, tuple[str | int, ...]]:
    """The conditions that have a value, joined, and their values as SQLite takes them."""
    chosen = {text: value for text, value in conditions.items() if value is not None}
    values = tuple(str(value) if isinstance(value, str) else value for value in chosen.values())
    return " AND ".join(chosen) or "1", values
