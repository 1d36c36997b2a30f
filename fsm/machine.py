"""The machine: the table compiled once, and `decide`, the only thing that moves a node.

Rules:
1. `decide` is pure: snapshot, event, policy in; Decision or Rejected out; nothing else is read or changed (law 2).
2. An outcome that does not match the open step and its try, or a due time that is not the snapshot's, never reaches
   the table: one rule each, before it.
3. The interpreter knows no state, no effect and no event by name; whatever differs is a row.
4. The compiled machine is shared; a decision rides it on a throw-away cursor that is never registered.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from transitions import core as transitions

from fsm import effects, leaps
from fsm.choosing import holding
from fsm.effects import Effect, EffectId, Intent
from fsm.events import OUTCOMES, Certainty, Done, Due, DueKind, Event, Failed
from fsm.frozen import evolve, quick
from fsm.guards import Turn
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.rows import Opens, Row
from fsm.snapshot import Doing, Snapshot
from fsm.states import ENDS, WAITING, State
from fsm.table import ROWS
from fsm.waits import Changes

logging.getLogger("transitions").setLevel(logging.WARNING)

STALE_OUTCOME: Final = "an outcome that is not of the open step"
STALE_DUE: Final = "a due time that is not awaited"
_REPEATS: Final = frozenset({Opens.AGAIN, Opens.ANEW})
_CLOSED: Final = ENDS | WAITING | {State.UNSEEN}


@quick
@dataclass(frozen=True, slots=True)
class Closed:
    """How the open step ended: certainty None is success; abandoned means that the row left without waiting for it."""

    id: EffectId
    certainty: Certainty | None
    reason: Reason | None
    abandoned: bool


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """What happens now: the row that fired, the next snapshot, the effect that closes and the one that opens.

    `ends` says that a generation is over: what it kept of blobs and secrets can go.
    """

    row: Row
    snapshot: Snapshot
    closes: Closed | None
    opens: Intent | None
    ends: bool


@quick
@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing happens, and why; `row` is the one that ignores the event, None if it never reached the table."""

    why: str
    row: Row | None = None


def decide(snapshot: Snapshot, event: Event, policy: Policy) -> Decision | Rejected:
    """What this event does to this node under this policy."""
    stale = _stale(snapshot, event)
    if stale:
        return Rejected(stale)
    turn = Turn(leaps.moved(snapshot, event.leaps), leaps.heard(event), policy)
    row = fire(turn)
    return Rejected(row.why, row) if row.ignored else apply(row, turn)


def _stale(snapshot: Snapshot, event: Event) -> str:
    body = event.body
    if isinstance(body, OUTCOMES):
        doing = snapshot.open
        fits = doing is not None and doing.effect is body.effect and snapshot.effect_id() == body.id
        return "" if fits else STALE_OUTCOME
    if isinstance(body, Due) and body.kind is not DueKind.ADMIT:
        awaited = snapshot.awaited
        return "" if awaited is not None and (awaited.kind, awaited.at) == (body.kind, body.at) else STALE_DUE
    return ""


def apply(row: Row, turn: Turn) -> Decision:
    """What a row makes of a turn."""
    snapshot, event = turn.snapshot, turn.event
    changes: Changes = {"seq": snapshot.seq + 1}
    for action in row.actions:
        action(turn, changes)
    target = row.goes_to(snapshot.state)
    if target is not snapshot.state:
        changes.update(state=target, since=event.at)
    if row.opens is not None:
        changes["doing"] = _opened(row.opens, turn, target, changes.get("doing", snapshot.doing))
    following = evolve(snapshot, changes)
    ends = target in _CLOSED or following.generation != snapshot.generation
    return Decision(row, following, _closed(turn, following), _intent(following, row), ends)


def _opened(opens: Opens | Effect, turn: Turn, target: State, doing: Doing | None) -> Doing:
    event, seq = turn.event, turn.snapshot.seq + 1
    if opens in _REPEATS and doing is not None:
        effect, tries = doing.effect, doing.tries + 1
        if opens is Opens.AGAIN and doing.seq:  # what belongs to its first opening stays the same
            return evolve(doing, {"opened": seq, "epoch": event.epoch, "since": event.at, "open": True, "tries": tries})
    else:
        effect, tries = _chosen(opens, turn, target, doing), 1
    return Doing(
        effect,
        seq=seq,
        opened=seq,
        epoch=event.epoch,
        tries=tries,
        at=event.at,
        entropy=event.entropy,
        since=event.at,
        open=True,
        signer=turn.policy.signer if effect is Effect.SIGN_TOKEN else "",
    )


