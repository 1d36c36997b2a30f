"""Status: what the daemon is doing, as one document for people, monitoring and probes.

Rules:
1. It is read from what the daemon holds in memory: asking costs the fleet nothing.
2. Ready means that it takes work: connected, not paused, not stopping, and the disk has room.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from fsm.reasons import WHAT
from fsm.states import State
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from usher import denied, outages
from usher.aging import Aging
from usher.daemon import Daemon
from usher.metrics.library import VERSIONS
from usher.metrics.recovery import TakeUp
from usher.networks.member import Member
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
        """Whether it takes work now, in one network at least, or stands by as it should."""
        return self._daemon.ready

    def document(self) -> dict[str, Any]:
        """Everything; times are milliseconds since 1970, null where there is nothing."""
        daemon, engine, members = self._daemon, self._daemon.engine, self._daemon.members
        paused, cluster = daemon.paused, daemon.cluster
        return {
            "site": self._site,
            "version": VERSION,
            "pid": os.getpid(),
            "started": self._started,
            "lineage": daemon.journal.lineage,
            "epoch": daemon.epoch,
            "ready": self.ready,
            "connected": all(member.network.connected for member in members),
            "connections": {place: report for member in members for place, report in connections(member)},
            "holds": {hold.value: WHAT[hold] for hold in sorted(engine.holds)},
            "paused": {"since": paused.at, "by": paused.name, "reason": paused.reason} if paused else None,
            "election": cluster.leadership.document() if cluster is not None else None,
            "cluster": cluster.peers.document() if cluster is not None else None,
            "observes": daemon.observes,
            **(_taking(members[0]) if len(members) == 1 else {"intake": None, "breakers": {}}),
            "denied": denied.document(daemon.denied),
            "states": {state.value: count for state, count in sorted(self._tally.states.items()) if count},
            **_flow(members),
            "networks": self._networks(),
            "fleets": daemon.fleets.closed(),
            "reasons": dict(self._top_reasons()),
            "bugs": self._tally.crashes,
            "credentials": [expiry.document() for expiry in self._expiries()],
            "aged": self._aging.closed if self._aging is not None else None,
            "recovery": self._take_up.document() if self._take_up is not None else None,
        }

    def _networks(self) -> list[dict[str, Any]]:
        """Each of several networks, and those that are not configured any more and have records; else none."""
        counted = self._tally.networks
        if counted is None:
            return []
        owners, places = self._daemon.owners, {member.name: member for member in self._daemon.members}
        states: dict[str, Counter[State]] = {name: Counter() for name in places}
        for network, of in counted.items():
            states.setdefault(owners.of_name(network) or network, Counter()).update(of)
        return [_network(name, states[name], places.get(name)) for name in states if name in places or states[name]]

    def _top_reasons(self) -> list[tuple[str, int]]:
        return [(reason.value, count) for reason, count in self._tally.reasons.most_common(TOP) if count]


def _flow(members: Sequence[Member]) -> dict[str, Any]:
    """How many wait and are in flight, in all of them."""
    rooms = [member.engine.admission for member in members]
    return {
        "waiting_room": sum(room.waiting for room in rooms),
        "oldest_waiting": min((oldest for room in rooms if (oldest := room.oldest()) is not None), default=None),
        "in_flight": sum(room.flying for room in rooms),
        "window": sum(room.window for room in rooms),
    }


def _taking(member: Member) -> dict[str, Any]:
    """Whom a network takes in, and how what it depends on stands."""
    engine = member.engine
    return {
        "intake": member.intake.document(engine.admission.refused),
        "breakers": outages.document(engine.breakers),
    }


def _network(name: str, states: Counter[State], member: Member | None) -> dict[str, Any]:
    """One of several; without a member it is configured no more."""
    return {
        "name": name,
        "configured": member is not None,
        "protocol": f"v{VERSIONS[member.network.version]}" if member is not None else None,
        "ready": member is not None and not member.engine.holds,
        "holds": {hold.value: WHAT[hold] for hold in sorted(member.engine.holds)} if member is not None else {},
        "connections": {purpose: connection(report) for purpose, report in sorted(member.reports.items())}
        if member is not None
        else {},
        "states": {state.value: count for state, count in sorted(states.items()) if count},
        **(_taking(member) if member is not None else {"intake": None, "breakers": {}}),
        **(_flow((member,)) if member is not None else dict.fromkeys(_flow(()))),
    }


def connections(member: Member) -> Iterator[tuple[str, dict[str, Any]]]:
    """The newest report of each connection, by its place: of several networks with the network's name."""
    for purpose, report in sorted(member.reports.items()):
        yield f"{member.name} {purpose}" if member.name else purpose, connection(report)


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
