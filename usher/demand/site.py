"""The site of a roll-out: the daemon behind its control socket, and the records in its database.

Rules:
1. The daemon is asked, the records are read: a command never writes.
2. A daemon that is away while records are read is no failure; who asks it is told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fsm.snapshot import Snapshot
from store.reader import Reader
from usher.control.client import wish
from usher.demand.plan import Plan
from usher.state import StateDirectory


class TheSite:
    """usher.demand.rollout.Site."""

    def __init__(self, state: StateDirectory, reader: Reader, plan: Plan) -> None:
        """Hold whom to ask what, and where to read."""
        self._state, self._reader, self._plan = state, reader, plan

    def ask(self, nodes: Sequence[str]) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Ask each node what the plan says."""
        plan = self._plan
        return wish(self._state, plan.verb, nodes, plan.reason, plan=plan.id, force=plan.manner.force)

    def records(self, nodes: Iterable[str]) -> Iterator[tuple[str, Snapshot | None]]:
        """The nodes' records as they are now."""
        return ((node, self._reader.node(node)) for node in nodes)

    def now(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)
