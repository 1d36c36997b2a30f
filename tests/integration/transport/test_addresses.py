"""Addresses in their rarer forms: IPv6, and a cluster's bare addresses behind a certificate for a name."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from security.issuing import make_broker_certificate
from tests.fakes.cluster import Member, free_ports
from tests.fakes.link import QUICK, Discarded, Heard, Known, connection, running
from transport.connection import Connection
from transport.credentials import tls_context
from transport.news import Place
from transport.reports import Connected, Report
from transport.rounds import Address
from usher.simulator.broker import HOST, EmbeddedBroker, Passwords

pytestmark = pytest.mark.network


class Six(EmbeddedBroker):
    """A broker that listens on the IPv6 loopback."""

    def configuration(self) -> str:
        return super().configuration().replace(f'listen: "{HOST}:', 'listen: "[::1]:')


async def test_an_ipv6_address(tmp_path: Path):
    with open("/proc/net/if_inet6", encoding="ascii") as addresses:  # noqa: PTH123, ASYNC230 a file of the kernel
        if "00000000000000000000000000000001" not in addresses.read():
            pytest.skip("this machine has no IPv6 loopback")
    report: Heard[Report] = Heard()
    async with Six(tmp_path, make_broker_certificate(["::1"])) as broker:
        url = f"[::1]:{broker.port}"
        async with running(connection("rpc", url, "provisioner", broker.passwords.provisioner, report=report)) as link:
            assert report.items == [Connected("rpc", link.connection, f"nats://{url}")]


async def test_a_bare_address_of_a_cluster_shows_the_certificate_of_the_name(tmp_path: Path):
    report: Heard[Report] = Heard()
    certificate, passwords, routes = make_broker_certificate(["localhost"]), Passwords(), free_ports(2)
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(Member(tmp_path / str(port), certificate, passwords, port, routes))
            for port in routes
        ]
        link = Connection(
            "rpc", [f"localhost:{first.port}"], Known("provisioner", passwords.provisioner),
            tls_context(first.certificate), name="test", discards=Discarded(), report=report, options=QUICK,
        )  # fmt: skip
        async with running(link):
            link._rounds.learn([Place(HOST, second.port)], Address(f"nats://localhost:{first.port}"))
            await first.astop()
            assert (await report.kind(Connected, 2)).server == second.url
