"""The fence: what may still be sent, and for how long it may live, so that it is dead when our lease is over.

A process may be stopped at any moment and go on minutes later with what it was about to send. So one reading of the
clock says whether we lead, how much of the lease is left, and which time the request carries: whatever is sent later
than that reading is as much older for the node that gets it, and a node refuses what is older than its ttl
(wire/protocol.md §3.3). What remains is the skew of the node's clock.

Rules:
1. A request lives no longer than our lease; what would have to live longer is not sent.
2. Its time is that of the last confirmed write plus what has passed since then: no jump of the wall clock makes an old
   request young.
3. A gate that is shut lets nothing through, whatever the lease says: who wins opens it when the old epoch is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.instant import Instant
from fsm.ports import Clock
from fsm.reasons import Reason
from transport.lease import Lease


@dataclass(frozen=True, slots=True)
class Permit:
    """A request may go: its ttl in whole seconds, its time in milliseconds since 1970."""

    ttl: int
    at: int


class Fence(Protocol):
    """Asked for each request, at the moment when it is made."""

    def permit(self, ttl: int) -> Permit:
        """For a request that would like to live for so many seconds; raises CallError (NOT_SENT)."""
        ...


class Alone:
    """Without an election there is nobody whom a request could meet."""

    def __init__(self, clock: Clock) -> None:
        """Hold the clock."""
        self._clock = clock

    def permit(self, ttl: int) -> Permit:
        """Always."""
        return Permit(ttl, self._clock.wall())


def permit(lease: Lease, at: Instant, ttl: int, least: int = 1) -> Permit | None:
    """What the lease allows at this instant, None if nothing; `least` is the shortest ttl that the wire knows (s)."""
    if lease.confirmed is None or not lease.leads(at.boot):
        return None
    allowed = min(ttl, int(lease.end - at.boot))
    if allowed < least:
        return None
    return Permit(allowed, lease.confirmed.wall + int((at.boot - lease.confirmed.boot) * 1000))


class Gate:
    """The fence of an usher that takes part in an election; shut until `open`."""

    def __init__(self, clock: Clock, least: int = 1) -> None:
        """Shut; `least` is the shortest ttl that the wire knows, in seconds: 1 in protocol v2, 30 in v1."""
        self._clock, self._least = clock, least
        self._is_open = False
        self.lease = Lease()
        """The newest lease, which transport.election brings."""

    def open(self) -> None:
        """Let through what the lease allows."""
        self._is_open = True

    def shut(self) -> None:
        """Let nothing through."""
        self._is_open = False

    def permit(self, ttl: int) -> Permit:
        """As the lease allows at this moment; raises CallError (NOT_SENT)."""
        given = permit(self.lease, self._clock.instant(), ttl, self._least) if self._is_open else None
        if given is None:
            raise CallError(Certainty.NOT_SENT, Reason.STANDBY)
        return given
