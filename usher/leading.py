"""Leading: what this usher does when it wins the election, when it loses it, and when it ends.

Rules:
1. While it does not lead the engine is held, nothing is discovered, hints are dropped and the fence is shut.
2. Losing takes effect at once. Winning takes effect once the new epoch is durable and the old one is over: what was
   under way is interrupted, and where another may have led each unfinished node begins anew (design §4).
3. Whoever ends hands over: it sends nothing more, says what may be alive, and only then that its key may be taken.
4. What an election says is shown, in status, log and metrics; it never ends the daemon.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fsm.errors import UsherError
from fsm.events import Operator, Verb
from fsm.ports import Clock
from fsm.reasons import Reason
from fsm.runtime.engine import Engine
from store.entries import FleetEntry
from transport.election import Election
from transport.fence import Gate
from transport.lease import Lease, Role
from transport.tracked import Tracked
from transport.wire.peers import Leads
from usher import logs
from usher.terms import ELECTED, FELL, HANDED_OVER, Led, payload

SETTLE: Final = 1.0
"""Seconds that requests which change a node have to be answered before the key is handed over."""
TOLD: Final = 2.0
"""Seconds between two announcements of a leader to its peers."""
_STATES: Final = {False: "candidate", True: "leader"}
_logger = logging.getLogger("election")


class Recorded(Protocol):
    """What is needed of the journal."""

    def begin_epoch(self) -> asyncio.Future[int]:
        """Raise the epoch, durably."""
        ...

    def fleet(self, entry: FleetEntry) -> asyncio.Future[None]:
        """Append to the journal of the fleet, durably."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a usher stands, for metrics: seconds left of its lease, seconds between its last two campaigns.

    `campaigns` counts the writes that were asked for, by the older program's names of what it was then.
    """

    role: Role
    ours: bool
    rest: float
    interval: float
    campaigns: Mapping[str, int]


class Leadership:
    """The part of one daemon in the election, whose engine is held before `start`.

    `name` is the election_name, `sender` the sender_identity; `working` is told when it takes up work or stops it,
    `epoch` each new one, `fatal` what must end the process.
    """

    def __init__(
        self,
        name: str,
        sender: str,
        clock: Clock,
        engine: Engine,
        journal: Recorded,
        gate: Gate,
        calls: Tracked,
        *,
        take_back: Callable[[], None],
        working: Callable[[], None],
        epoch: Callable[[int], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        """Compose; `start` brings the election itself."""
        self.name, self.sender = name, sender
        self._clock, self._engine, self._journal = clock, engine, journal
        self._gate, self._calls, self._take_back = gate, calls, take_back
        self._working, self._epoch, self._fatal = working, epoch, fatal
        self._election: Election | None = None
        self._last: int | None = None
        self._first = 0
        self._timer: asyncio.TimerHandle | None = None
        self._term: asyncio.Task[None] | None = None
        self._noting: set[asyncio.Future[None]] = set()
        self._campaigns = Counter(dict.fromkeys(_STATES.values(), 0))
        self._campaigned = self._interval = 0.0
        self.since = 0
        """Since when this usher leads (milliseconds since 1970); 0 while it does not."""
        self.peer: Leads | None = None
        self.heard = 0
        """What another leader said of itself last, and when that was heard."""

    async def start(self, election: Election, last: Led) -> None:
        """Stand for election; the engine is held until it is won."""
        self._election = election
        self._last = last.sequence or None
        election.campaigns = self._campaign
        await election.start(last.sequence if last.handed_over else 0)

    async def stop(self) -> None:
        """Send nothing more, and hand over what is ours."""
        election = self._election
        if election is None:
            return
        self._gate.shut()
        self._take_back()
        led = self.since > 0
        if led:
            await self._calls.settle(SETTLE)
        sequence = await election.settle()
        if led and sequence:
            with suppress(UsherError):
                await self._journal.fleet(self._entry(HANDED_OVER, "usher stops", sequence))
                rest = self._calls.rest()
                election.hand_over(sequence, rest)
                logs.say(_logger, logging.INFO, "the lead is handed over", sequence=sequence, alive=round(rest, 1))

    # -- the election ------------------------------------------------------------------------------------------------

    def changed(self, before: Lease, after: Lease) -> None:
        """The lease is another one."""
        self._gate.lease = after
        if after.trouble and after.trouble != before.trouble:
            logs.say(_logger, logging.WARNING, f"the election: {after.trouble}")
        if after.ours and not before.ours:
            self._first = after.sequence
        if after.role is Role.LEADER and before.role is not Role.LEADER:
            wait = max(after.works - self._clock.instant().boot, 0.0)
            self._timer = asyncio.get_running_loop().call_later(wait, self._win)
        if before.role is Role.LEADER and after.role is not Role.LEADER:
            self._fall(before, after)

    def heard_of(self, said: Leads) -> None:
        """Another usher says that it leads."""
        if self.peer is None or self.peer.usher != said.usher:
            logs.say(_logger, logging.INFO, f"{said.name} leads", sequence=said.sequence)
            if said.sender != self.sender:
                what = f"{said.name} is {said.sender} to the nodes, this usher {self.sender}"
                logs.say(_logger, logging.WARNING, f"{what}: set the same sender_identity, nodes lock by it")
        self.peer, self.heard = said, self._clock.now()

    def _win(self) -> None:
        self._timer = None
        self._term = asyncio.get_running_loop().create_task(self._take_over(), name="a term")
        self._term.add_done_callback(self._over)

    def _over(self, term: asyncio.Task[None]) -> None:
        """A term ends with the lease; an error ends the process, since a leader that does nothing blocks all others."""
        if not term.cancelled() and (error := term.exception()) is not None:
            self._fatal(error)

    async def _take_over(self) -> None:
        """Begin the new epoch, end the old one, and go to work."""
        anew = self._last is None or self._first != self._last + 1
        said = f"elected with sequence {self._first}" + (", another may have led before" if anew else "")
        epoch = await self._journal.begin_epoch()
        await self._journal.fleet(self._entry(ELECTED, said, self._first))
        self._epoch(epoch)
        await self._engine.lead(epoch, Operator(Verb.TAKEOVER, self.name, said) if anew else None)
        self.since, self.peer = self._clock.now(), None
        self._gate.open()
        self._engine.release(Reason.STANDBY)
        self._working()
        logs.say(_logger, logging.INFO, "this usher leads", sequence=self._first, epoch=epoch, anew=anew)
        while self._election is not None:
            self._election.announce(self.sender, self.since)
            await asyncio.sleep(TOLD)

    def _fall(self, before: Lease, after: Lease) -> None:
        """It does not lead any more: from this moment on nothing is sent."""
        self._gate.shut()
        self._take_back()
        self._engine.hold(Reason.STANDBY)
        self._working()
        for pending in (self._timer, self._term):
            if pending is not None:
                pending.cancel()
        self._timer = self._term = None
        if self.since:  # a term that did not begin has not taken the nodes over either
            self._last = before.sequence
        if self.since and after.role is not Role.OVER:
            logs.say(_logger, logging.WARNING, f"this usher leads no more: {after.trouble}", sequence=before.sequence)
            self._note(self._journal.fleet(self._entry(FELL, after.trouble, before.sequence)))
        self.since = 0

    def _entry(self, kind: str, reason: str, sequence: int) -> FleetEntry:
        return FleetEntry(self._clock.now(), kind, self.name, reason, payload(sequence))

    def _note(self, entry: asyncio.Future[None]) -> None:
        """It is written when it is; if the store fails, that ends the process by itself."""
        self._noting.add(entry)
        entry.add_done_callback(self._noted)

    def _noted(self, entry: asyncio.Future[None]) -> None:
        self._noting.discard(entry)
        if not entry.cancelled():
            entry.exception()

    def _campaign(self, lease: Lease) -> None:
        self._campaigns[_STATES[lease.ours]] += 1
        now = self._clock.monotonic()
        self._interval, self._campaigned = now - self._campaigned if self._campaigned else 0.0, now

    # -- what is known -----------------------------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why there is no election to speak of; empty if there is one."""
        lease = self._gate.lease
        return lease.trouble if lease.role is Role.OPENING else ""

    def standing(self) -> Standing:
        """What the metrics tell."""
        lease = self._gate.lease
        rest = max(lease.end - self._clock.instant().boot, 0.0)
        return Standing(lease.role, lease.ours, rest, self._interval, self._campaigns)

    def document(self) -> dict[str, Any]:
        """The election, as usher.terms has it; times are milliseconds since 1970."""
        lease, peer = self._gate.lease, self.peer
        ours = self.since > 0 and lease.confirmed is not None
        confirmed = lease.confirmed.wall if lease.confirmed else 0
        asked = self._clock.now() - round((self._clock.instant().boot - lease.asked) * 1000) if lease.asked > 0 else 0
        return {
            "name": self.name,
            "sender": self.sender,
            "role": lease.role.value,
            "ttl": lease.ttl or None,
            "leader": self.name if ours else peer.name if peer else None,
            "since": self.since if ours else peer.since if peer else None,
            "sequence": (lease.sequence if ours or peer is None else max(peer.sequence, lease.sequence)) or None,
            "known": (confirmed if ours else self.heard if peer else asked) or None,
            "trouble": self.trouble,
        }
