"""Where the brokers are: configuration, DNS, the last resort; asked at each round, shared for a moment."""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import dataclass
from pathlib import Path

import dns.rcode
import pytest

from tests.fakes.client_file import GOOD, usable, without
from tests.fakes.dns_server import DnsServer, serving
from tests.fakes.link import QUICK, Discarded, Heard, Known, started
from tests.fakes.names import FixedNames
from transport.connection import Connection
from transport.credentials import tls_context
from transport.reports import Connected, Refused, Report
from transport.srv import SrvResolver
from usher.brokers import KEPT, Brokers, Found
from usher.config.client import ClientConfig, read_client
from usher.config.servers import FALLBACK, Server
from usher.simulator.broker import EmbeddedBroker

FIRST, SECOND = "_mcollective-server._tcp.example.net", "_x-puppet-mcollective._tcp.example.net"
PUPPET = ("nats://puppet:4222",)


@dataclass
class Hand:
    """A clock that is moved by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def client(where: Path, line: str = "plugin.choria.srv_domain = example.net") -> ClientConfig:
    path = where / "client.conf"
    path.write_text(f"{without('plugin.choria.middleware')}{line}\n")
    return usable(read_client(path, {}, where, FixedNames("host")))


def brokers(where: Path, server: DnsServer, clock: Hand | None = None, **more: str) -> Brokers:
    return Brokers(client(where, **more), SrvResolver(server.resolver), FixedNames("host"), clock or Hand())


async def test_the_first_service_that_has_records_counts(tmp_path: Path):
    records = {FIRST: ["10 0 4222 b.", "5 0 4333 a."], SECOND: ["0 0 1 c."]}
    async with serving(records=records) as server:
        found = await brokers(tmp_path, server).find()
    assert found == Found((Server("a", 4333), Server("b", 4222)), f"SRV {FIRST}")
    assert server.asked == [FIRST]


async def test_the_older_name_is_asked_next(tmp_path: Path):
    async with serving(records={SECOND: ["0 0 1 c."]}) as server:
        found = await brokers(tmp_path, server).find()
    assert (found.urls, found.source) == (("nats://c:1",), f"SRV {SECOND}")
    assert found.in_vain == (f"{FIRST}: DNS knows no such name",)
    assert found.sure


async def test_without_records_it_is_the_last_resort(tmp_path: Path):
    async with serving() as server:
        found = await brokers(tmp_path, server).find()
    assert (found.servers, found.sure) == ((FALLBACK,), False)
    assert [said.partition(":")[0] for said in found.in_vain] == [FIRST, SECOND]


async def test_a_domain_that_ends_with_a_dot_is_not_searched(tmp_path: Path):
    made = client(tmp_path, "plugin.choria.srv_domain = example.net.")
    async with serving() as server:
        await Brokers(made, SrvResolver(lambda: server.resolver("a.b")), FixedNames("host"), Hand()).find()
    assert server.asked == [FIRST, SECOND]


async def test_servers_that_are_written_and_lookups_that_are_off_ask_nobody(tmp_path: Path):
    async with serving() as server:
        path = tmp_path / "x.conf"
        path.write_text(GOOD)
        written = usable(read_client(path, {}, tmp_path, FixedNames("host")))
        found = await Brokers(written, SrvResolver(server.resolver), FixedNames("host"), Hand()).find()
        assert found.urls == ("nats://broker:4222",)
        assert (await brokers(tmp_path, server, line="plugin.choria.use_srv = 0").find()).urls == PUPPET
    assert server.asked == []


@pytest.mark.parametrize(("domain", "asked"), [("example.net", [FIRST, SECOND]), ("", []), ("a b", []), ("*", [])])
async def test_without_a_domain_facter_is_asked(tmp_path: Path, domain: str, asked: list[str]):
    names = FixedNames("host", domain=domain)
    async with serving() as server:
        made = Brokers(client(tmp_path, ""), SrvResolver(server.resolver), names, Hand())
        found = await made.find()
        await made.find()
    assert found.urls == PUPPET
    assert server.asked == asked * 2
    assert names.asked == ["networking.domain"] * (
        1 if domain == "example.net" else 2 if not domain else len(names.asked)
    )


async def test_an_answer_is_shared_for_a_moment_and_then_asked_anew(tmp_path: Path):
    clock = Hand()
    async with serving(records={FIRST: ["0 0 1 a."]}) as server:
        found = brokers(tmp_path, server, clock)
        assert await asyncio.gather(found(), found()) == [("nats://a:1",)] * 2
        assert server.asked == [FIRST]
        server.records[FIRST] = ["0 0 1 b."]
        assert await found() == ("nats://a:1",)
        clock.now += KEPT
        assert await found() == ("nats://b:1",)


async def test_while_dns_cannot_be_asked_what_it_said_last_counts(tmp_path: Path):
    clock = Hand()
    async with serving(records={FIRST: ["0 0 1 a."]}) as server:
        found = brokers(tmp_path, server, clock)
        await found()
        server.rcode = dns.rcode.SERVFAIL
        for _ in range(2):
            clock.now += KEPT
            assert await found() == ("nats://a:1",)
        server.rcode, server.records = dns.rcode.NOERROR, {}
        clock.now += KEPT
        assert await found() == PUPPET


async def test_what_changes_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "broker")
    clock = Hand()
    async with serving(records={FIRST: ["0 1 1 a.", "0 1 1 b."]}) as server:
        found = brokers(tmp_path, server, clock)
        for _ in range(8):
            await found()
            clock.now += KEPT
        server.records = {}
        await found()
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


@pytest.mark.network
async def test_a_record_that_is_changed_is_found_by_the_next_round_of_logins(tmp_path: Path, broker: EmbeddedBroker):
    report: Heard[Report] = Heard()
    passing = itertools.count(step=KEPT)
    async with serving(records={FIRST: ["0 0 1 localhost."]}) as server:
        made = Brokers(client(tmp_path), SrvResolver(server.resolver), FixedNames("host"), lambda: next(passing))
        link = Connection(
            "rpc", made, Known("provisioner", broker.passwords.provisioner), tls_context(), name="test",
            discards=Discarded(), report=report, options=QUICK,
        )  # fmt: skip
        async with started(link):
            assert (await report.kind(Refused, 2)).server == "nats://localhost:1"
            server.records[FIRST] = [f"0 0 {broker.port} localhost."]
            assert (await report.kind(Connected)).server == f"nats://localhost:{broker.port}"
