"""The election over a real broker: buckets that come and go, floods, lost answers, a broker that starts anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fsm.runtime.clock import SystemClock
from security.issuing import make_broker_certificate
from security.peers import PeerSeal
from tests.fakes.link import CALLER, Discarded, Heard, connection
from transport.discovery import Discovery
from transport.election import Election
from transport.lease import Lease, Role
from transport.reports import Report
from transport.subjects import HANDOVER
from transport.wire import v2
from transport.wire.mcorpc import PONG
from transport.wire.peers import Handover, Leads, encode_handover
from usher.simulator.broker import HOST, EmbeddedBroker
from usher.simulator.bucket import drop_bucket, key_of, make_bucket

pytestmark = pytest.mark.network
FLOOD = 50_000


@dataclass
class Stander:
    """One who stands for election, and all that happened to it."""

    election: Election
    leases: Heard[Lease]
    heard: Heard[Leads]

    async def becomes(self, role: Role) -> Lease:
        """Wait until it is that."""
        return (await self.leases.until(lambda found: bool(found) and found[-1].role is role))[-1]


@asynccontextmanager
async def standing(broker: EmbeddedBroker, name: str, last: int = 0) -> AsyncIterator[Stander]:
    """Stand for election there."""
    leases: Heard[Lease] = Heard()
    heard: Heard[Leads] = Heard()
    report: Heard[Report] = Heard()
    link = connection(f"lease {name}", broker.url, "provisioner", broker.passwords.provisioner, report=report)
    election = Election(
        link, "up=usher", name, SystemClock(), PeerSeal(lambda: broker.passwords.provisioner), discards=Discarded(),
        changed=lambda _before, after: leases(after), heard=heard,
    )  # fmt: skip
    await election.start(last)
    try:
        yield Stander(election, leases, heard)
    finally:
        await election.close()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A broker of the test's own, without a bucket."""
    async with EmbeddedBroker(tmp_path / "broker", make_broker_certificate([HOST])) as broker:
        yield broker


async def test_a_bucket_that_comes_late_is_waited_for_and_one_that_goes_is_missed(own: EmbeddedBroker):
    async with standing(own, "a") as a:
        lease = (await a.leases.until(lambda found: bool(found) and bool(found[-1].trouble)))[-1]
        assert lease.trouble == "nobody answers for the bucket CHORIA_LEADER_ELECTION" or "no bucket" in lease.trouble
        await make_bucket(own, 5.0)
        assert (await a.becomes(Role.LEADER)).trouble == ""
        assert (await key_of(own) or ("", 0))[0] == "a"
        await drop_bucket(own)
        lost = await a.becomes(Role.OPENING)
        assert "CHORIA_LEADER_ELECTION" in lost.trouble
        await make_bucket(own, 5.0)
        await a.becomes(Role.LEADER)


async def test_a_ttl_out_of_its_limits_is_said(own: EmbeddedBroker):
    await make_bucket(own, 7200.0)
    async with standing(own, "a") as a:
        lease = (await a.leases.until(lambda found: bool(found) and bool(found[-1].trouble)))[-1]
        assert lease.trouble == "the bucket's TTL is 7200 s, and must be at least 1 s and at most 3600 s"


async def test_a_clean_end_hands_over_and_who_was_first_knows_its_own_key_again(own: EmbeddedBroker):
    await make_bucket(own, 60.0)
    async with standing(own, "a") as a:
        await a.becomes(Role.LEADER)
        async with standing(own, "b") as b:
            await b.becomes(Role.CANDIDATE)
            await b.leases.until(lambda found: bool(found) and found[-1].sequence > 0)
            a.election.announce("sender", 1)
            said = (await b.heard.until(bool))[-1]
            assert (said.name, said.sender, said.since) == ("a", "sender", 1)
            sequence = await a.election.settle()
            assert await key_of(own) == ("a", sequence)
            a.election.hand_over(sequence, 0.0)
            await b.becomes(Role.LEADER)
            last = await b.election.settle()
            assert last > sequence
    async with standing(own, "b", last) as again:
        await again.becomes(Role.LEADER)
        assert (await key_of(own) or ("", 0))[1] > last


async def test_forged_hand_overs_change_nothing(own: EmbeddedBroker):
    await make_bucket(own, 60.0)
    async with standing(own, "a") as a, standing(own, "b") as b:
        leader = await first_of(a, b)
        forger = connection("forger", own.url, "provisioner", own.passwords.provisioner)
        await forger.start()
        await forger.ready()
        sequence = leader.election.lease.sequence
        guesses = [encode_handover(Handover("f" * 16, sequence + ahead, 0)) for ahead in range(20)]
        for data in (*guesses, b"{", b"", b'{"protocol":5}', b"x" * 100_000):
            forger.publish(HANDOVER, data)
        await leader.leases.until(lambda found: found[-1].sequence > sequence + 2)
        await forger.close()
        assert leader.election.lease.role is Role.LEADER
        node = connection("node", own.url, "node", own.passwords.node, report=(complaints := Heard()))
        await node.start()
        await node.ready()
        node.publish(HANDOVER, encode_handover(Handover("f" * 16, leader.election.lease.sequence, 0)))
        await complaints.until(lambda found: "Permissions Violation" in str(found))
        await node.close()


async def first_of(a: Stander, b: Stander) -> Stander:
    """Whoever leads."""
    waiting = {asyncio.create_task(each.becomes(Role.LEADER)): each for each in (a, b)}
    done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    return waiting[done.pop()]


async def test_the_lease_is_renewed_under_a_flood_of_discovery_replies(own: EmbeddedBroker):
    await make_bucket(own, 5.0)
    seen: list[str] = []
    events = connection("events", own.url, "provisioner", own.passwords.provisioner)
    discovery = Discovery(events, CALLER, SystemClock(), on_seen=seen.append, discards=Discarded())
    await discovery.start()
    await events.start()
    await events.ready()
    node = connection("node", own.url, "node", own.passwords.node)
    await node.start()
    await node.ready()
    async with standing(own, "a") as a:
        await a.becomes(Role.LEADER)
        before = len(a.leases.items)
        inbox = discovery._prefix
        for number in range(FLOOD):
            name = f"n{number}"
            reply = v2.encode_reply(PONG, request_id="r1", sender=name, agent="discovery", time_ns=1)
            node.publish(f"{inbox}r1", reply)
            if number % 500 == 499:
                await node.standing(0)
        while len(seen) < FLOOD:
            await events.standing(0)
        assert {lease.role for lease in a.leases.items[before:]} == {Role.LEADER}
        assert a.election.lease.leads(SystemClock().instant().boot)
    for link in (node, events):
        await link.close()


async def test_a_broker_that_starts_anew_costs_nobody_the_lead(own: EmbeddedBroker):
    await make_bucket(own, 30.0)
    async with standing(own, "a") as a:
        await a.becomes(Role.LEADER)
        before = len(a.leases.items)
        await own.astop()
        await a.leases.until(lambda found: bool(found) and bool(found[-1].trouble))
        await own.astart()
        sequence = a.election.lease.sequence
        await a.leases.until(lambda found: found[-1].sequence > sequence and not found[-1].trouble)
        assert {lease.role for lease in a.leases.items[before:]} == {Role.LEADER}
