"""Checks: what a unit must be before the database is asked; every store, the fake one too, refuses by the same.

Rules:
1. A unit's parts speak of one row; anything else is a bug that must not reach the disk.
2. A refusal names the node and the row.
"""

from __future__ import annotations

from fsm.errors import StoreError
from fsm.unit import Unit


def consistent(unit: Unit) -> Unit:
    """The unit, whose snapshot, history row and opened effect are of one row; raises StoreError."""
    row, snapshot = unit.history, unit.snapshot
    if (row.node, row.seq, row.generation, row.target) != (
        snapshot.node, snapshot.seq, snapshot.generation, snapshot.state,
    ):  # fmt: skip
        raise StoreError("the snapshot and the history row of a unit differ", row.node, row.seq)
    if unit.opens is not None and (unit.opens.id.node, unit.opens.id.opened) != (row.node, row.seq):
        raise StoreError("the effect that a unit opens is not of its row", row.node, row.seq)
    return unit
