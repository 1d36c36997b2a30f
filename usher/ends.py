"""Ends: when the server tokens that usher has issued end, so that a day on which many end together is seen in time.

A server whose token has ended is let in nowhere, and goes back into provisioning at its next start
(wire/provisioning.md §1.4); all tokens that one signer token cuts short end in the same second.

Rules:
1. It is counted by day, from the database at the start, and moves with committed transitions only.
2. It warns of a day within SOON on which many tokens end, and many are a share of all: a fleet of ten has no cliff.
3. Each network counts its own: it has a signer of its own, and is renewed by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from fsm.effects import Intent
from fsm.events import Event
from fsm.machine import Rejected
from fsm.ports import Outcome
from fsm.runtime.observer import Transition
from fsm.snapshot import Snapshot
from fsm.states import State
from usher.rotation.expiry import Expiry

DAY: Final = 86_400
SOON: Final = 60 * DAY
"""Seconds before their end in which it is said: time enough to send a large fleet through provisioning in batches."""
LEAST: Final = 20
"""So few tokens on a day are no cliff."""
SHARE: Final = 0.2
"""So small a part of all tokens is none either."""


class Ends:
    """fsm.runtime.observer.Observer that counts when provisioned nodes' tokens end, by network and day since 1970."""

    def __init__(self, days: Mapping[tuple[str, int], int], first: str = "") -> None:
        """Begin with what the database counts; records that name no network are those of `first`."""
        self._first = first
        self.days: dict[str, Counter[int]] = {}
        for (network, day), count in days.items():
            self._count(network, day, count)

    def cliff(self, now: int, network: str = "") -> tuple[int, int]:
        """The day within SOON on which most tokens end, and how many; (0, 0) if no day has many. `now` in seconds."""
        days = self.days.get(network, Counter())
        soon = {day: count for day, count in days.items() if day * DAY < now + SOON}
        if not soon:
            return 0, 0
        day = max(soon, key=lambda each: (soon[each], -each))
        return (day, soon[day]) if soon[day] >= max(LEAST, SHARE * days.total()) else (0, 0)

    def expiry(self, now: int, network: str = "") -> Expiry:
        """For the status, of one network; `now` in milliseconds."""
        day, count = self.cliff(now // 1000, network)
        if not count:
            return Expiry("server_tokens", "server_jwt_validity", None)
        left = max(0, day - now // 1000 // DAY)
        when = f"in {left} day{'' if left == 1 else 's'}" if left else "today or before"
        whose = f"--network {network} " if network else ""
        command = f"usher reprovision {whose}--expiring {left + 1}d, in batches"
        said = f"{count} server tokens end on one day, {when}: {command}"
        return Expiry("server_tokens", "server_jwt_validity", float(day * DAY), said)

    def moved(self, transition: Transition) -> None:
        """Take a node's token from its old day to its new one."""
        before, after = transition.before, transition.decision.snapshot
        if (before.network, _day(before)) != (after.network, _day(after)):
            self._count(before.network, _day(before), -1)
            self._count(after.network, _day(after), 1)

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Nothing moved."""

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Nothing moved yet."""

    def crashed(self, node: str, error: Exception) -> None:
        """Nothing moved."""

    def _count(self, network: str, day: int | None, by: int) -> None:
        if day is not None:
            days = self.days.setdefault(network or self._first, Counter())
            days[day] += by
            if not days[day]:
                del days[day]


def _day(snapshot: Snapshot) -> int | None:
    token = snapshot.facts.token
    return token.expires // DAY if token is not None and snapshot.state is State.PROVISIONED else None
