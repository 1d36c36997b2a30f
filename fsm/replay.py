"""Replay: one node's recorded history, decided again step by step, and what the record and today's table say of each.

Rules:
1. What decides is fsm.machine.decide, with the recorded event and the policy that the row names: the very code that
   decided at first.
2. A row of today's table must be decided as it was recorded. A row of an earlier one may be decided otherwise only
   where fsm.changes declares it; the walk then goes on where the record went.
3. What cannot be decided any more says why in one sentence, and so does whatever depends on it: nothing is guessed.
4. A walk never ends early: after a row that diverges it goes on along the record as far as that can be followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Final, NamedTuple

from fsm.changes import as_left, as_of, declared
from fsm.codec import MalformedError, NewerError, decode_payload, fit
from fsm.events import Event, Trigger
from fsm.frozen import quick
from fsm.guards import Turn
from fsm.machine import Decision, Rejected, apply, decide
from fsm.policy import Policy
from fsm.rows import Row
from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.table import ROWS, VERSION


class Recorded(NamedTuple):
    """A row of history as it is stored, and the effect that it opened: its name, try, and the row that first opened it.

    Texts are those of the usher that wrote them; `payload` is None once it was removed, its digest stays.
    """

    node: str
    seq: int
    at: int
    generation: int
    table: int
    policy: str
    event: str
    row: str
    source: str
    target: str
    digest: str
    payload: bytes | None
    opened: str | None
    tries: int | None
    first: int | None


class Judged(StrEnum):
    """What replay finds of a step."""

    AGREES = "agrees"
    DECLARED = "declared"
    UNDECIDED = "undecided"
    DIVERGES = "diverges"


@quick
@dataclass(frozen=True, slots=True)
class Step:
    """A row, decided again: `why` says in a sentence what `judged` is not AGREES for.

    `before` and `after` are the snapshots along the record, None where they are not known; `event` and `policy` are
    None where they cannot be read. `decision` is what the record did, `today` what today's table says to it.
    """

    recorded: Recorded
    judged: Judged
    why: str = ""
    before: Snapshot | None = None
    after: Snapshot | None = None
    event: Event | None = None
    policy: Policy | None = None
    decision: Decision | None = None
    today: Decision | Rejected | None = None

    @property
    def turn(self) -> Turn | None:
        """What it is decided from, where all of it is known."""
        if self.before is None or self.event is None or self.policy is None:
            return None
        return Turn(self.before, self.event, self.policy)


@dataclass(frozen=True, slots=True)
class Asked:
    """A row of the cell whose guard was asked, and what it said."""

    row: Row
    applies: bool


class _Unreadable(Exception):  # noqa: N818 never leaves this module
    """A row whose event or policy cannot be read, and how that is judged."""

    def __init__(self, judged: Judged, why: str) -> None:
        super().__init__(why)
        self.judged, self.why = judged, why


REMOVED: Final = "its payload was removed"
LOST: Final = "what the rows before it led to is not known"


class Walk:
    """Follows one node's rows in their order; `base` is the snapshot before the first, None if it is not known."""

    def __init__(self, base: Snapshot | None, policies: Mapping[str, Policy]) -> None:
        """Begin at a base."""
        self.snapshot = base
        self._seq = None if base is None else base.seq
        self._policies = policies

    def step(self, recorded: Recorded) -> Step:
        """Decide the next row again."""
        gap = self._gap(recorded.seq)
        step = self._lost(recorded, gap) if gap or self.snapshot is None else self._decided(recorded, self.snapshot)
        self.snapshot = step.after
        return step

    def _gap(self, seq: int) -> str:
        last, self._seq = self._seq, seq
        if last is None or seq == last + 1:
            return ""
        missing = f"row {last + 1} is" if seq == last + 2 else f"rows {last + 1} to {seq - 1} are"
        return f"{missing} missing before it: the history was cut"

    def _lost(self, recorded: Recorded, gap: str) -> Step:
        """A row whose snapshot is not known: its event is told where it can be."""
        judged, why = (Judged.DIVERGES, gap) if gap else (Judged.UNDECIDED, LOST)
        try:
            event, policy = _read(recorded, self._policies)
        except _Unreadable as error:
            found = (judged, why) if gap else (error.judged, error.why)
            return Step(recorded, *found)
        return Step(recorded, judged, why, event=event, policy=policy)

    def _decided(self, recorded: Recorded, before: Snapshot) -> Step:
        try:
            event, policy = _read(recorded, self._policies)
        except _Unreadable as error:
            return Step(recorded, error.judged, error.why, before)
        today = decide(before, event, policy)
        if isinstance(today, Decision) and _told(today, before, event) == _said(recorded):
            table, row = recorded.table, today.row
            if table == VERSION or as_of(table, row.name, before.state, row.trigger) is row:
                after = today.snapshot if table == VERSION else as_left(table, before, today.snapshot)
                return Step(recorded, Judged.AGREES, "", before, after, event, policy, today, today)
        return _compared(recorded, Turn(before, event, policy), today)


