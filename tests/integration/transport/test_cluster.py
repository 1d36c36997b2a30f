"""Clusters of real brokers: what they name extends what is configured, and one that goes is left before it is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fsm.runtime.clock import SystemClock
from tests.fakes.cluster import Member, cluster
from tests.fakes.link import CALLER, QUICK, Discarded, Heard, Known, asking, connection, responder, running
from tests.patience import PATIENCE
from transport.connection import Connection
from transport.credentials import tls_context
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from transport.rounds import Rounds
from transport.rpc import RpcClient

pytestmark = pytest.mark.network
NODE = "n1.example.net"
UNREACHABLE = "127.0.0.1:1"


def link(members: list[Member], report: Heard[Report], *urls: str) -> Connection:
    """A connection of the provisioner that is configured with these servers."""
    password = members[0].passwords.provisioner
    return Connection(
        "rpc", urls, Known("provisioner", password), tls_context(), name="test", discards=Discarded(), report=report,
        options=QUICK,
    )  # fmt: skip


def learned(rounds: Rounds) -> set[str]:
    return {address.url for address in rounds._learned}


async def knows(each: Connection, url: str) -> None:
    """Wait until the broker has named a server; each pass is an answer of the broker."""
    async with asyncio.timeout(PATIENCE):
        while url not in learned(each._rounds):
            login = each._login
            assert login is not None
            await login.settle(20)


async def test_a_server_that_only_the_cluster_named_takes_over(tmp_path: Path):
    report: Heard[Report] = Heard()
    async with cluster(tmp_path, 2) as members:
        first, second = members
        async with running(link(members, report, first.url)) as rpc:
            await knows(rpc, second.url)
            await first.astop()
            assert (await report.kind(Connected, 2)).server == second.url


async def test_what_is_named_and_unreachable_never_replaces_what_is_configured(tmp_path: Path):
    report: Heard[Report] = Heard()
    async with cluster(tmp_path, 2, advertise=UNREACHABLE) as members:
        first = members[0]
        async with running(link(members, report, first.url)) as rpc:
            await knows(rpc, f"nats://{UNREACHABLE}")
            await first.astop()
            await report.until(
                lambda items: (
                    {item.server for item in items if isinstance(item, Refused)} == {first.url, f"nats://{UNREACHABLE}"}
                )
            )
            await first.astart()
            assert (await report.kind(Connected, 2)).server == first.url


async def test_a_lame_duck_is_left_before_it_goes_and_what_it_carried_still_arrives(tmp_path: Path):
    report: Heard[Report] = Heard()
    asked: Heard[object] = Heard()
    async with cluster(tmp_path, 3) as members:
        first, second, third = members
        node = connection("node", third.url, "node", members[0].passwords.node)
        await responder(node, NODE, asked)
        rpc = link(members, report, first.url, second.url)
        client = RpcClient(rpc, CALLER, SystemClock(), discards=Discarded(), on_second_answer=Heard())
        await client.start()
        async with running(node), running(rpc):
            await reachable(client, asked)
            waiting = asyncio.ensure_future(client.call(asking(NODE)))
            held = (await asked.until(bool))[-1]
            before = rpc.connection
            first.duck()
            moved = await report.kind(Connected, 2)
            assert moved.server == second.url
            assert report.items[1] == Complaint("rpc", before, first.url, "the broker is about to go")
            held.answer({"pong": 1})  # type: ignore[attr-defined]
            reply = await waiting
            assert reply.data == {"pong": 1}
            assert reply.sent.connection == before
            assert [type(item) for item in report.items] == [Connected, Complaint, Connected]


async def reachable(client: RpcClient, asked: Heard[object]) -> None:
    """Wait until the routes of the cluster carry requests to the node; until then nobody is there."""
    async with asyncio.timeout(PATIENCE):
        while not asked.items:
            call = asyncio.ensure_future(client.call(asking(NODE)))
            heard = asyncio.ensure_future(asked.until(bool))
            await asyncio.wait({call, heard}, return_when=asyncio.FIRST_COMPLETED)
            for each in (call, heard):
                each.cancel()
            await asyncio.gather(call, heard, return_exceptions=True)
    asked.items.clear()


async def test_a_single_broker_that_goes_is_used_until_it_is_gone(tmp_path: Path):
    report: Heard[Report] = Heard()
    async with cluster(tmp_path, 1) as members:
        only = members[0]
        async with running(link(members, report, only.url)) as rpc:
            before = rpc.connection
            only.duck()
            said = await report.kind(Complaint, 3)
            assert said.reason == f"the broker is about to go, and {only.url} is no way out: nobody listens there"
            assert rpc.connection == before
            rpc.publish("provisioning.node.n1", b"still")
            await only.astop()
            await report.kind(Disconnected)
            await only.astart()
            assert (await report.kind(Connected, 2)).server == only.url