def _chosen(opens: Opens | Effect, turn: Turn, target: State, doing: Doing | None) -> Effect:
    if isinstance(opens, Effect):
        return opens
    holds = holding(turn.snapshot, turn.event, turn.policy)
    if opens is Opens.NEXT and target is turn.snapshot.state and doing is not None:
        after = effects.following(target, doing.effect, holds)
        if after is not None:
            return after
    return effects.steps(target, holds)[0]


def _closed(turn: Turn, following: Snapshot) -> Closed | None:
    doing, after, body = turn.snapshot.open, following.open, turn.event.body
    if doing is None or (after is not None and after.opened == doing.opened):
        return None
    if isinstance(body, Done):  # an outcome is of the open step, or it had been stale
        return Closed(body.id, None, None, abandoned=False)
    if isinstance(body, Failed):
        return Closed(body.id, body.certainty, body.reason, abandoned=False)
    before = turn.snapshot.effect_id()
    return None if before is None else Closed(before, None, None, abandoned=True)


def _intent(following: Snapshot, row: Row) -> Intent | None:
    if row.opens is None:
        return None
    identity, doing = following.effect_id(), following.open
    if identity is None or doing is None:
        return None
    since = following.parting.at if doing.effect is Effect.LOOK else 0
    return Intent(identity, doing.effect, doing.at, doing.entropy, since)


# -- the table, compiled ----------------------------------------------------------------------------------------------


class Cursor:
    """Where a decision stands on the shared machine: thrown away when the row is known."""

    __slots__ = ("row", "state", "turn")

    def __init__(self, turn: Turn) -> None:
        """Stand at the snapshot's state."""
        self.turn = turn
        self.state: str = turn.snapshot.state
        self.row: Row | None = None


class Cell(transitions.Transition):
    """A row from one of its sources.

    The library's own `execute` logs and calls hooks of which no row has any, and that took half of a decision
    (docs/decisions/0012).
    """

    def __init__(self, source: str, dest: str, *hooks: Any, row: Row) -> None:
        """Take what the machine gives every transition, and the row."""
        super().__init__(source, dest, *hooks)
        self._row, self._guard, self._target = row, row.guard, dest

    def execute(self, event_data: transitions.EventData) -> bool:
        """If the guard says yes, note the row on the cursor and move it."""
        cursor: Cursor = event_data.model  # type: ignore[assignment]  # this machine has no other model
        if self._guard is not None and not self._guard(cursor.turn):
            return False
        cursor.row, cursor.state = self._row, self._target
        return True


class Column(transitions.Event):
    """The cells of a trigger, each in the order of its rows."""

    def trigger(self, model: object, *args: Any, **kwargs: Any) -> bool:
        """Execute the first row that applies in the cell where the cursor stands; no cell is the library's error."""
        cell = self.transitions.get(model.state)  # type: ignore[attr-defined]  # a cursor, as above
        if cell is None:
            return bool(super().trigger(model, *args, **kwargs))
        data = transitions.EventData(None, self, self.machine, model, args, kwargs)
        for row in cell:  # noqa: SIM110 `any` would make a generator for each decision
            if row.execute(data):
                return True
        return False


class Compiled(transitions.Machine):
    """A machine whose transitions are rows."""

    transition_cls = Cell
    event_cls = Column


def fire(turn: Turn) -> Row:
    """The first row of the cell whose guard says yes."""
    cursor = Cursor(turn)
    compiled().events[turn.event.body.trigger].trigger(cursor)
    if cursor.row is None:
        raise IncompleteTableError(turn)
    return cursor.row


class IncompleteTableError(AssertionError):
    """No row of the table took this event: its last row must have no guard"""

    def __init__(self, turn: Turn) -> None:
        """Name the cell."""
        super().__init__(f"{self.__doc__}: {turn.snapshot.state} x {turn.event.body.trigger}")


@cache
def compiled() -> Compiled:
    """The one shared machine; its transitions are the rows, in order, one for each of their sources."""
    machine = Compiled(
        model=None,
        states=[state.value for state in State],
        initial=State.UNSEEN.value,
        auto_transitions=False,
        send_event=True,
    )
    for row in ROWS:
        for source in sorted(row.sources):
            target = machine.get_state(row.goes_to(source).value).name  # a state that is not one ends the start
            machine.add_transition(row.trigger.value, source.value, target, row=row)
    return machine
