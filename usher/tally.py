"""The tally: how many nodes are in each state, how many failed for which reason, kept up with each transition.

Rules:
1. It starts from the database and moves with committed transitions only: it equals what the database would count.
2. A node that nobody knows (any more) is in no state here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fsm.effects import Intent
from fsm.events import Event
from fsm.machine import Rejected
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.observer import Transition
from fsm.snapshot import Snapshot
from fsm.states import State


class Tally:
    """fsm.runtime.observer.Observer that counts."""

    def __init__(
        self,
        states: Mapping[State, int],
        reasons: Mapping[Reason, int],
        networks: Mapping[str, Mapping[State, int]] | None = None,
    ) -> None:
        """Begin with what the database counts: nodes by state, failed ones by reason, and by network and state.

        Where there is one network alone, nothing is counted by network.
        """
        self.networks = None if networks is None else {name: Counter(of) for name, of in networks.items()}
        self.states: Counter[State] = Counter(states)
        self.reasons: Counter[Reason] = Counter(reasons)
        self.ignored: Counter[str] = Counter()
        self.crashes = 0

    def moved(self, transition: Transition) -> None:
        """Take a node from its old place to its new one."""
        before, after = transition.before, transition.decision.snapshot
        if before.state is not after.state or before.reason is not after.reason or before.network != after.network:
            self._count(before, -1)
            self._count(after, 1)

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Count an event that changed nothing, by what ignored or rejected it."""
        self.ignored[rejected.row.name if rejected.row else rejected.why] += 1

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Nothing to count."""

    def crashed(self, node: str, error: Exception) -> None:
        """Count a bug."""
        self.crashes += 1

    def _count(self, snapshot: Snapshot, by: int) -> None:
        if snapshot.state is not State.UNSEEN:
            self.states[snapshot.state] += by
            if self.networks is not None:
                self.networks.setdefault(snapshot.network, Counter())[snapshot.state] += by
        if snapshot.state is State.FAILED and snapshot.reason is not None:
            self.reasons[snapshot.reason] += by
            if not self.reasons[snapshot.reason]:
                del self.reasons[snapshot.reason]
