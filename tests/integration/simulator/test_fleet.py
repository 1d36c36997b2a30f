"""A fleet over the real broker, asked by usher's own transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.reasons import Reason
from fsm.runtime.clock import SystemClock
from tests.fakes.link import Discarded, Heard, connection, running
from tests.fakes.provisioning import ask, asking, enrol, nobody
from tests.fakes.proxy import FaultProxy
from tests.fakes.simulated import SECRET, TOKEN
from tests.patience import PATIENCE
from transport.discovery import Discovery
from transport.wire.caller import Caller
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.fleet import Figures, Fleet, Plan
from usher.simulator.model import Setup
from usher.simulator.unkind import Fault, Rule, Unkindness
from usher.simulator.wire_client import Broker, LinkError, Login

pytestmark = pytest.mark.network

NAMES = [f"node-{number}.example.net" for number in range(1, 6)]
SETUP = Setup(token=TOKEN, secret=SECRET)


def plan(broker: EmbeddedBroker, url: str = "", **changes: Any) -> Plan:
    login = Login(TOKEN, "node", broker.passwords.node)
    return replace(Plan(Broker.parse(url or broker.url), login, SETUP, NAMES), **changes)


class Watched:
    """A fleet that runs, and can be waited for."""

    def __init__(self, plan_: Plan) -> None:
        self._news = asyncio.Event()
        self.fleet = Fleet(plan_, self._news.set)

    async def until(self, enough: Callable[[Figures], bool]) -> Figures:
        async with asyncio.timeout(PATIENCE):
            while not enough(self.fleet.figures()):
                self._news.clear()
                await self._news.wait()
        return self.fleet.figures()


@asynccontextmanager
async def playing(plan_: Plan) -> AsyncIterator[Watched]:
    watched = Watched(plan_)
    task = asyncio.create_task(watched.fleet.run())
    try:
        await watched.until(lambda figures: sum(figures.phases.values()) == figures.nodes)
        yield watched
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("connections", [2, 5])
async def test_it_is_discovered_and_answers(broker: EmbeddedBroker, caller: Caller, connections: int) -> None:
    fleet = plan(broker, connections=connections, setup=replace(SETUP, version=caller.version))
    async with playing(fleet) as watched, asking(broker, caller) as (rpc, link):
        assert watched.fleet.figures().connected == connections
        seen: list[str] = []
        discovery = Discovery(link, caller, SystemClock(), on_seen=seen.append, discards=Discarded())
        await discovery.start()
        assert (await discovery.run()).answers == len(NAMES)
        assert sorted(seen) == NAMES
        inventories = await asyncio.gather(*(ask(rpc, name, "inventory") for name in NAMES))
        assert all(one.data["collectives"] == ["provisioning"] for one in inventories)
        await nobody(rpc)


async def test_one_leaves_one_comes_back(broker: EmbeddedBroker) -> None:
    """Five nodes on two connections; the first is enrolled, the second gets a token for another key."""
    leaves, returns = NAMES[0], NAMES[1]
    heard: Heard[tuple[str, str]] = Heard()

    def on_event(subject: str, data: bytes, _status: int) -> None:
        heard((subject.removeprefix("choria.lifecycle.event."), orjson.loads(data)["subject"]))

    async with asking(broker) as (rpc, link):
        await link.subscribe("choria.lifecycle.event.>", on_event)
        await nobody(rpc)
        async with playing(plan(broker, connections=2, server_events=True)) as watched:
            await heard.until(lambda items: sum(kind.startswith("startup") for kind, _ in items) == len(NAMES))
            before = (await ask(rpc, returns, "daemon_stats")).data
            await asyncio.gather(enrol(rpc, leaves), enrol(rpc, returns, public_key="0" * 64))
            assert watched.fleet.figures().phases["restarting"] == 2
            await watched.until(lambda figures: figures.phases["provisioned"] == 1 and not figures.phases["restarting"])
            await nobody(rpc, leaves)
            after = (await ask(rpc, returns, "daemon_stats")).data
            assert after["pid"] == before["pid"]
            assert after["starttime"] > before["starttime"]
            await heard.until(lambda items: ("startup.server", leaves) in items)
            told = [kind for kind, name in heard.items if name == leaves and not kind.startswith("alive")]
            mode = "provision_mode_server"
            assert told == [f"startup.{mode}", f"provisioned.{mode}", f"shutdown.{mode}", "startup.server"]


async def test_unkindness(broker: EmbeddedBroker) -> None:
    rules = (
        Rule(Fault.REFUSE, 1.0, "jwt"),
        Rule(Fault.MUTE, 1.0, "gen25519"),
        Rule(Fault.LOSE, 1.0, "inventory"),
        Rule(Fault.DUPLICATE, 1.0, "ping"),
        Rule(Fault.DELAY, 1.0, "daemon_stats", 0.01, 0.01),
        Rule(Fault.LATE, 1.0, "reprovision", 0.01, 0.01),
    )
    async with (
        playing(plan(broker, unkindness=Unkindness(rules), names=NAMES[:1])) as watched,
        asking(broker) as (rpc, _),
    ):
        refused = await ask(rpc, NAMES[0], "jwt")
        assert (refused.code, refused.message) == (1, "The simulator refuses this")
        for action in ("gen25519", "inventory"):
            with pytest.raises(CallError) as caught:
                await ask(rpc, NAMES[0], action, within=0.05, **({"nonce": "n"} if action == "gen25519" else {}))
            assert (caught.value.certainty, caught.value.reason) == (Certainty.UNKNOWN, Reason.NO_ANSWER)
        assert watched.fleet.figures().phases["keyed"] == 1  # it was done, nobody was told
        for action in ("ping", "daemon_stats", "reprovision"):
            assert (await ask(rpc, NAMES[0], action)).message
        assert watched.fleet.figures().struck == 6


async def test_a_connection_that_ends_is_made_again_without_a_second_startup(broker: EmbeddedBroker) -> None:
    heard: Heard[str] = Heard()
    async with (
        FaultProxy("127.0.0.1", broker.port) as proxy,
        running(connection("events", broker.url, "provisioner", broker.passwords.provisioner)) as link,
    ):
        await link.subscribe("choria.lifecycle.event.startup.>", lambda subject, _data, _status: heard(subject))
        async with playing(plan(broker, proxy.url, connections=2)) as watched:
            await heard.until(lambda items: len(items) == len(NAMES))
            proxy.cut()
            await watched.until(lambda figures: figures.connected == 0)
            await watched.until(lambda figures: figures.connected == 2)
            async with asking(broker) as (rpc, _):
                assert (await ask(rpc, NAMES[0], "ping")).code == 0
            assert len(heard.items) == len(NAMES)


async def test_a_broker_that_refuses_is_an_error_at_the_start(broker: EmbeddedBroker) -> None:
    with pytest.raises(LinkError) as caught:
        await Fleet(plan(broker, login=Login(TOKEN, "node", "wrong"))).run()
    assert caught.value.why == "Authorization Violation"


async def test_a_burst_begins_when_all_connections_stand(broker: EmbeddedBroker) -> None:
    async with playing(plan(broker, together=True)) as watched:
        assert watched.fleet.figures().connected == len(NAMES)
