"""Status: what the daemon is doing, as one document for people, monitoring and probes.

Rules:
1. It is read from what the daemon holds in memory: asking costs the fleet nothing.
2. Ready means that it takes work: connected, not paused, not stopping, and the disk has room.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from fsm.reasons import WHAT
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from usher import outages
from usher.aging import Aging
from usher.daemon import Daemon
from usher.metrics.recovery import TakeUp
from usher.outside import VERSION
from usher.rotation.expiry import Expiry
from usher.tally import Tally

TOP: Final = 5
"""How many reasons are named."""


class Status:
    """The document, made when somebody asks."""

    def __init__(
        self,
        daemon: Daemon,
        tally: Tally,
        site: str,
        take_up: TakeUp | None = None,
        aging: Aging | None = None,
        expiries: Callable[[], Sequence[Expiry]] = tuple,
    ) -> None:
        """Hold what is asked."""
        self._daemon, self._tally, self._site, self._take_up, self._aging = daemon, tally, site, take_up, aging
        self._expiries = expiries
        self._started = daemon.clock.now()

    @property
    def ready(self) -> bool:
        """Whether it takes work now."""
        return not self._daemon.engine.holds

    def document(self) -> dict[str, Any]:
        """Everything; times are milliseconds since 1970, null where there is nothing."""
        daemon, engine = self._daemon, self._daemon.engine
        paused = daemon.paused
        return {
            "site": self._site,
            "version": VERSION,
            "pid": os.getpid(),
            "started": self._started,
            "lineage": daemon.journal.lineage,
            "epoch": daemon.epoch,
            "ready": self.ready,
            "connected": daemon.network.connected,
            "connections": {purpose: connection(report) for purpose, report in sorted(daemon.reports.items())},
            "holds": {hold.value: WHAT[hold] for hold in sorted(engine.holds)},
            "paused": {"since": paused.at, "by": paused.name, "reason": paused.reason} if paused else None,
            "observes": daemon.policy.observe,
            "intake": daemon.intake.document(engine.admission.refused),
            "breakers": outages.document(engine.breakers),
            "states": {state.value: count for state, count in sorted(self._tally.states.items()) if count},
            "waiting_room": engine.admission.waiting,
            "oldest_waiting": engine.admission.oldest(),
            "in_flight": engine.admission.flying,
            "window": engine.admission.window,
            "reasons": dict(self._top_reasons()),
            "bugs": self._tally.crashes,
            "credentials": [expiry.document() for expiry in self._expiries()],
            "aged": self._aging.closed if self._aging is not None else None,
            "recovery": self._take_up.document() if self._take_up is not None else None,
        }

    def _top_reasons(self) -> list[tuple[str, int]]:
        return [(reason.value, count) for reason, count in self._tally.reasons.most_common(TOP) if count]


def connection(report: Report) -> dict[str, Any]:
    """One connection's newest report."""
    match report:
        case Connected():
            return {"state": "connected", "server": report.server, "reason": ""}
        case Disconnected():
            return {"state": "disconnected", "server": report.server, "reason": report.reason}
        case Refused():
            return {"state": "refused", "server": report.server, "reason": report.reason, "again": report.again}
        case Complaint():
            return {"state": "connected", "server": report.server, "reason": report.reason}
