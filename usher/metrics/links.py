"""Links: what the connections to the broker report, counted.

Rules:
1. It is told what the log is told, in the same order; it never looks at a connection itself.
2. Each connection is there at zero from the start: its first loss has an increase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fsm.ports import Clock
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from usher.metrics.families import Family, labels

_COUNTED = (
    (Connected, "usher_logins_total"),
    (Refused, "usher_logins_refused_total"),
    (Disconnected, "usher_disconnections_total"),
    (Complaint, "usher_complaints_total"),
)


class Links:
    """Takes the reports of the connections with these names into the families of a recorder."""

    def __init__(self, families: Mapping[str, Family], clock: Clock, connections: Sequence[str]) -> None:
        """Begin to measure the first login now."""
        self._families, self._clock = families, clock
        self._begun = clock.monotonic()
        self._known: set[str] = set()
        for connection in connections:
            for _, name in _COUNTED:
                families[name].add(0, labels(connection=connection))

    def report(self, report: Report) -> None:
        """Count what a connection says."""
        for kind, name in _COUNTED:
            if isinstance(report, kind):
                self._families[name].add(1, labels(connection=report.purpose))
        first = report.purpose not in self._known
        match report:
            case Connected():
                self._login(report.purpose, first=first)
            case Refused() if first:
                self._families["choria_connector_initial_connection_attempts"].add()
            case Complaint():
                self._families["choria_connector_errors"].add()

    def _login(self, purpose: str, *, first: bool) -> None:
        if first:
            self._known.add(purpose)
            self._families["choria_connector_initial_connect_time"].observe(self._clock.monotonic() - self._begun)
        else:
            self._families["choria_connector_reconnections"].add()
