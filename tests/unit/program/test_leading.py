"""Leading: what winning, losing and ending do, in which order, on a real engine in virtual time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from fsm.errors import CallError
from fsm.ports import Reply, Request
from fsm.reasons import Reason
from fsm.states import State
from store.entries import FleetEntry
from tests.fakes.clock import pass_time, settle
from tests.fakes.runtime import NODE, Rig, names, virtual
from transport.election import Election
from transport.fence import Gate
from transport.lease import Lease, Role
from transport.tracked import Tracked
from transport.wire.peers import Leads
from usher.leading import Leadership
from usher.standing import lines, stance, trouble
from usher.terms import ELECTED, FELL, HANDED_OVER, NEVER, Led, said


@dataclass
class FakeElection:
    """The part of transport.election.Election that is told what to do."""

    told: list[str] = field(default_factory=list)
    sequence: int = 0
    campaigns: Any = None

    async def start(self, last: int = 0) -> None:
        self.told.append(f"start {last}")

    async def settle(self) -> int:
        self.told.append("settle")
        return self.sequence

    def hand_over(self, sequence: int, wait: float) -> None:
        self.told.append(f"hand over {sequence} {wait:g}")

    def announce(self, sender: str, since: int) -> None:
        self.told.append(f"announce {sender}")


@dataclass
class Kept:
    """A journal of the fleet that can be slow."""

    rig: Rig
    told: list[str]
    entries: list[FleetEntry] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def _epoch(self) -> int:
        await self.gate.wait()
        self.rig.store.epoch += 1
        return self.rig.store.epoch

    def begin_epoch(self) -> asyncio.Future[int]:
        return asyncio.ensure_future(self._epoch())

    def fleet(self, entry: FleetEntry) -> asyncio.Future[None]:
        self.entries.append(entry)
        self.told.append(entry.kind)
        return asyncio.ensure_future(settle(1))


class Silent:
    """fsm.ports.Rpc that never answers."""

    async def call(self, request: Request) -> Reply:
        return await asyncio.get_running_loop().create_future()


class Bench:
    """One usher that takes part, and everything that it was told to do."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.election = rig, FakeElection()
        self.journal = Kept(rig, self.election.told)
        self.journal.gate.set()
        self.gate = Gate(rig.clock)
        self.tracked = Tracked(Silent(), rig.clock.monotonic)
        self.working: list[bool] = []
        self.epochs: list[int] = []
        rig.engine.hold(Reason.STANDBY)
        rig.engine.start()
        self.leading = Leadership(
            "u1", "sender", rig.clock, rig.engine, self.journal, self.gate, self.tracked,
            take_back=lambda: self.election.told.append("take back"),
            working=lambda: self.working.append(Reason.STANDBY not in rig.engine.holds),
            epoch=self.epochs.append,
            fatal=rig.fatal.append,
        )  # fmt: skip

    async def start(self, last: Led = NEVER) -> None:
        await self.leading.start(cast("Election", self.election), last)

    def become(self, role: Role, **changes: Any) -> Lease:
        """The election says so."""
        before = self.gate.lease
        at = self.rig.clock.instant()
        confirmed = at if role in {Role.ELECTED, Role.LEADER} else None
        after = replace(before, role=role, ttl=60.0, confirmed=confirmed, works=at.boot + 0.2, **changes)
        self.leading.changed(before, after)
        return after

    async def win(self, sequence: int = 7) -> None:
        """Win, and wait until that counts."""
        self.become(Role.ELECTED, sequence=sequence)
        self.become(Role.LEADER, sequence=sequence + 1)
        await pass_time(0.5)

    def may_send(self) -> bool:
        try:
            self.gate.permit(30)
        except CallError:
            return False
        return True


