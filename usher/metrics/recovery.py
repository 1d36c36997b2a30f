"""Recovery: what a start took up, counted, timed and summed up in one line.

Rules:
1. It is told by the same transitions as everything else: what is counted here is durable.
2. The sum is said once, when the last effect that was open at the start has been closed.
3. A node that our own end makes wait is counted, also when only a look has shown that it must.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from fsm.effects import SPECS, Effect, Intent, Unknown
from fsm.events import Certainty, Event
from fsm.machine import Rejected
from fsm.ports import Clock, Outcome
from fsm.recovery import closed_by_a_start, waits_until_quiet
from fsm.runtime.observer import Transition
from fsm.states import PHASES
from usher import logs
from usher.metrics.families import Family, labels
from usher.standing import taken_up

_COUNTED: Final = (Certainty.NOT_SENT, Certainty.INTERRUPTED)
_logger = logging.getLogger("usher")


class TakeUp:
    """fsm.runtime.observer.Observer of one start: `opened` before the engine starts, `started` after."""

    def __init__(self, clock: Clock, families: Mapping[str, Family]) -> None:
        """Begin with nothing taken up; `families` are those of the recorder."""
        self._clock, self._families = clock, families
        self._begun = clock.monotonic()
        self._left = 0
        self._watched: dict[str, Effect] = {}
        self._seconds: float | None = None
        self.nodes: int | None = None
        for effect, spec in SPECS.items():
            if spec.changes_node or effect is Effect.EXCHANGE_KEY:
                families["usher_recovered_waiting_total"].add(0, labels(effect=effect.value))
        self.closed: Counter[Certainty] = Counter()
        self.waiting = 0

    def opened(self, effects: int) -> None:
        """So many effects are open, and will be closed."""
        self._begun, self._left = self._clock.monotonic(), effects

    def started(self, nodes: int) -> None:
        """The engine holds so many nodes."""
        self.nodes = nodes
        self._families["usher_recovered_nodes"].set(nodes)
        self._end()

    def document(self) -> dict[str, Any]:
        """For the status; `seconds` is null while effects are still being closed."""
        not_sent, interrupted = (self.closed[certainty] for certainty in _COUNTED)
        counts = {"not_sent": not_sent, "interrupted": interrupted, "waiting": self.waiting}
        return {"nodes": self.nodes, **counts, "left": self._left, "seconds": self._seconds}

    # -- Observer -----------------------------------------------------------------------------------------------------

    def moved(self, transition: Transition) -> None:
        """Count what closes an effect of an earlier process, and who waits for it."""
        if self._left:
            self._closing(transition)
        if self._watched:
            self._watch(transition)

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Somebody else was faster: an operator's wish has closed the effect already."""
        if self._left and closed_by_a_start(event) is not None:
            self._close()

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Nothing to count."""

    def crashed(self, node: str, error: Exception) -> None:
        """Nothing to count."""

    def _closing(self, transition: Transition) -> None:
        body = closed_by_a_start(transition.event)
        if body is None:
            return
        self.closed[body.certainty] += 1
        where = labels(effect=body.effect.value, certainty=body.certainty.value)
        self._families["usher_recovered_effects_total"].add(1, where)
        leaves = SPECS[body.effect].changes_node or body.effect is Effect.EXCHANGE_KEY
        if body.certainty is Certainty.INTERRUPTED and leaves:
            self._watched[transition.before.node] = body.effect
            if SPECS[body.effect].unknown is not Unknown.LOOK:
                self._watch(transition)
                self._watched.pop(transition.before.node, None)
        self._close()

    def _watch(self, transition: Transition) -> None:
        """Whether this node waits now; it is watched until it does, or has gone on."""
        after = transition.decision.snapshot
        effect = self._watched.get(after.node)
        if effect is None:
            return
        if waits_until_quiet(after):
            self.waiting += 1
            self._families["usher_recovered_waiting_total"].add(1, labels(effect=effect.value))
        elif after.state in PHASES and not transition.decision.ends:
            return
        del self._watched[after.node]

    def _close(self) -> None:
        self._left -= 1
        self._end()

    def _end(self) -> None:
        if self._left or self.nodes is None or self._seconds is not None:
            return
        self._seconds = self._clock.monotonic() - self._begun
        self._families["usher_recovery_seconds"].set(self._seconds)
        if self.nodes or self.closed:
            logs.say(_logger, logging.INFO, taken_up(self.document()), **self.document())
