"""Fleets of both protocols over one broker, and x509 nodes that come up, or do not, by what they were given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.runtime.clock import SystemClock
from tests.fakes.authority import make_authority, pem
from tests.fakes.link import CALLERS, UNSECURED, Discarded, Heard, Known
from tests.fakes.provisioning import ask, asking
from tests.integration.simulator.test_fleet import NAMES, SETUP, plan, playing
from tests.unit.simulator.test_x509 import CONFIGURATION, certified
from transport.connection import Connection
from transport.discovery import Discovery
from transport.rpc import RpcClient
from transport.wire.versions import Version
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.kinds import made_keys
from usher.simulator.wire_client import Broker

pytestmark = pytest.mark.network
OLD = NAMES[:2]
X509 = replace(SETUP, version=Version.V1, keys=made_keys(2), lacks=frozenset({"gen25519"}))


@pytest.mark.parametrize("version", Version)
async def test_each_version_finds_its_own_nodes_and_the_others_are_silent(broker: EmbeddedBroker, version: Version):
    fleet = plan(broker, connections=1, setups=dict.fromkeys(OLD, X509))
    ours = [name for name in NAMES if (name in OLD) == (version is Version.V1)]
    async with playing(fleet), asking(broker, CALLERS[version]) as (rpc, link):
        seen: list[str] = []
        discovery = Discovery(link, CALLERS[version], SystemClock(), on_seen=seen.append, discards=Discarded())
        await discovery.start()
        await discovery.run()
        assert sorted(seen) == ours
        foreign = next(name for name in NAMES if name not in ours)
        with pytest.raises(CallError) as caught:
            await ask(rpc, foreign, "ping", within=0.2)
        assert caught.value.certainty is Certainty.UNKNOWN, "somebody is subscribed, and says nothing"
        assert (await ask(rpc, ours[0], "gen25519", nonce="n")).code == (2 if version is Version.V1 else 0)


async def test_a_certificate_for_its_key_brings_a_node_up_and_for_another_kills_it(broker: EmbeddedBroker):
    authority, good, bad = make_authority(), NAMES[0], NAMES[1]
    fleet = plan(broker, setup=X509)
    async with playing(fleet) as watched, asking(broker, CALLERS[Version.V1]) as (rpc, _):
        for name in (good, bad):
            first = (await ask(rpc, name, "gencsr", cn=name)).data
            if name == bad:
                await ask(rpc, name, "gencsr", cn=name)
            config = orjson.dumps({**CONFIGURATION, "identity": name}).decode()
            given = {"certificate": certified(first["csr"], authority), "ca": pem(authority.certificate)}
            assert (await ask(rpc, name, "configure", config=config, ssldir=first["ssldir"], **given)).code == 0
            assert (await ask(rpc, name, "restart", splay=1)).code == 0
        figures = await watched.until(lambda figures: figures.phases["provisioned"] + figures.phases["dead"] == 2)
        assert (figures.phases["provisioned"], figures.phases["dead"]) == (1, 1)
        for name in (good, bad):
            with pytest.raises(CallError) as caught:
                await ask(rpc, name, "ping")
            assert caught.value.certainty is Certainty.NOT_DELIVERED


@pytest.mark.usefixtures("broker")  # so that it is skipped where no broker is installed
async def test_over_a_plain_server_nodes_are_provisioned_unsecured(tmp_path: Path):
    async with EmbeddedBroker(tmp_path / "broker", None) as server:
        fleet = replace(plan(server, setup=X509), broker=Broker.parse(server.url, plain=True))
        link = Connection(
            "rpc", [server.url], Known("provisioner", server.passwords.provisioner), None, name="test",
            discards=Discarded(), report=Heard(),
        )  # fmt: skip
        rpc = RpcClient(link, UNSECURED, SystemClock(), discards=Discarded(), on_second_answer=Heard())
        async with playing(fleet):
            await rpc.start()
            await link.start()
            async with asyncio.timeout(20):
                await link.ready()
            assert (await ask(rpc, NAMES[0], "jwt")).data["jwt"] == X509.token
            assert (await ask(rpc, NAMES[0], "gencsr")).data["ssldir"] == "/etc/choria/ssl"
            rpc.close()
            await link.close()
