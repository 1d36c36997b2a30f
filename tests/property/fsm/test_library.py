"""The compiled table runs past the library's hooks: the library's own machine, hooks and all, takes the same rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transitions import EventData, Machine, MachineError

from fsm.guards import Turn
from fsm.machine import Cursor, compiled, fire
from fsm.policy import Policy
from fsm.rows import Row
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from fsm.table import ROWS
from tests.property.fsm.strategies import events, policies, snapshots


class Rider:
    """A cursor of the library's own machine."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.state = turn.snapshot.state.value
        self.row: Row | None = None


def _library() -> Machine:
    machine = Machine(
        model=None, states=[state.value for state in State], initial="unseen", auto_transitions=False, send_event=True
    )
    for row in ROWS:
        for source in sorted(row.sources):
            machine.add_transition(
                row.trigger.value,
                source.value,
                row.goes_to(source).value,
                conditions=[_asks(row)],
                before=[_notes(row)],
            )
    return machine


def _asks(row: Row) -> Callable[[EventData], bool]:
    return lambda data: row.guard is None or row.guard(data.model.turn)


def _notes(row: Row) -> Callable[[EventData], None]:
    def note(data: EventData) -> None:
        data.model.row = row

    return note


library = _library()


@settings(max_examples=200)
@given(st.data(), snapshots(), policies)
def test_the_library_takes_the_same_row_to_the_same_state(data: st.DataObject, snapshot: Snapshot, policy: Policy):
    turn = Turn(snapshot, data.draw(events(snapshot)), policy)
    rider, cursor, trigger = Rider(turn), Cursor(turn), turn.event.body.trigger
    assert library.events[trigger].trigger(rider)
    assert compiled().events[trigger].trigger(cursor)
    assert fire(turn) is cursor.row is rider.row
    assert cursor.state == rider.state


def test_a_state_that_the_column_lacks_is_an_error():
    turn = Turn(unseen("n1"), None, Policy())  # type: ignore[arg-type]  # no guard is asked
    cursor = Cursor(turn)
    cursor.state = "nowhere"
    with pytest.raises((MachineError, ValueError), match="nowhere"):
        compiled().events["done"].trigger(cursor)
