"""The embedded broker of an x509 network: who logs in as `provisioner` shows a certificate of its authority.

A Choria broker verifies client certificates where they are shown and demands one of `provisioner` alone
(wire/protocol.md §6.3, §6.6); a nats-server demands one of everybody or of nobody. So these are two of them, joined in
the accounts `provisioning` and `choria`: servers log in at the one, the provisioner and operators at the other.

Rules:
1. At `url` nobody gets through the handshake without a certificate of the authority, and who names no user is in the
   fleet's account; at `node_url` nobody is asked for one, and there is no user `provisioner`.
2. It is ready when the two are joined: a message, and that nobody is there, passes at once.
3. They start and end together.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Self

from security.ca import SmallCa
from usher.simulator.broker import ACCOUNTS, HOST, EmbeddedBroker, Passwords, quoted
from usher.simulator.material import YEAR

_CA: Final = "clients.pem"


class _Front(EmbeddedBroker):
    """The server that demands certificates: it holds no streams, and no accounts but those it joins."""

    ready_line = b"Leafnode connection created"
    ready_lines = len(ACCOUNTS)

    def __init__(
        self, behind: EmbeddedBroker, directory: Path, certificate: tuple[str, str], clients: str, port: int
    ) -> None:
        """Hold whom to join, and the authority of the clients (PEM)."""
        super().__init__(directory, certificate, port=port, passwords=behind.passwords)
        self._behind, self._clients = behind, clients

    def configuration(self) -> str:
        """Its configuration: behind TLS that verifies, `provisioner` by its password, and who names no user."""
        at = f"{HOST}:{self._behind.leaf_port}"
        remotes = ", ".join(
            f"{{ url: {quoted(f'nats-leaf://{account}:{self.passwords.leaf}@{at}')}, account: {account} }}"
            for account in ACCOUNTS
        )
        demands = f", ca_file: {quoted(self.directory / _CA)}, verify: true"
        return f"""\
listen: "{HOST}:{self.port or -1}"
server_name: usher-embedded-front
{self.tls_line(demands)}authorization {{ timeout: 10 }}
no_auth_user: fleet
leafnodes {{ remotes: [ {remotes} ] }}
accounts {{
  provisioning {{ users: [ {{ user: provisioner, password: {quoted(self.passwords.provisioner)} }} ] }}
  choria {{ users: [ {{ user: fleet, password: {quoted(self.passwords.fleet)} }} ] }}
}}
"""

    def files(self) -> dict[str, str]:
        """The authority of the clients too."""
        return super().files() | {_CA: self._clients}


class X509Broker:
    """Both servers, in a directory: `url` is for who has a certificate, `node_url` for nodes; `passwords` of both."""

    def __init__(self, directory: Path, authority: SmallCa, now: int, *, port: int = 0, node_port: int = 0) -> None:
        """Hold what they will be; nothing is written or started yet. `now` (Unix seconds) dates their certificate."""
        self.authority = authority
        certificate = authority.issue("localhost", now, YEAR, hosts=[HOST])
        self.behind = EmbeddedBroker(directory / "nodes", certificate, port=node_port, leaves=True)
        self.front = _Front(self.behind, directory / "front", certificate, authority.certificate, port)

    @property
    def url(self) -> str:
        """Where `provisioner` logs in, and who shows an operator's certificate."""
        return self.front.url

    @property
    def node_url(self) -> str:
        """Where nodes log in, and servers once they are provisioned."""
        return self.behind.url

    @property
    def passwords(self) -> Passwords:
        """Of both."""
        return self.behind.passwords

    def start(self) -> None:
        """Start both and wait until they are joined; blocks. Raises BrokerMissingError or BrokerFailedError."""
        self.behind.start()
        try:
            self.front.start()
        except BaseException:
            self.behind.stop()
            raise

    def stop(self) -> None:
        """Stop both; blocks."""
        self.front.stop()
        self.behind.stop()

    async def __aenter__(self) -> Self:
        """Start, without blocking the loop."""
        await self.behind.astart()
        try:
            await self.front.astart()
        except BaseException:
            await self.behind.astop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.front.astop()
        await self.behind.astop()
