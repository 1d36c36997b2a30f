"""The site of a roll-out: the daemon behind its control socket, and the records in its database.

Rules:
1. The daemon is asked, the records are read: a command never writes.
2. A snapshot has room for the beginning of a reason only: the whole of it is read from the history.
3. A daemon that is away while records are read is no failure; who asks it is told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any, Final

from fsm.codec import decode_payload
from fsm.events import Failed, Operator
from fsm.snapshot import Snapshot
from store.reader import Reader
from usher.control.client import wish
from usher.demand.plan import Plan
from usher.state import StateDirectory

RECENT: Final = 10
"""The newest rows of a history among which a reason is looked for."""


def _words(payload: bytes | None) -> str:
    """What an event says in words; empty if it says nothing, or is not held any more."""
    if payload is None:
        return ""
    match decode_payload(payload)[0].body:
        case Failed(detail=detail):
            return detail
        case Operator(name=name, reason=reason):
            return f"{name}: {reason}"
        case _:
            return ""


class TheSite:
    """usher.demand.rollout.Site."""

    def __init__(self, state: StateDirectory, reader: Reader, plan: Plan) -> None:
        """Hold whom to ask what, and where to read."""
        self._state, self._reader, self._plan = state, reader, plan
        self._never = Event()

    def ask(self, nodes: Sequence[str]) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Ask each node what the plan says."""
        plan = self._plan
        return wish(self._state, plan.verb, nodes, plan.reason, plan=plan.id, force=plan.manner.force)

    def records(self, nodes: Iterable[str]) -> Iterator[tuple[str, Snapshot | None]]:
        """The nodes' records as they are now."""
        return ((node, self._whole(self._reader.node(node))) for node in nodes)

    def _whole(self, snapshot: Snapshot | None) -> Snapshot | None:
        """The same with the whole text of its reason, where that was cut (fsm.codec.fit)."""
        if snapshot is None or not snapshot.detail:
            return snapshot
        for row in self._reader.latest(snapshot.node, RECENT):
            said = _words(row.payload)
            if said.startswith(snapshot.detail):
                return replace(snapshot, detail=said)
        return snapshot

    def now(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._never.wait(seconds)
