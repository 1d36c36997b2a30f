"""The recorder: what happens, counted, after it is durable.

Rules:
1. Counters move with committed transitions, finished effects and received messages, never with intentions.
2. Gauges are read from the daemon when somebody scrapes, so they cannot drift.
3. Recording costs microseconds: it is on the way of every transition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm.effects import Effect, Intent
from fsm.events import OUTCOMES, Certainty, Done, Event, Failed, Hint, HintKind, Operator
from fsm.machine import Rejected
from fsm.ports import Outcome
from fsm.runtime.observer import Transition
from fsm.snapshot import Snapshot
from fsm.states import State
from usher.metrics.catalogue import RPC, families
from usher.metrics.families import Family, Labels, Series, labels, render
from usher.metrics.within import within

_GIVEN_UP: Final = frozenset({State.FAILED, State.GONE})


class Listener:
    """The transport's Discards, and the listener of discoveries, of one network."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        """Count in these."""
        self._families = families

    def count(self, reason: str) -> None:
        """A message was received and not used."""
        self._families["usher_discards_total"].add(1, labels(reason=reason))

    def discovered(self, sent: bool, answers: int) -> None:
        """A discovery ended."""
        self._families["discover_cycles"].add()
        self._families["usher_discovery_answers"].set(answers)
        if not sent:
            self._families["discovery_errors"].add()


class Recorder:
    """An Observer; the listeners of each network count in its families."""

    def __init__(self, site: str) -> None:
        """Begin at zero; `site` is the label of every series."""
        self._common: Labels = labels(site=site)
        self.families = families()
        took, calls = self.families["usher_effect_seconds"], self.families["rpc_time"]
        self._rpc: dict[Effect, Labels] = {effect: labels(rpc=name) for effect, name in RPC.items()}
        for where in self._rpc.values():
            self.families["rpc_errors"].add(0, where)
        self._transitions: dict[str, Series] = {}
        self._took: dict[Effect, Series] = {effect: took.series(labels(effect=effect.value)) for effect in Effect}
        self._calls: dict[Effect, Series] = {effect: calls.series(where) for effect, where in self._rpc.items()}
        self._decision = self.families["usher_decision_seconds"].series()
        self._commit = self.families["usher_commit_seconds"].series()

    def text(self) -> str:
        """All families as Prometheus reads them."""
        return render(self.families, self._common)

    # -- Observer -----------------------------------------------------------------------------------------------------

    def moved(self, transition: Transition) -> None:
        """Count a transition, and what it means."""
        row, body = transition.decision.row, transition.event.body
        before, after = transition.before.state, transition.decision.snapshot.state
        known = self._transitions.get(row.name)
        if known is None:
            known = self._transitions[row.name] = self.families["usher_transitions_total"].series(labels(row=row.name))
        known.total += 1
        self._decision.observe(transition.decided)
        self._commit.observe(transition.committed)
        if isinstance(body, OUTCOMES):
            self._outcome(body, after)
        elif isinstance(body, Hint) and after is State.DISCOVERED and before is not after:
            name = "discovered" if body.kind is HintKind.LISTED else "event_discovered"
            self.families[name].add()
        if after is not before and not isinstance(body, Operator):
            self._arrived(transition.decision.snapshot)

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Count an event that changed nothing."""
        by = rejected.row.name if rejected.row else rejected.why
        self.families["usher_rejected_total"].add(1, labels(by=by))

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Count an effect and its time."""
        effect, body = intent.effect, outcome.body
        self._took[effect].observe(seconds)
        if isinstance(body, Failed):
            where = labels(effect=effect.value, certainty=body.certainty.value)
            self.families["usher_effect_failures_total"].add(1, where)
        if effect is Effect.RUN_HELPER and not (isinstance(body, Failed) and body.certainty is Certainty.NOT_SENT):
            self.families["helper_time"].observe(seconds)
            if isinstance(body, Failed):
                self.families["helper_errors"].add()
        elif effect in self._calls and body.sent is not None:
            self._calls[effect].observe(seconds)

    def crashed(self, node: str, error: Exception) -> None:
        """Count a bug."""
        self.families["usher_bugs_total"].add()

    def part(self, network: str) -> Listener:
        """What the connections of a network tell; its name is empty where there is but one."""
        return Listener(within(self.families, network))

    def compat(self, check: str) -> None:
        """Something was let pass that `strict` would refuse."""
        self.families["usher_compat_total"].add(1, labels(check=check))

    def _outcome(self, body: Done | Failed, after: State) -> None:
        if isinstance(body, Failed):
            if body.effect in self._rpc and after in _GIVEN_UP:
                self.families["rpc_errors"].add(1, self._rpc[body.effect])
        elif body.effect is Effect.SHUTDOWN:
            self.families["helper_shutdown_requests"].add()

    def _arrived(self, snapshot: Snapshot) -> None:
        if snapshot.state is State.PROVISIONED:
            self.families["provisioned"].add()
        elif snapshot.state is State.REPROVISION and snapshot.reason is not None:
            self.families["usher_returns_total"].add(1, labels(reason=snapshot.reason.value))
        elif snapshot.state is State.FAILED:
            self.families["provision_errors"].add()
            if snapshot.reason is not None:
                self.families["usher_failures_total"].add(1, labels(reason=snapshot.reason.value))