@virtual
async def test_a_win_counts_once_its_epoch_is_durable_and_the_sequence_is_beside_it(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    bench.journal.gate.clear()
    await bench.win()
    assert (rig.engine.holds, bench.may_send(), bench.working) == ({Reason.STANDBY}, False, [])
    bench.journal.gate.set()
    await pass_time(0.1)
    assert (rig.engine.holds, bench.may_send(), bench.working) == (frozenset(), True, [True])
    assert bench.epochs == [rig.store.epoch]
    (entry,) = bench.journal.entries
    assert (entry.kind, entry.name, json.loads(entry.payload)) == (ELECTED, "u1", {"sequence": 7})
    assert bench.election.told[-1] == "announce sender"


@virtual
async def test_what_is_lost_before_it_counts_never_counts(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    bench.journal.gate.clear()
    await bench.win()
    bench.become(Role.CANDIDATE, trouble="the key's last sequence is 9, not ours")
    bench.journal.gate.set()
    await pass_time(60)
    assert (rig.engine.holds, bench.may_send(), bench.epochs) == ({Reason.STANDBY}, False, [])


@virtual
async def test_losing_takes_effect_at_once_and_is_written_down(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    await bench.win()
    bench.become(Role.CANDIDATE, trouble="no answer")
    assert (rig.engine.holds, bench.may_send(), bench.working[-1]) == ({Reason.STANDBY}, False, False)
    assert "take back" in bench.election.told
    await settle()
    assert [(entry.kind, entry.reason) for entry in bench.journal.entries][-1] == (FELL, "no answer")
    assert json.loads(bench.journal.entries[-1].payload) == {"sequence": 8}


@virtual
async def test_nodes_begin_anew_if_another_may_have_led_and_go_on_if_not(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    await bench.win()
    rig.seen(*names(5))
    await rig.until(lambda: len(rig.performer.calls) > 8)
    bench.become(Role.CANDIDATE, trouble="no answer")
    await pass_time(1)
    await bench.win(sequence=9)
    assert "another may have led" not in bench.journal.entries[-1].reason
    assert not any("taken-over" in rig.rows(node) for node in names(5))
    rig.seen("late.example.net")
    await rig.until(lambda: len(rig.rows("late.example.net")) > 2)
    bench.become(Role.CANDIDATE, trouble="no answer")
    await pass_time(1)
    await bench.win(sequence=40)
    assert "another may have led" in bench.journal.entries[-1].reason
    assert not rig.fatal
    await rig.until_all(State.PROVISIONED, 6)


@virtual
async def test_the_end_is_written_down_before_it_is_said(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    await bench.win()
    bench.election.sequence = 31
    bench.election.told.clear()
    await bench.leading.stop()
    assert [each for each in bench.election.told if "announce" not in each] == [
        "take back", "settle", HANDED_OVER, "hand over 31 0",
    ]  # fmt: skip
    assert not bench.may_send()


@virtual
async def test_what_may_be_alive_is_said_with_it(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    await bench.win()
    bench.election.sequence = 31
    call = asyncio.create_task(bench.tracked.call(Request(NODE, "a", "configure", {}, 30, 22.0, changes=True)))
    await settle(2)
    await bench.leading.stop()
    assert bench.election.told[-1] == "hand over 31 29"
    call.cancel()


@virtual
async def test_a_key_that_is_not_known_to_be_ours_is_not_handed_over(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    await bench.win()
    await bench.leading.stop()
    assert not [each for each in bench.election.told if each.startswith("hand over")]


@pytest.mark.parametrize(("last", "told"), [(NEVER, 0), (Led(31, True), 31), (Led(31, False), 0)])
def test_only_who_handed_over_takes_its_own_key_up(last: Led, told: int):
    @virtual
    async def scene(rig: Rig) -> None:
        bench = Bench(rig)
        await bench.start(last)
        assert bench.election.told == [f"start {told}"]

    scene()


@virtual
async def test_a_standby_says_who_leads_and_is_well(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    bench.become(Role.CANDIDATE, sequence=3)
    at = rig.clock.now()
    assert said(bench.leading.document(), at).startswith("u1 stands by, and no usher says that it leads")
    bench.leading.heard_of(Leads("ab" * 8, "u2", "sender", at - 60_000, 12))
    await pass_time(5)
    document = bench.leading.document()
    assert (document["leader"], document["sequence"], document["known"]) == ("u2", 12, at)
    status = status_of(document, {"standby": "x"})
    assert (trouble(status), stance(status)) == ("", "stands by")
    shown = "\n".join(lines(status, rig.clock.now()))
    assert "election   u1 stands by: u2 leads, elected 1m 5s ago; sequence 12, known 5s ago" in shown


@virtual
async def test_an_election_without_a_bucket_is_trouble(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    bench.become(Role.OPENING, trouble="there is no bucket")
    status = status_of(bench.leading.document(), {"standby": "x"})
    assert trouble(status) == "there is no election: there is no bucket"
    assert bench.leading.trouble == "there is no bucket"


@virtual
async def test_a_paused_leader_says_that_it_renews(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    await bench.win()
    status = status_of(bench.leading.document(), {"paused": "x"})
    status["paused"] = {"since": 1, "by": "anna", "reason": "a test"}
    assert trouble(status) == "paused by anna: a test"
    assert "paused, it renews its lease all the same" in "\n".join(lines(status, rig.clock.now()))


def status_of(election: dict[str, Any], holds: dict[str, str]) -> dict[str, Any]:
    """As much of a status as its words need."""
    return {
        "version": "1", "pid": 1, "epoch": 1, "connections": {}, "paused": None, "states": {}, "waiting_room": 0,
        "oldest_waiting": None, "in_flight": None, "reasons": {}, "bugs": 0, "holds": holds, "election": election,
    }  # fmt: skip
