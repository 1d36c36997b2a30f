"""The fleet: the connection to provisioned servers, with the operator's own credentials (wire/protocol.md §6.4, §7.7).

A client token with `fleet_management` and its seed log in without the provisioner's password, and sign each request;
where the broker wants a NATS user, the configuration names one.

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
from pathlib import Path
from typing import Final

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Clock, Reply, Request
from fsm.reasons import Reason
from security.fleet import FleetCredentials, fleet_credentials
from security.problems import CredentialError
from transport.connection import Connection
from transport.credentials import Tls
from transport.discovery import Discovery
from transport.options import Options
from transport.reports import Discards, Refused, Report
from transport.rounds import Servers
from transport.rpc import RpcClient
from transport.wire.versions import Version

FLEET: Final = "fleet"
"""The name of the connection, in status, metrics and logs."""
IDLE: Final = 300.0
"""Seconds without a request after which usher logs out of the fleet: operators come and go."""
PATIENCE: Final = 10.0
"""Seconds that a request waits for the connection."""

_NOBODY: Final = "no fleet_token_file is configured: make one with `choria jwt client --fleet-management`"
_CERTIFICATES: Final = (
    "its servers have certificates (features.pki), and such servers obey no operator's token: ask them with a Choria "
    "client that has a certificate"
)


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """How to reach the fleet, and as whom; no token file means that the site has not configured it.

    `certificates` says that the servers have those: whoever asks them must show one too (wire/protocol.md §3.2).
    """

    token_file: str
    seed_file: str
    user: str
    password: str = field(repr=False)
    collective: str
    identity: str
    servers: Servers
    tls: Tls
    name: str
    connect_timeout: float
    certificates: bool = False


class Operator:
    """transport.credentials.Credentials for logins, transport.wire.caller.Asks for requests; its caller id stays."""

    def __init__(self, credentials: FleetCredentials, settings: FleetSettings) -> None:
        """Begin with what was read."""
        self.credentials, self._settings = credentials, settings

    @property
    def user(self) -> str:
        """The NATS user; empty sends neither user nor password."""
        return self._settings.user

    @property
    def password(self) -> str:
        """The password of that user."""
        return self._settings.password

    @property
    def token(self) -> str:
        """The client token."""
        return self.credentials.token

    @property
    def credential(self) -> str:
        """What requests show: the client token."""
        return self.credentials.token

    def sign_nonce(self, nonce: bytes) -> bytes:
        """The raw signature over the broker's nonce."""
        return self.credentials.sign(nonce)

    @property
    def version(self) -> Version:
        """The protocol of networks with tokens."""
        return Version.V2

    @property
    def sender(self) -> str:
        """The identity of the Choria client configuration."""
        return self._settings.identity

    @property
    def caller(self) -> str:
        """The caller id of the token: servers compare it with the token's own."""
        return self.credentials.caller

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """Signs a request with the seed of the token."""
        return self.credentials.sign


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
        self._client: Operator | None = None
        self._connection: Connection | None = None
        self._rpc: RpcClient | None = None
        self._opening = asyncio.Lock()
        self._said = ""

    @property
    def closed(self) -> str:
        """Why nobody can be asked here as it is configured, with the next step; empty if that is to be tried."""
        if self._settings.certificates:
            return _CERTIFICATES
        return "" if self._settings.token_file else _NOBODY

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
        connection, client, found = self._connection, self._client, set[str]()
        if connection is None or client is None:  # pragma: no cover - opened above
            raise AssertionError
        discovery = Discovery(
            connection,
            client,
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
        settings = self._settings
        if closed := self.closed:
            raise CallError(Certainty.NOT_SENT, Reason.FLEET_CLOSED, closed)
        try:
            found = fleet_credentials(Path(settings.token_file), Path(settings.seed_file), self._clock.wall())
        except CredentialError as error:
            raise CallError(Certainty.NOT_SENT, Reason.FLEET_CLOSED, str(error)) from None
        if self._client is not None and self._client.caller == found.caller:
            self._client.credentials = found
            return
        if self._client is not None:  # another operator: reply subjects are made of the caller id
            await self.close()
        self._client = Operator(found, settings)

    async def _begin(self) -> None:
        settings, client = self._settings, self._client
        if client is None:  # pragma: no cover - _renew has made it
            raise AssertionError
        self._connection = Connection(
            FLEET,
            settings.servers,
            client,
            settings.tls,
            name=f"{settings.name}-{FLEET}",
            discards=self._discards,
            report=self._hear,
            options=Options(connect_timeout=settings.connect_timeout),
        )
        self._rpc = RpcClient(
            self._connection,
            client,
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
