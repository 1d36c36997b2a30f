"""Queries: the SQL of the reading side, and how a filter becomes a condition.

Rules:
1. Every query that may be long is bounded and goes by a key that is indexed; which key of several is chosen by how
   many nodes there are like that, not by the planner, who has no statistics and would sort a whole fleet for a page.
2. What a person typed is a parameter, never part of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fsm.events import TokenFacts
from fsm.reasons import Reason
from fsm.shapes import KEYS
from fsm.snapshot import Facts, Snapshot
from fsm.states import State

Value = str | int | None

HISTORY: Final = """
SELECT position, epoch, node, generation, seq, at, table_version, policy, event, name, source, target, digest, hash,
  payload
FROM history
"""
ARRIVALS: Final = """
SELECT target, count(*) AS nodes FROM history WHERE position > ? AND source <> target GROUP BY target
"""
END: Final = "SELECT coalesce(max(position), 0) AS last FROM history"
AT: Final = "SELECT at FROM history WHERE position = ?"
FLEET: Final = "SELECT position, epoch, at, kind, name, reason, payload FROM journal"
COUNTS: Final = "SELECT state, count(*) AS nodes FROM nodes WHERE state <> 'unseen' GROUP BY state"
COUNTED: Final = """
SELECT state, count(*) AS nodes, (SELECT coalesce(max(position), 0) FROM history) AS last FROM nodes GROUP BY state
"""
"""What is counted, closed records too, and up to which row: one statement, so one moment."""
MOVES: Final = """
SELECT source, target, count(*) AS nodes FROM history WHERE position > ? AND position <= ? AND source <> target
GROUP BY source, target
"""
REASONS: Final = """
SELECT reason, count(*) AS nodes FROM nodes WHERE reason IS NOT NULL AND +state = 'failed'
GROUP BY reason ORDER BY nodes DESC, reason LIMIT ?
"""
LET_IN: Final = f"json_extract(CAST(body AS TEXT), '$.{KEYS[Snapshot]['let_in']}')"
"""The mark of the token that a node let us in with last, of its snapshot (fsm.shapes)."""
_RETURNS: Final = f"json_extract(CAST(body AS TEXT), '$.{KEYS[Snapshot]['returns']}')"
LOOPING: Final = f"(reason = '{Reason.LOOPING}' OR {_RETURNS} >= 2 AND (state <> 'provisioned' OR since >= ?))"
"""Who is held as looping, or came back twice in a row or more; and has not been provisioned since before a time."""
MARKS: Final = f"""
SELECT {LET_IN} AS mark, count(*) AS nodes, max(since) AS last, node AS sample FROM nodes
WHERE state <> 'unseen' GROUP BY mark ORDER BY nodes DESC, mark
"""  # noqa: S608 constants
_PATH: Final = ".".join((KEYS[Snapshot]["facts"], KEYS[Facts]["token"], KEYS[TokenFacts]["expires"]))
ENDS: Final = f"json_extract(CAST(body AS TEXT), '$.{_PATH}')"
"""When the server token of a node ends (Unix seconds), of its snapshot."""
NETWORK: Final = f"json_extract(CAST(body AS TEXT), '$.{KEYS[Snapshot]['network']}')"
"""The network of a node's record, of its snapshot; null where there was one alone."""
NETWORKS: Final = f"""
SELECT {NETWORK} AS network, state, count(*) AS nodes FROM nodes WHERE state <> 'unseen' GROUP BY network, state
"""  # noqa: S608 constants
NETWORKED: Final = """
SELECT hash, json_extract(CAST(document AS TEXT), '$.network') AS network FROM policies WHERE network IS NOT NULL
"""
ALONE: Final = "'' AS network"
"""The network of all nodes where there is one alone: their snapshots need not be read for it."""
NAMED: Final = f"ifnull({NETWORK}, '') AS network"
_IN_THE_WAITING_ROOM: Final = "state = 'discovered' AND active = 1 AND doing IS NULL AND due_at IS NULL"
WAITING_COUNT: Final = f"SELECT count(*) AS nodes FROM nodes WHERE {_IN_THE_WAITING_ROOM}"  # noqa: S608 constants
EFFECTS: Final = """
SELECT e.node, e.epoch, e.generation, e.first, e.opened, e.try, e.effect, e.status, h.at AS opened_at
FROM effects e INDEXED BY effects_open JOIN history h ON h.position = e.position
WHERE e.closed_at IS NULL ORDER BY e.position LIMIT ?
"""


def nodes(network: str) -> str:
    """The lines of a list; `network` is ALONE or NAMED."""
    columns = "node, state, generation, seq, since, due_at, due_kind, doing, reason, held, active"
    return f"SELECT {columns}, {network} FROM nodes"  # noqa: S608 constants


def waiting(network: str) -> str:
    """The waiting room, who waits longest first."""
    return f"{nodes(network)} WHERE {_IN_THE_WAITING_ROOM} ORDER BY since LIMIT ?"


def ending(network: str) -> str:
    """Provisioned nodes whose token ends until then, of one network or of any; `network` is ALONE or NAMED."""
    return f"""
SELECT node, {ENDS} AS ends, {network} FROM nodes
WHERE state = 'provisioned' AND ends <= ? AND network = ifnull(?, network) ORDER BY ends, node LIMIT ?
"""  # noqa: S608 constants


def ends_by_day(network: str) -> str:
    """How many tokens end on which day, by network: a look at every provisioned node."""
    return f"""
SELECT {network}, {ENDS} / 86400 AS day, count(*) AS nodes FROM nodes
WHERE state = 'provisioned' AND day IS NOT NULL GROUP BY network, day
"""  # noqa: S608 constants


def failures(network: str) -> str:
    """Those that failed or were deferred, by network, reason and state.

    Of a group the sample is the row that has max(since): SQLite promises that for a bare column beside one max().
    """
    return f"""
SELECT {network}, reason, state, count(*) AS nodes, sum(held) AS held, max(since) AS last, node AS sample FROM nodes
WHERE state IN ('failed', 'deferred', 'reprovision')
GROUP BY network, reason, state ORDER BY nodes DESC, network, reason, state
"""  # noqa: S608 constants


NAMES: Final = "SELECT node FROM nodes WHERE node > ? ORDER BY node LIMIT ?"
FEW: Final = 2000
"""So many nodes are looked up by another index and sorted by name; of more, a page is soon found by name."""
_STATES: Final = ", ".join(f"'{state}'" for state in State)


def indices(state: str | None, reason: str | None, before: int | None) -> Iterator[tuple[str, dict[str, Value]]]:
    """The indices that could find what is asked for, each with the conditions that it can look up."""
    if reason is not None:
        yield "nodes_by_reason", {"reason = ?": reason}
    if state is not None or before is not None:
        states = {"state = ?": state} if state is not None else {f"state IN ({_STATES}) AND 1 = ?": 1}
        yield "nodes_by_state", {**states, "since <= ?": before}


def some(index: str, condition: str) -> str:
    """How many nodes there are like that, up to one more than FEW."""
    found = f"SELECT 1 FROM nodes INDEXED BY {index} WHERE {condition} LIMIT {FEW + 1}"  # noqa: S608 constants
    return f"SELECT count(*) AS nodes FROM ({found})"  # noqa: S608 as above


def where(conditions: Mapping[str, Value]) -> tuple[str, tuple[str | int, ...]]:
    """The conditions that have a value, joined, and their values as SQLite takes them."""
    chosen = {text: value for text, value in conditions.items() if value is not None}
    values = tuple(str(value) if isinstance(value, str) else value for value in chosen.values())
    return " AND ".join(chosen) or "1", values
