"""Folding: each node's history decided again, to find out whether it leads to the snapshot that is held.

Rules:
1. What decides is fsm.machine.decide with the policy that the row names: the very code that decided at first.
2. Only rows of today's table can be decided again, and only where every payload and policy is still held; a node with
   others is counted and left alone.
3. One node is in memory at a time; the fold says now and then how far it is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from fsm.codec import decode_payload, decode_snapshot, fit
from fsm.effects import Feature
from fsm.errors import UsherError
from fsm.machine import Rejected, decide
from fsm.policy import Policy
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from fsm.table import VERSION

_ROWS: Final = """
SELECT node, seq, table_version, policy, name, source, target, payload, generation FROM history ORDER BY node, seq
"""
_BODY: Final = "SELECT body FROM nodes WHERE node = ?"
_EVERY: Final = 5000
"""Rows between two words."""


@dataclass(frozen=True, slots=True)
class Folded:
    """How many nodes and rows were decided again, how many nodes could not be, and the first fault, if there is one."""

    nodes: int = 0
    rows: int = 0
    left_alone: int = 0
    fault: str = ""


def read_policy(document: bytes) -> Policy:
    """The policy of a stored document; raises ValueError, TypeError, KeyError if it is of another usher."""
    values: dict[str, Any] = json.loads(document)
    known = {field.name for field in fields(Policy)}
    if values.keys() - known:
        raise ValueError(f"it has {', '.join(sorted(values.keys() - known))}")
    features = frozenset(Feature(name) for name in values.pop("features"))
    return Policy(features=features, **values)


def fold(db: sqlite3.Connection, say: Callable[[int], None] = lambda _: None) -> Folded:
    """Decide everything again, to the first fault; raises sqlite3.Error."""
    policies = dict(_policies(db))
    folded = Folded()
    for node, rows in groupby(_rows(db, say), itemgetter(0)):
        folded = _node(db, node, list(rows), policies, folded)
        if folded.fault:
            break
    return folded


def _policies(db: sqlite3.Connection) -> Iterator[tuple[str, Policy]]:
    for hashed, document in db.execute("SELECT hash, document FROM policies").fetchall():
        try:
            policy = read_policy(document)
        except (ValueError, TypeError, KeyError):
            continue
        if policy.hash == hashed:
            yield hashed, policy


def _rows(db: sqlite3.Connection, say: Callable[[int], None]) -> Iterator[tuple[Any, ...]]:
    for count, row in enumerate(db.execute(_ROWS), 1):
        if count % _EVERY == 0:
            say(count)
        yield row


def _node(
    db: sqlite3.Connection, node: str, rows: list[tuple[Any, ...]], policies: dict[str, Policy], folded: Folded
) -> Folded:
    """One node more."""
    whole = rows[0][1] == 1 and all(row[2] == VERSION and row[3] in policies and row[7] is not None for row in rows)
    if not whole:
        return Folded(folded.nodes, folded.rows, folded.left_alone + 1)
    snapshot, fault = _decided(node, rows, policies)
    if not fault:
        found = db.execute(_BODY, (node,)).fetchall()
        held = decode_snapshot(found[0][0]) if found else None
        if held is None or fit(held) != fit(snapshot):
            fault = f"node {node}: what is held of it is not what its history leads to"
    return Folded(folded.nodes + 1, folded.rows + len(rows), folded.left_alone, fault)


def _decided(node: str, rows: list[tuple[Any, ...]], policies: dict[str, Policy]) -> tuple[Snapshot, str]:
    snapshot = unseen(node)
    for _, seq, _, policy, name, source, target, payload, generation in rows:
        try:
            decision = decide(snapshot, decode_payload(payload)[0], policies[policy])
        except UsherError as error:
            return snapshot, f"node {node}, row {seq}: its event cannot be read: {error}"
        if isinstance(decision, Rejected):
            return snapshot, f"node {node}, row {seq}: its event changes nothing: {decision.why}"
        told = (decision.row.name, snapshot.state, decision.snapshot.state, decision.snapshot.generation)
        if told != (name, source, target, generation):
            said = f"{told[0]} from {told[1]} to {told[2]} in generation {told[3]}"
            return snapshot, f"node {node}, row {seq}: it says {name} to {target}, and is {said} when decided again"
        if decision.snapshot.state is State.PROVISIONED and snapshot.state is not State.PROVISIONED:
            fault = _unproven(snapshot)
            if fault:
                return snapshot, f"node {node}, row {seq}: provisioned {fault}"
        snapshot = decision.snapshot
    return snapshot, ""


def _unproven(before: Snapshot) -> str:
    """Invariant 5: what a node has behind it when it is provisioned, as far as its snapshot tells."""
    if before.held:
        return ""  # it was provisioned before it was held
    if not before.facts.configured:
        return "without an acknowledged configuration"
    return "" if before.parting.at else "without a restart that was sent"
