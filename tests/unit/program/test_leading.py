"""Leading: what winning, losing and ending do, in which order, on a real engine in virtual time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fsm.ports import Request
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import pass_time, settle
from tests.fakes.leading import Bench
from tests.fakes.runtime import NODE, Rig, names, virtual
from transport.lease import Role
from transport.wire.peers import Leads
from usher.standing import lines, stance, trouble
from usher.terms import ELECTED, FELL, HANDED_OVER, NEVER, Led, said


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
async def test_a_term_that_did_not_begin_leaves_the_next_one_to_take_the_nodes_over(rig: Rig):
    bench = Bench(rig)
    await bench.start(Led(3, handed_over=False))
    for role in (Role.ELECTED, Role.CANDIDATE):
        bench.become(role, sequence=20)
    bench.journal.gate.clear()
    await bench.win(sequence=21)
    bench.become(Role.CANDIDATE, trouble="no answer")
    bench.journal.gate.set()
    await bench.win(sequence=23)
    assert bench.journal.entries[-1].reason == "elected with sequence 23, another may have led before"


@virtual
async def test_campaigns_are_counted_over_all_terms(rig: Rig):
    bench = Bench(rig)
    await bench.start()
    for _ in range(2):
        bench.election.campaigns(bench.gate.lease)
        await bench.win()
        bench.election.campaigns(bench.gate.lease)
        bench.become(Role.CANDIDATE, trouble="no answer")
    standing = bench.leading.standing()
    assert (standing.campaigns, standing.ours, standing.rest) == ({"candidate": 2, "leader": 2}, False, 0.0)


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


def test_what_was_heard_longer_ago_than_a_lease_is_not_said_to_be_so():
    election = {"name": "u1", "role": "candidate", "ttl": 10.0, "since": 1_000, "sequence": 12, "trouble": ""}
    heard = said(election | {"leader": "u2", "known": 100_000}, 111_000)
    assert heard == (
        "u1 stands by, and who leads is not known for longer than a lease: u2 did when it was last heard; "
        "sequence 12, known 11s ago"
    )
    assert "nothing has answered since" in said(election | {"leader": None, "known": 100_000}, 111_000)
    assert "the older program may" in said(election | {"leader": None, "known": 100_000}, 109_000)


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