def _read(recorded: Recorded, policies: Mapping[str, Policy]) -> tuple[Event, Policy]:
    if recorded.table > VERSION:
        raise _Unreadable(Judged.UNDECIDED, f"it is of version {recorded.table} of the table, this usher has {VERSION}")
    if recorded.payload is None:
        raise _Unreadable(Judged.UNDECIDED, REMOVED)
    if sha256(recorded.payload).hexdigest() != recorded.digest:
        raise _Unreadable(Judged.DIVERGES, "its payload was changed: it has not the digest that its row names")
    try:
        event, _ = decode_payload(recorded.payload)
    except NewerError as error:
        raise _Unreadable(Judged.UNDECIDED, f"its event was written by a newer usher: it {error.detail}") from None
    except MalformedError as error:
        said = f"its event cannot be read: {error.key} {error.detail}".replace("  ", " ")
        raise _Unreadable(Judged.DIVERGES, said) from None
    if recorded.policy not in policies:
        why = f"its policy {recorded.policy} is not held, or is of another usher"
        raise _Unreadable(Judged.UNDECIDED, why)
    return event, policies[recorded.policy]


Told = tuple[object, ...]


def _told(decision: Decision, before: Snapshot, event: Event) -> Told:
    """What a decision comes to, as a row of history has it."""
    after, opens = decision.snapshot, decision.opens
    opened = (opens.effect, opens.id.tries, opens.id.seq) if opens is not None else (None, None, None)
    where = (decision.row.name, before.state, after.state, after.generation)
    return (event.body.trigger, event.at, *where, *opened)


def _said(recorded: Recorded) -> Told:
    where = (recorded.row, recorded.source, recorded.target, recorded.generation)
    return (recorded.event, recorded.at, *where, recorded.opened, recorded.tries, recorded.first)


def _compared(recorded: Recorded, turn: Turn, today: Decision | Rejected) -> Step:
    """A step whose record today's table does not simply confirm."""
    followed = _followed(recorded, turn)
    after = as_left(recorded.table, turn.snapshot, followed.snapshot) if followed else None
    common = (turn.snapshot, after, turn.event, turn.policy, followed, today)
    if followed is not None and _told(followed, turn.snapshot, turn.event) == _said(recorded):
        if followed == today:
            return Step(recorded, Judged.AGREES, "", *common)
        now = today.row.name if today.row else ""
        change = declared(recorded.table, recorded.row, now) if recorded.table < VERSION else None
        if change is not None:
            why = f"today {now} fires: {change.why} (since version {change.version} of the table)"
            return Step(recorded, Judged.DECLARED, why, *common)
    return Step(recorded, Judged.DIVERGES, _difference(recorded, turn, today), *common)


def _followed(recorded: Recorded, turn: Turn) -> Decision | None:
    """What the row that the record names did, if it is known and applies there."""
    row = as_of(recorded.table, recorded.row, turn.snapshot.state, turn.event.body.trigger)
    if row is None or (row.guard is not None and not row.guard(turn)):
        return None
    return apply(row, turn)


def _difference(recorded: Recorded, turn: Turn, today: Decision | Rejected) -> str:
    """What was recorded, and what is decided today."""
    said = _sentence(_said(recorded))
    if isinstance(today, Rejected):
        return f"it says {said}, and today its event changes nothing: {today.why}"
    told = _sentence(_told(today, turn.snapshot, turn.event))
    if told != said:
        return f"it says {said}, and is {told} when decided again"
    if recorded.at != turn.event.at:
        return f"it is of {recorded.at} (ms since 1970), and its event is of {turn.event.at}"
    return f"it says {said}, and today that leads to something else"


def _sentence(told: Told) -> str:
    trigger, _, name, source, target, generation, opened, tries, first = told
    effect = f"opening {opened} (try {tries}, first opened by row {first})" if opened else "opening nothing"
    return f"{name} on {trigger} from {source} to {target} in generation {generation}, {effect}"


# -- what was asked ---------------------------------------------------------------------------------------------------


@cache
def cell(state: State, trigger: Trigger) -> tuple[Row, ...]:
    """The rows of a cell of today's table, in the order in which they are asked."""
    return tuple(row for row in ROWS if row.trigger is trigger and state in row.sources)


def asked(turn: Turn) -> Iterator[Asked]:
    """The rows of today's table that this turn asks, to the first that applies."""
    for row in cell(turn.snapshot.state, turn.event.body.trigger):
        applies = row.guard is None or row.guard(turn)
        yield Asked(row, applies)
        if applies:
            return


# -- where it ends ----------------------------------------------------------------------------------------------------


def ending(reached: Snapshot, held: Snapshot | None) -> str:
    """What is wrong with what is held of a node, given where its history leads; empty if nothing is."""
    if held is None:
        return "nothing is held of it, and it has a history"
    if held.seq != reached.seq:
        return f"its history ends with row {reached.seq}, and what is held of it is of row {held.seq}"
    if reached == held:
        return ""
    left, right = fit(reached), fit(held)
    differ = [field.name for field in fields(Snapshot) if getattr(left, field.name) != getattr(right, field.name)]
    return f"what is held of it is not what its history leads to ({', '.join(differ)})" if differ else ""
