"""The fleet: the connection to provisioned servers, with the operator's own credentials (wire/protocol.md §6.4, §7.7).

A client token with `fleet_management` and its seed, or a certificate and its key, log in without the provisioner's
password, and sign each request; where the broker wants a NATS user, the configuration names one.

Rules:
1. There is no connection before something is asked of the fleet, and none once nothing has been asked for IDLE.
2. Files are read at each login and request that begins: a token that was renewed is used, one that ended is refused
   here, by name, since a server would only be silent (wire/protocol.md §3.5).
3. What could not be sent is NOT_SENT, with the words of whoever refused it: the broker, the files, the configuration.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Clock, Reply, Request
from fsm.reasons import Reason
from security.problems import CredentialError
from transport.connection import Connection
from transport.credentials import CertificateFileError, Tls, asked_of
from transport.discovery import Discovery
from transport.options import Options
from transport.reports import Discards, Refused, Report
from transport.rounds import Servers
from transport.rpc import RpcClient
from usher.config.fleet import Nobody, Operator
from usher.operators import NobodyError, Reader, Shown

FLEET: Final = "fleet"
"""The name of the connection, in status, metrics and logs."""
IDLE: Final = 300.0
"""Seconds without a request after which usher logs out of the fleet: operators come and go."""
PATIENCE: Final = 10.0
"""Seconds that a request waits for the connection."""


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """How to reach the fleet, and as whom; `tls` is that of who shows a token."""

    operator: Operator
    user: str
    password: str = field(repr=False)
    collective: str
    identity: str
    servers: Servers
    tls: Tls
    name: str
    connect_timeout: float


class Fleet:
    """fsm.ports.Rpc to provisioned servers; `await close()` at the end."""

    def __init__(
        self,
        settings: FleetSettings,
        clock: Clock,
        discards: Discards,
        report: Callable[[Report], None],
        left: Callable[[], object] = lambda: None,
    ) -> None:
        """Hold how to reach it; nothing is connected yet. `left` hears that usher has logged out."""
        self._settings, self._clock, self._discards, self._report = settings, clock, discards, report
        self._left = left
        self._asking = 0
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._reader = Reader(settings.operator, settings.identity, (settings.user, settings.password), settings.tls)
        self._shown: Shown | None = None
        self._connection: Connection | None = None
        self._rpc: RpcClient | None = None
        self._opening = asyncio.Lock()
        self._said = ""

    @property
    def closed(self) -> str:
        """Why nobody can be asked here as it is configured, with the next step; empty if that is to be tried."""
        operator = self._settings.operator
        return operator.why if isinstance(operator, Nobody) else ""

    async def call(self, request: Request) -> Reply:
        """Ask a provisioned server; raises fsm.errors.CallError."""
        with self._busy():
            rpc = await self.open()
            return await rpc.call(request)

    async def open(self) -> RpcClient:
        """The way to the fleet, connected; raises CallError."""
        async with self._opening:
            await self._renew()
            if self._rpc is None or self._connection is None:
                await self._begin()
            rpc, connection = self._rpc, self._connection
        if rpc is None or connection is None:  # pragma: no cover - begun above
            raise AssertionError
        try:
            async with asyncio.timeout(PATIENCE):
                await connection.ready()
        except TimeoutError:
            detail = self._said or f"no broker let us in within {PATIENCE:.0f} s"
            raise CallError(Certainty.NOT_SENT, Reason.FLEET_CLOSED, detail) from None
        return rpc

    async def names(self) -> list[str]:
        """Who answers in the fleet now, by name; raises CallError."""
        with self._busy():
            return await self._names()

    async def _names(self) -> list[str]:
        await self.open()
        connection, shown, found = self._connection, self._shown, set[str]()
        if connection is None or shown is None:  # pragma: no cover - opened above
            raise AssertionError
        discovery = Discovery(
            connection,
            shown.client,
            self._clock,
            on_seen=found.add,
            discards=self._discards,
            collective=self._settings.collective,
        )
        await discovery.start()
        await discovery.run()
        return sorted(found)

    async def close(self) -> None:
        """End what is under way and log out; what the connection reports of that is no news."""
        (rpc, self._rpc), (connection, self._connection) = (self._rpc, None), (self._connection, None)
        if self._idle is not None:
            self._idle.cancel()
        if rpc is not None and connection is not None:
            rpc.close()
            await connection.close()
            self._left()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """While something is asked; afterwards usher logs out in a while."""
        self._asking += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._idle = asyncio.get_running_loop().call_later(IDLE, self._leave)

    def _leave(self) -> None:
        if not self._asking:
            self._ending = asyncio.get_running_loop().create_task(self.close(), name="leaving the fleet")

    async def _renew(self) -> None:
        """Read the files, and use what they hold; raises CallError where that cannot open the fleet."""
        try:
            found = self._reader.read(self._clock.wall())
        except (NobodyError, CredentialError, CertificateFileError) as error:
            raise CallError(Certainty.NOT_SENT, Reason.FLEET_CLOSED, str(error)) from None
        if self._shown is not None and self._shown.take(found):
            return
        if self._shown is not None:  # another operator: reply subjects are made of the caller id
            await self.close()
        self._shown = found

    async def _begin(self) -> None:
        settings, shown = self._settings, self._shown
        if shown is None:  # pragma: no cover - _renew has made it
            raise AssertionError
        self._connection = Connection(
            FLEET,
            settings.servers,
            shown.client,
            lambda: asked_of(shown.tls),
            name=f"{settings.name}-{FLEET}",
            discards=self._discards,
            report=self._hear,
            options=Options(connect_timeout=settings.connect_timeout),
        )
        self._rpc = RpcClient(
            self._connection,
            shown.client,
            self._clock,
            discards=self._discards,
            on_second_answer=lambda _: None,
            collective=settings.collective,
        )
        await self._rpc.start()
        await self._connection.start()

    def _hear(self, report: Report) -> None:
        self._said = report.reason if isinstance(report, Refused) else ""
        if self._connection is not None:
            self._report(report)
