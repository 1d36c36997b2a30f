"""The talk of several ushers in virtual time: they learn, they catch up, and nobody else is believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fsm.states import State
from security.peers import LARGEST, PeerSeal
from tests.fakes.clock import JumpingClock, pass_time, settle
from tests.fakes.cluster_talk import PASSWORD, Usher, Wire, decision
from tests.fakes.runtime import Rig, virtual
from transport.wire.decisions import Kind, View, encode_decisions, encode_view
from usher.cluster.peers import PEERS, WINDOW
from usher.cluster.telling import lines

SEAL = PeerSeal(lambda: PASSWORD)


@asynccontextmanager
async def ushers(*names: str, away: tuple[str, ...] = (), **passwords: str) -> AsyncIterator[list[Usher]]:
    """So many at one wire; those that are away do not hear and are not heard yet."""
    wire, clock = Wire(away=set(away)), JumpingClock()
    made = [Usher(name, Rig(clock), wire, password=passwords.get(name, PASSWORD)) for name in names]
    for usher in made:
        usher.rig.engine.start()
        await usher.start()
    await pass_time(1)
    yield made
    for usher in made:
        usher.stop()
        assert not usher.broken


def view(hearer: Usher, **changes: Any) -> View:
    """One of c, who was never there."""
    said = View("c" * 16, "1" * 16, "c", "site", leads=False, at=hearer.rig.clock.now(), marks={})
    return replace(said, **changes)


@virtual
async def test_what_is_decided_at_one_is_so_at_the_others_and_that_is_seen():
    async with ushers("a", "b") as (a, b):
        await a.council.fleet(Kind.PAUSE, "anna", "a new helper")
        await pass_time(2)
        assert b.paused is not None
        assert (b.paused.name, b.paused.reason) == ("anna at a", "a new helper")
        assert (a.peers.unseen, b.peers.unseen) == ((0,), (0,))
        await b.council.fleet(Kind.RESUME, "bert", "it works")
        await pass_time(2)
        assert a.paused is None
        assert a.entries[-1].name == "bert at b"


@virtual
async def test_a_peer_that_is_somebody_else_to_the_nodes_is_told_so():
    async with ushers("a", "b", "c") as (a, b, _):
        b.peers._leading.sender = "other"
        await pass_time(20)
        found = {line.split()[1]: line for line in lines(a.peers.document(), a.rig.clock.now())}
        assert found["b"].endswith("; it is other to the nodes, this usher site: set the same sender_identity")
        assert "sender_identity" not in found["c"]


@virtual
async def test_who_was_away_learns_it_when_he_is_back_and_until_then_it_is_said():
    async with ushers("a", "b", "c") as (a, b, c):
        a.wire.away.add("c")
        await a.council.fleet(Kind.PAUSE, "anna", "why")
        await pass_time(20)
        told = "\n".join(lines(a.peers.document(), a.rig.clock.now()))
        assert "b stands by" in told
        assert "has seen every decision" in told
        assert "c is silent: it stood by when it was heard" in told
        assert "not yet seen by it: pause by anna" in told
        a.wire.ushers.pop("a")  # who heard it first is gone for good
        a.wire.away.clear()
        await pass_time(10)
        assert c.paused is not None
        assert c.paused.name == "anna at a"
        assert b.peers.unseen[-1] == 0


@virtual
async def test_both_sides_of_a_partition_come_to_the_same():
    async with ushers("a", "b", away=("b",)) as (a, b):
        for number in range(1200):
            a.council.hear([decision(f"n{number:04d}", origin="a")])
            b.council.hear([decision(f"m{number:04d}", origin="b")])
        await pass_time(5)
        a.wire.away.clear()
        await pass_time(60)
        assert a.council.register.marks == b.council.register.marks
        assert len(a.council.register) == 2400
        assert b.rig.state("n0007") is State.FAILED


@virtual
async def test_what_is_not_sealed_with_our_key_is_counted_and_nothing_else():
    async with ushers("a", "b", b="another") as (a, b):
        await b.council.fleet(Kind.PAUSE, "mallory", "why")
        await pass_time(10)
        assert a.paused is None
        assert a.discarded.counts["foreign_peer"] == a.peers.refused > 0
        assert a.peers.document()["peers"] == []
        assert "another seal" in next(lines(a.peers.document(), 0))
        (body,) = encode_decisions([decision("", 5, Kind.PAUSE)])
        sealed = SEAL.seal(body)
        turned = sealed.replace(b'"pause"', b'"resum"')
        for data in (b"", body, sealed[:-1], turned, sealed[:64], b"0" * 64 + body, bytes(LARGEST + 1)):
            a.peers.hear("", data, 0)
        await settle(100)
        assert len(a.council.register) == 0


@virtual
async def test_what_is_sealed_and_no_message_is_thrown_away():
    async with ushers("a") as (a,):
        for body in (b"x", b"{}", b'{"protocol":"io.choria.usher.v2.view"}', b"[" * 5000):
            a.peers.hear("", SEAL.seal(body), 0)
        assert a.discarded.counts["bad_peer"] == 4


@virtual
async def test_a_view_that_is_replayed_or_far_from_our_time_is_not_believed():
    async with ushers("a") as (a,):
        first = SEAL.seal(encode_view(view(a)))
        a.peers.hear("", first, 0)
        heard = a.peers.heard
        await pass_time(100)
        a.peers.hear("", first, 0)
        assert (a.peers.heard, a.discarded.counts["replayed_peer"]) == (heard, 1)
        a.peers.hear("", SEAL.seal(encode_view(view(a, usher="2" * 16))), 0)
        assert a.peers.heard != heard
        a.peers.hear("", SEAL.seal(encode_view(view(a, usher="1" * 16))), 0)
        assert a.discarded.counts["replayed_peer"] == 2
        for at in (a.rig.clock.now() - WINDOW - 1, a.rig.clock.now() + WINDOW + 1):
            a.peers.hear("", SEAL.seal(encode_view(view(a, lineage="d" * 16, at=at))), 0)
        assert a.discarded.counts["stale_peer"] == 2
        assert len(a.peers.heard) == 1


@virtual
async def test_decisions_that_are_replayed_change_nothing():
    async with ushers("a", "b") as (a, b):
        await a.council.fleet(Kind.PAUSE, "anna", "why")
        await pass_time(2)
        said = list(a.wire.said)
        await b.council.fleet(Kind.RESUME, "bert", "why")
        await pass_time(2)
        written = len(a.entries), len(b.entries)
        for data in said:
            a.peers.hear("", data, 0)
            b.peers.hear("", data, 0)
        await pass_time(20)
        assert (a.paused, b.paused) == (None, None)
        assert (len(a.entries), len(b.entries)) == written


@virtual
async def test_peers_without_number_take_no_memory_without_end():
    async with ushers("a") as (a,):
        for number in range(3 * PEERS):
            a.peers.hear("", SEAL.seal(encode_view(view(a, lineage=f"{number:016x}"))), 0)
        assert len(a.peers.heard) == PEERS


@virtual
async def test_without_a_password_nothing_is_told_and_that_is_said():
    async with ushers("a", "b", a="", b="") as (a, b):
        await a.council.fleet(Kind.PAUSE, "anna", "why")
        await pass_time(20)
        assert a.wire.said == []
        assert (a.paused is not None, b.paused) == (True, None)
        assert "set broker_provisioning_password" in next(lines(a.peers.document(), 0))
