"""The roll-out: a plan carried out batch by batch, until it is through, stopped by failures, or interrupted.

Rules:
1. A node is asked once by a plan: the daemon refuses what it has asked before, and that node is only watched.
2. A batch is over when each of its nodes is done, has failed, was refused, or is late; then it is decided whether to
   go on: not if more than `stop` percent of the nodes so far have failed.
3. Nothing here is remembered: what was asked stands in the records, so who continues begins from those.
4. Nodes that are held are left out: who holds one has decided about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from fsm.snapshot import Snapshot
from usher.demand.outcome import End, Outcome, late, outcome, waited_for
from usher.demand.plan import Plan

ASKED_BEFORE: Final = "asked-before"
PACE: Final = 0.5
"""Seconds between two looks at the records of a batch."""
FOR_AN_ANSWER: Final = 180.0
"""Seconds in which it is known what became of a request: 72 if it has to be looked for, and an outage in between."""
HELD: Final = Outcome(End.REFUSED, "it is held, and was left out")


class Site(Protocol):
    """What a roll-out needs of the world."""

    def ask(self, nodes: Sequence[str]) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Ask each node what the plan says; what the daemon says of each. Raises UsherError."""
        ...

    def records(self, nodes: Iterable[str]) -> Iterator[tuple[str, Snapshot | None]]:
        """The nodes' records as they are now."""
        ...

    def now(self) -> float:
        """Seconds that never go back."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...


@dataclass(slots=True)
class Tally:
    """Where a roll-out stands: how each node ended, and who is under way; `stopped` says why it did not go on."""

    total: int
    ended: dict[str, Outcome] = field(default_factory=dict)
    under_way: dict[str, Outcome] = field(default_factory=dict)
    batch: int = 0
    stopped: str = ""

    def counts(self) -> Counter[End]:
        """How many ended how."""
        return Counter(each.end for each in self.ended.values())

    @property
    def left(self) -> int:
        """How many were not asked."""
        return self.total - len(self.ended) - len(self.under_way)


class Rollout:
    """`run` carries the plan out; `told(node, outcome)` hears of each end, `moved()` of every look."""

    def __init__(
        self, plan: Plan, site: Site, told: Callable[[str, Outcome], None], moved: Callable[[Tally], None]
    ) -> None:
        """Hold the plan; nothing is asked yet."""
        self._plan, self._site, self._told, self._moved = plan, site, told, moved
        self._waits = waited_for(plan.verb, plan.manner.within)
        self.tally = Tally(len(plan.nodes))

    def run(self) -> Tally:
        """Ask all that are left, batch by batch; raises UsherError if the daemon is away."""
        left, manner = self._left(), self._plan.manner
        for start in range(0, len(left), manner.batch):
            if start and manner.sleep:
                self._site.wait(manner.sleep)
            self.tally.batch += 1
            self._batch(left[start : start + manner.batch])
            failed, asked = self.tally.counts()[End.FAILED], len(self.tally.ended)
            if failed * 100 > manner.stop * asked and start + manner.batch < len(left):
                self.tally.stopped = f"{failed} of {asked} failed, which is more than {manner.stop:g} %"
                break
        return self.tally

    def _left(self) -> list[str]:
        """Who is still to be asked or watched; what was over before is no news, and held ones are left out."""
        left = []
        for node, snapshot in self._site.records(self._plan.nodes):
            before = outcome(snapshot, self._plan.id, waits=self._waits)
            if before.end is End.DONE:
                self.tally.ended[node] = before
            elif snapshot is not None and snapshot.held:
                self._end(node, HELD)
            else:
                left.append(node)
        return left

    def _batch(self, nodes: Sequence[str]) -> None:
        begun = self._site.now()
        for node, answer in self._site.ask(nodes):
            if answer["changed"] or answer["row"] == ASKED_BEFORE:
                self.tally.under_way[node] = Outcome(End.UNDER_WAY, "being sent")
            else:
                self._end(node, Outcome(End.REFUSED, str(answer["why"])))
        within = self._plan.manner.within if self._waits else FOR_AN_ANSWER
        while self._look(begun + within):
            self._site.wait(PACE)

    def _look(self, until: float) -> bool:
        """Look at who is under way; whether somebody still is."""
        over = self._site.now() >= until
        for node, snapshot in self._site.records(tuple(self.tally.under_way)):
            now = outcome(snapshot, self._plan.id, waits=self._waits)
            if now.end is End.UNDER_WAY and over:
                now = late(snapshot, self._plan.manner.within if self._waits else FOR_AN_ANSWER)
            if now.end is End.UNDER_WAY:
                self.tally.under_way[node] = now
            else:
                self._end(node, now if now.end is not End.UNASKED else Outcome(End.FAILED, "its record was closed"))
        self._moved(self.tally)
        return bool(self.tally.under_way)

    def _end(self, node: str, ended: Outcome) -> None:
        self.tally.under_way.pop(node, None)
        self.tally.ended[node] = ended
        self._told(node, ended)
