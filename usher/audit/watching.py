"""Watching: what the walk over both chains passes that checkpoints speak of.

Rules:
1. One pass: links at the places that checkpoints name, the fleet by state there, clocks that went back, lost payloads.
   A clock that went back shows within a node: rows of two nodes may be committed in another order than they happened.
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
    _nodes: dict[str, tuple[str, int]] = field(default_factory=dict)
    _counter: Counter[str] = field(default_factory=Counter)

    def begin(self, bases: Iterable[Base]) -> None:
        """Where each node of a floor was."""
        for base in bases:
            state = _state(base)
            self._nodes[base.node] = (state, 0)
            self._counter[state] += 1

    def row(self, table: str, row: dict[str, Any]) -> None:
        """The next row."""
        position = row["position"]
        if table == "journal":
            if position in self.fleet_wanted:
                self.fleet_links[position] = row["hash"]
            return
        at, node, target = row["at"], row["node"], row["target"]
        self.without_payload += row["payload"] is None
        before, latest = self._nodes.get(node, ("", 0))
        if at < latest:
            self.backwards += 1
            self.first_backwards = self.first_backwards or position
        if before != target:
            if before:
                self._counter[before] -= 1
            self._counter[target] += 1
        self._nodes[node] = (target, at)
        if position in self.wanted:
            self.links[position] = row["hash"]
            self.counts[position] = {state: count for state, count in self._counter.items() if count}


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
