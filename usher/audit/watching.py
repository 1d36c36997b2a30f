"""Watching: what the walk over both chains passes that checkpoints speak of.

Rules:
1. One pass: links at the places that checkpoints name, the fleet by state there, clocks that went back, lost payloads.
2. It judges nothing; usher.audit.verify does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fsm.codec import MalformedError, decode_snapshot
from store.checkpoints import Checkpoint
from store.records import Base


@dataclass(slots=True)
class Seen:
    """What was seen. Links are by position of each table; `states` are the counts at a position of the history."""

    wanted: frozenset[int]
    fleet_wanted: frozenset[int]
    links: dict[int, bytes] = field(default_factory=dict)
    fleet_links: dict[int, bytes] = field(default_factory=dict)
    counts: dict[int, dict[str, int]] = field(default_factory=dict)
    without_payload: int = 0
    backwards: int = 0
    first_backwards: int = 0
    began: int = 0
    ended: int = 0
    _states: dict[str, str] = field(default_factory=dict)
    _counter: Counter[str] = field(default_factory=Counter)

    def begin(self, bases: Iterable[Base]) -> None:
        """Where each node of a floor was."""
        for base in bases:
            state = _state(base)
            self._states[base.node] = state
            self._counter[state] += 1

    def row(self, table: str, row: dict[str, Any]) -> None:
        """The next row."""
        position = row["position"]
        if table == "journal":
            if position in self.fleet_wanted:
                self.fleet_links[position] = row["hash"]
            return
        at, node, target = row["at"], row["node"], row["target"]
        self._clock(at, position)
        self.without_payload += row["payload"] is None
        before = self._states.get(node)
        if before != target:
            if before is not None:
                self._counter[before] -= 1
            self._counter[target] += 1
            self._states[node] = target
        if position in self.wanted:
            self.links[position] = row["hash"]
            self.counts[position] = {state: count for state, count in self._counter.items() if count}

    def _clock(self, at: int, position: int) -> None:
        if at < self.ended:
            self.backwards += 1
            self.first_backwards = self.first_backwards or position
        self.began = self.began or at
        self.ended = at


def _state(base: Base) -> str:
    """Empty where it cannot be read: that it is not what was signed is found out elsewhere."""
    try:
        return decode_snapshot(base.body).state.value
    except MalformedError:
        return ""


def seeing(checkpoints: Iterable[Checkpoint], bases: Iterable[Base]) -> Seen:
    """What is to be looked for."""
    wanted = [(each.position, each.fleet_position) for each in checkpoints]
    seen = Seen(frozenset(place for place, _ in wanted), frozenset(place for _, place in wanted))
    seen.begin(bases)
    return seen
