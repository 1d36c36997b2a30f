"""A cluster of embedded brokers on loopback: each knows of the others, and says so to who logs in."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from security.issuing import make_broker_certificate
from usher.simulator.broker import HOST, EmbeddedBroker, Passwords


class Member(EmbeddedBroker):
    """One broker of a cluster; `advertise` is where it tells others that clients find it."""

    def __init__(
        self, directory: Path, certificate: tuple[str, str], passwords: Passwords, route: int, routes: Sequence[int],
        advertise: str = "",
    ) -> None:  # fmt: skip
        super().__init__(directory, certificate, passwords=passwords)
        self._route, self._routes, self._advertise = route, routes, advertise

    def configuration(self) -> str:
        """A broker's, without streams (those of a cluster want a quorum), and with the cluster."""
        plain = re.sub(r"^jetstream.*\n|^ *jetstream: enabled\n", "", super().configuration(), flags=re.MULTILINE)
        plain = plain.replace("usher-embedded", f"member-{self._route}")
        advertised = f"client_advertise: {json.dumps(self._advertise)}\n" if self._advertise else ""
        routes = ", ".join(f'"nats://{HOST}:{port}"' for port in self._routes if port != self._route)
        cluster = f'cluster {{ name: usher, listen: "{HOST}:{self._route}", routes: [ {routes} ] }}\n'
        return f"{plain}{advertised}{cluster}lame_duck_grace_period: 2s\nlame_duck_duration: 30s\n"

    def duck(self) -> None:
        """Lame duck mode: no new logins, and everybody is told to go."""
        os.kill(self.pid, signal.SIGUSR2)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now."""
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind((HOST, 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@asynccontextmanager
async def cluster(directory: Path, size: int, advertise: str = "") -> AsyncIterator[list[Member]]:
    """A running cluster; the last member advertises another address, if one is given."""
    routes, passwords, certificate = free_ports(size), Passwords(), make_broker_certificate([HOST])
    async with AsyncExitStack() as stack:
        members = [
            Member(directory / str(port), certificate, passwords, port, routes, advertise if at == size - 1 else "")
            for at, port in enumerate(routes)
        ]
        for member in members:
            await stack.enter_async_context(member)
        yield members
