"""What a row of the table can say.

Rules:
1. A row is data: where from, which event, under which guard, where to, which actions, which effect, and why.
2. A row that opens an effect opens it at once; whatever must wait is a due time, and a row of its own.
3. An ignored cell is a row too: it says why nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fsm.actions import Action
from fsm.effects import Effect
from fsm.events import Trigger
from fsm.guards import Guard
from fsm.states import State


class Opens(StrEnum):
    """Which step a row opens, where the list of steps decides and not the row."""

    NEXT = "next"
    FIRST = "first"
    AGAIN = "again"
    ANEW = "anew"


OPENS = {
    Opens.NEXT: "the step after the one that is done, in this phase or the next",
    Opens.FIRST: "the first step of the phase",
    Opens.AGAIN: "the same step, with the same order",
    Opens.ANEW: "the same step, with a new order",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One transition; `target` None means that the state stays, which is right for any of the sources."""

    name: str
    sources: frozenset[State]
    trigger: Trigger
    why: str
    guard: Guard | None = None
    target: State | None = None
    actions: tuple[Action, ...] = ()
    opens: Opens | Effect | None = None
    ignored: bool = False

    def goes_to(self, source: State) -> State:
        """The state after this row."""
        return self.target or source

    @property
    def question(self) -> str:
        """The guard in words; empty for the last row of a cell."""
        return (self.guard.__doc__ or "").strip() if self.guard else ""


def row(
    name: str,
    sources: State | Iterable[State],
    trigger: Trigger,
    why: str,
    *,
    when: Guard | None = None,
    to: State | None = None,
    do: tuple[Action, ...] = (),
    opens: Opens | Effect | None = None,
) -> Row:
    """A row as the table writes it."""
    return Row(name, _set(sources), trigger, why, when, to, do, opens)


def ignore(
    name: str, sources: State | Iterable[State], triggers: Iterable[Trigger], why: str, *, when: Guard | None = None
) -> tuple[Row, ...]:
    """The rows that say why these events change nothing in these states."""
    return tuple(Row(name, _set(sources), trigger, why, when, ignored=True) for trigger in triggers)


def _set(sources: State | Iterable[State]) -> frozenset[State]:
    return frozenset({sources}) if isinstance(sources, State) else frozenset(sources)
