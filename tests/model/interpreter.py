"""A plain dictionary interpreter of a table: no library, no cursor; what `fsm.machine` must be equal to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fsm.events import Event
from fsm.guards import Turn
from fsm.machine import STALE_DUE, STALE_OUTCOME, Decision, Rejected, apply, decide
from fsm.policy import Policy
from fsm.rows import Row
from fsm.snapshot import Snapshot
from fsm.states import State

Decider = Callable[[Snapshot, Event, Policy], Decision | Rejected]
Cells = dict[tuple[State, str], list[Row]]


def cells(rows: Iterable[Row]) -> Cells:
    """The rows of each cell, in the order in which they are asked."""
    table: Cells = {}
    for row in rows:
        for source in row.sources:
            table.setdefault((source, row.trigger), []).append(row)
    return table


def first(table: Cells, turn: Turn) -> Row:
    """The first row of the cell whose guard says yes."""
    cell = table[turn.snapshot.state, turn.event.body.trigger]
    return next(row for row in cell if row.guard is None or row.guard(turn))


def interpret(rows: Iterable[Row]) -> Decider:
    """A `decide` over these rows; whatever is stale is rejected by the one rule of the machine."""
    table = cells(rows)

    def decider(snapshot: Snapshot, event: Event, policy: Policy) -> Decision | Rejected:
        stale = _stale(snapshot, event)
        if stale:
            return Rejected(stale)
        turn = Turn(snapshot, event, policy)
        row = first(table, turn)
        return Rejected(row.why, row) if row.ignored else apply(row, turn)

    return decider


def _stale(snapshot: Snapshot, event: Event) -> str:
    body = event.body
    if hasattr(body, "effect"):
        matches = snapshot.open is not None and (snapshot.open.effect, snapshot.effect_id()) == (body.effect, body.id)
        return "" if matches else STALE_OUTCOME
    if hasattr(body, "kind") and hasattr(body, "at") and body.kind != "admit":
        awaited = snapshot.awaited
        return "" if awaited is not None and (awaited.kind, awaited.at) == (body.kind, body.at) else STALE_DUE
    return ""


REAL: Decider = decide
