"""How a fleet's way is shown: a bar for each state on a terminal, a line otherwise, and what happened at the end.

Rules:
1. Pure: counts and times go in, text comes out; who prints it, and when, is another module's affair.
2. Every line fits the width that it was asked for, so that a redrawn screen stays where it is.
3. The terminal is asked for nothing but moving up and clearing what is below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fsm.states import PHASES, State

_ALWAYS: Final = (State.UNSEEN, *PHASES, State.PROVISIONED)
_RATHER: Final = tuple(state for state in State if state not in _ALWAYS)
_NAME: Final = max(len(state) for state in State)


@dataclass(frozen=True, slots=True)
class View:
    """One moment: how many nodes there are to be, how many are in each state, seconds since the start."""

    nodes: int
    counts: Mapping[State, int]
    seconds: float

    @property
    def provisioned(self) -> int:
        """How many have arrived."""
        return self.counts.get(State.PROVISIONED, 0)

    @property
    def complete(self) -> bool:
        """Whether all have."""
        return self.provisioned >= self.nodes

    def count(self, state: State) -> int:
        """How many are in a state; those that nobody has seen yet are what is missing from all of them."""
        if state is State.UNSEEN:
            return max(0, self.nodes - sum(self.counts.values()) + self.counts.get(State.UNSEEN, 0))
        return self.counts.get(state, 0)


@dataclass(frozen=True, slots=True)
class Slowest:
    """The node that took longest, and its seconds from the first sight to the last."""

    node: str
    seconds: float


def screen(view: View, title: str, width: int = 80, *, block: str = "█") -> list[str]:
    """One line for the title and the time, one for each state; the unusual states only while somebody is there."""
    room = max(4, width - _NAME - 12)
    states = [*_ALWAYS, *(state for state in _RATHER if view.count(state))]
    head = f"{title}   {view.provisioned} of {view.nodes} provisioned, {view.seconds:.0f} s"
    return [line[: width - 1] for line in (head, *(_bar(view, state, room, block) for state in states))]


def redrawn(lines: Sequence[str], before: int) -> str:
    """The text that draws the lines over the `before` lines that were drawn last."""
    up = f"\x1b[{before}A" if before else ""
    return f"{up}\r\x1b[J" + "".join(f"{line}\n" for line in lines)


def plain(view: View) -> str:
    """The same in one line: `12 s: 40 of 50 provisioned; 6 restarted, 4 configured`."""
    others = [state for state in reversed(State) if state is not State.PROVISIONED and view.count(state)]
    rest = ", ".join(f"{view.count(state)} {state}" for state in others)
    return f"{view.seconds:.0f} s: {view.provisioned} of {view.nodes} provisioned" + (f"; {rest}" if rest else "")


def happened(view: View, slowest: Slowest | None) -> list[str]:
    """What there is to say when all have arrived."""
    rate = view.nodes / view.seconds * 60 if view.seconds else 0.0
    said = [f"{view.nodes} nodes were provisioned in {view.seconds:.1f} s ({rate:,.0f} a minute)."]
    if slowest is not None:
        said.append(f"The slowest was {slowest.node}: {slowest.seconds:.1f} s from the first sight to the last.")
        said.append("Ten seconds of each are the two looks with which usher makes sure that the server left.")
    return said


def commands(state: str, node: str) -> list[str]:
    """The commands to try next, with the real state directory."""
    return [
        f"  usher status --state {state}",
        f"  usher nodes list --state {state}",
        f"  usher nodes why {node} --state {state}",
        f"  usher history {node} --state {state}",
    ]


def _bar(view: View, state: State, room: int, block: str) -> str:
    """`  configured   ████████      8`: at least one block for whoever is there."""
    count = view.count(state)
    filled = min(room, max(1, round(room * count / view.nodes))) if count and view.nodes else 0
    return f"  {state:<{_NAME}} {block * filled:<{room}} {count:>6}".rstrip()
