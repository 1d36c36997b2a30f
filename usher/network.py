"""The network: one broker's connections, and what comes and goes over them.

Rules:
1. Two long-lived connections, each with its own limits: discovery and events, and RPC; and where there is an election
   a third one for the lease, so that no flood delays it (design §5.1).
2. The engine goes on while the RPC connection stands; without it nothing is sent and no node loses a try.
3. Discovery runs at start, every interval, and after each new login: to miss an event costs latency, nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from fsm.events import HintKind
from fsm.ports import Clock
from security.peers import PeerSeal
from transport.connection import Connection, Options
from transport.credentials import Credentials, Tls
from transport.discovery import Discovery
from transport.election import Changed, Election
from transport.fence import Gate
from transport.lifecycle import Lifecycle
from transport.registration import Registration
from transport.reports import Connected, Discards, Disconnected, Report
from transport.rounds import Servers
from transport.rpc import RpcClient
from transport.tracked import Tracked
from transport.wire.caller import Asks
from transport.wire.peers import Leads
from transport.wire.versions import SHORTEST_TTL, Version
from usher.fleet import FLEET, Fleet, FleetSettings

_logger = logging.getLogger("broker")
EVENTS = "events"
RPC = "rpc"
LEASE = "lease"


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach the broker, and as whom; seconds between two discoveries, and for each step of a login.

    `fleet` is how to reach provisioned servers. `election_name` is empty where there is no election.
    """

    servers: Servers
    credentials: Credentials
    caller: Asks
    tls: Tls
    name: str
    identity: str
    version: str
    component: str
    interval: float
    fleet: FleetSettings
    connect_timeout: float = 2.0
    election_name: str = ""

    @property
    def purposes(self) -> tuple[str, ...]:
        """The connections that there are."""
        return (EVENTS, RPC, LEASE) if self.election_name else (EVENTS, RPC)


@dataclass(frozen=True, slots=True)
class Told:
    """Whom the network tells what: names that were seen, the state of the way, its reports, finished discoveries."""

    hint: Callable[[str, HintKind], None]
    way_open: Callable[[bool], None]
    report: Callable[[Report], None]
    discovered: Callable[[bool, int], None]
    discards: Discards


class Network:
    """One broker: `await start()`, `await close()`."""

    def __init__(self, way: Way, told: Told, clock: Clock) -> None:
        """Compose the transport; nothing is connected yet."""
        self._way, self._told, self._clock = way, told, clock
        self.events = self._connection(EVENTS)
        self.calls = self._connection(RPC)
        self.gate = Gate(clock, SHORTEST_TTL[way.caller.version]) if way.election_name else None
        self.rpc = RpcClient(
            self.calls,
            way.caller,
            clock,
            fence=self.gate,
            discards=told.discards,
            on_second_answer=lambda node: told.hint(node, HintKind.SECOND_ANSWER),
        )
        self.tracked = Tracked(self.rpc, clock.monotonic)
        self.discovery = Discovery(
            self.events,
            way.caller,
            clock,
            on_seen=lambda node: told.hint(node, HintKind.LISTED),
            discards=told.discards,
        )
        self.lifecycle = Lifecycle(
            self.events, clock, component=way.component, on_hint=told.hint, discards=told.discards
        )
        self.registration = Registration(self.events, on_hint=told.hint, discards=told.discards)
        self.fleet = Fleet(way.fleet, clock, told.discards, self._report, self._left_fleet)
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._election: Election | None = None
        self.lease = self._connection(LEASE) if way.election_name else None
        """Where an election is held, and ushers talk; None without one."""
        self._announced = False
        self._closing = False
        self._paused = False
        self.reports: dict[str, Report] = {}

    async def start(self) -> None:
        """Begin to connect, and to discover as soon as that is possible."""
        await self.rpc.start()
        await self.discovery.start()
        await self.lifecycle.start()
        await self.registration.start()
        await self.events.start()
        await self.calls.start()
        self._task = asyncio.get_running_loop().create_task(self._discover(), name="discovery")

    async def close(self) -> None:
        """End what is under way and log out; what the connections report of that is no news."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._election is not None:
            await self._election.close()
        self.rpc.close()
        await self.fleet.close()
        await self.calls.close()
        await self.events.close()

    def election(self, lease: Connection, changed: Changed, heard: Callable[[Leads], None]) -> Election:
        """The election over a connection of its own; whoever asks for it starts it, it closes with the network."""
        way = self._way
        self._election = Election(
            lease,
            way.caller.caller,
            way.election_name,
            self._clock,
            PeerSeal(lambda: way.credentials.password),
            discards=self._told.discards,
            changed=changed,
            heard=heard,
        )
        return self._election

    @property
    def version(self) -> Version:
        """The version of the protocol that is spoken here: that of who asks."""
        return self._way.caller.version

    @property
    def connected(self) -> bool:
        """Whether both connections stand."""
        return bool(self.calls.connection and self.events.connection)

    def pause(self, paused: bool) -> None:
        """Do not discover while paused; discover at once afterwards, or as soon as there is a login."""
        self._paused = paused
        if not paused and self.events.connection:
            self._soon.set()

    def _connection(self, purpose: str) -> Connection:
        way = self._way
        return Connection(
            purpose,
            way.servers,
            way.credentials,
            way.tls,
            name=f"{way.name}-{purpose}",
            discards=self._told.discards,
            report=self._report,
            options=Options(connect_timeout=way.connect_timeout),
        )

    def _left_fleet(self) -> None:
        self.reports.pop(FLEET, None)

    def _report(self, report: Report) -> None:
        self.reports[report.purpose] = report
        if not self._closing:
            self._told.report(report)
        if report.purpose == RPC and isinstance(report, Connected | Disconnected):
            self._told.way_open(isinstance(report, Connected))
        if report.purpose == EVENTS and isinstance(report, Connected):
            self._soon.set()

    async def _discover(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._way.interval):
                    await self._soon.wait()
            self._soon.clear()
            if self._paused:
                continue
            try:
                await self._cycle()
            except Exception:  # law 7 rests on discovery: a bug of one cycle must not be the last of them
                _logger.exception("a bug in a discovery; the next one follows")
                self._told.discovered(False, 0)

    async def _cycle(self) -> None:
        if not self._announced:
            self._announced = self.lifecycle.announce(self._way.identity, self._way.version)
        cycle = await self.discovery.run()
        self._told.discovered(cycle.sent, cycle.answers)
