"""Decisions on a real engine in virtual time: written first, then carried out, and the later one stands."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fsm.errors import StoreError
from fsm.events import Operator, Verb
from fsm.machine import Rejected
from fsm.reasons import Reason
from fsm.states import State
from store.views import FleetView
from tests.fakes.clock import JumpingClock, settle
from tests.fakes.cluster_talk import Usher, Wire, decision
from tests.fakes.runtime import Rig, virtual
from transport.wire.decisions import Kind
from usher.cluster.kept import read, shared_as, who
from usher.cluster.register import MOST

WISH = Operator(Verb.QUARANTINE, "anna", "wrong rack")


async def started(name: str = "a") -> Usher:
    """One usher, alone so far."""
    usher = Usher(name, Rig(JumpingClock()), Wire())
    usher.rig.engine.start()
    await usher.start()
    return usher


def views(usher: Usher) -> list[FleetView]:
    """What it wrote, as a reader gives it."""
    return [
        FleetView(position, 1, entry.at, entry.kind, entry.name, entry.reason, entry.payload)
        for position, entry in enumerate(usher.entries, 1)
    ]


@virtual
async def test_a_pause_is_written_and_then_so():
    usher = await started()
    done = usher.council.fleet(Kind.PAUSE, "anna", "a new helper")
    assert usher.paused is None
    await done
    assert usher.paused is not None
    assert (usher.paused.name, usher.paused.reason) == ("anna", "a new helper")
    await usher.council.fleet(Kind.RESUME, "anna", "it works")
    assert usher.paused is None
    assert [entry.kind for entry in usher.entries] == ["pause", "resume"]
    usher.stop()


@virtual
async def test_ours_is_answered_by_the_row_and_written_even_if_nothing_changed():
    usher = await started()
    answer = await usher.council.node(Kind.QUARANTINE, "n1", WISH)
    assert not isinstance(answer, Rejected)
    assert answer.row.name == "quarantine"
    again = await usher.council.node(Kind.QUARANTINE, "n1", WISH)
    assert isinstance(again, Rejected)
    assert [json.loads(entry.payload)["node"] for entry in usher.entries] == ["n1", "n1"]
    usher.stop()


@virtual
async def test_a_peers_quarantine_holds_a_node_that_nobody_knows_here_in_his_name():
    usher = await started("b")
    assert usher.council.hear([decision(by="anna", reason="wrong rack")]) == 0
    await settle(200)
    assert usher.rig.state("n1") is State.FAILED
    (entry,) = usher.entries
    assert (entry.kind, entry.name, entry.reason) == ("quarantine", "anna at a", "wrong rack")
    usher.council.hear([decision(by="anna", reason="wrong rack")])
    await settle(200)
    assert len(usher.entries) == 1
    usher.stop()


@virtual
async def test_a_peers_release_lets_go_what_an_operator_held_and_nothing_else():
    usher = await started("b")
    usher.council.hear([decision("n1")])
    await settle(200)
    held = usher.rig.store.load("n1")
    assert held is not None
    assert held.held
    usher.council.hear([decision("n1", 6, Kind.RELEASE)])
    await settle(200)
    assert usher.rig.state("n1") is not State.FAILED
    other = replace(held, node="n2", reason=Reason.DUPLICATE_IDENTITY)
    usher.load = lambda _: other  # type: ignore[method-assign]
    usher.council.hear([decision("n2", 6, Kind.RELEASE)])
    await settle(200)
    assert usher.rig.store.load("n2") is None
    assert len(usher.entries) == 3
    usher.stop()


@virtual
async def test_names_that_are_denied_here_or_by_a_peer_are_refused_until_they_are_allowed():
    usher = await started("b")
    await usher.council.names(Kind.DENY, "/^ci-/", "bert", "too many")
    usher.council.hear([decision("/^lab-/", 6, Kind.DENY, by="anna", reason="a lab")])
    await settle(200)
    assert [(each.pattern, each.by) for each in usher.denied] == [("/^ci-/", "bert"), ("/^lab-/", "anna at a")]
    assert [entry.kind for entry in usher.entries] == ["deny", "deny"]
    usher.council.hear([decision("/^lab-/", 5, Kind.ALLOW)])
    await usher.council.names(Kind.ALLOW, "/^ci-/", "bert", "enough room")
    await settle(200)
    assert [each.pattern for each in usher.denied] == ["/^lab-/"]
    kept = [each for each, _ in read(views(usher), "b", usher.lineage)]
    assert [(each.kind, each.node) for each in kept] == [
        (Kind.DENY, "/^ci-/"), (Kind.DENY, "/^lab-/"), (Kind.ALLOW, "/^ci-/"),
    ]  # fmt: skip
    assert usher.rig.store.load("/^ci-/") is None
    usher.stop()


@virtual
async def test_an_older_decision_that_comes_late_does_nothing():
    usher = await started("b")
    usher.council.hear([decision("", 9, Kind.RESUME)])
    await settle(100)
    usher.council.hear([decision("", 8, Kind.PAUSE)])
    await settle(100)
    assert usher.paused is None
    assert [entry.kind for entry in usher.entries] == ["resume"]
    usher.stop()


@virtual
async def test_what_was_cut_short_between_writing_and_doing_is_done_at_the_next_start():
    first = await started("b")
    await first.council.node(Kind.QUARANTINE, "n1", WISH)
    kept = list(read(views(first), "b", first.lineage))
    assert [each.by for each, _ in kept] == ["anna"]
    first.stop()
    second = Usher("b", Rig(JumpingClock()), Wire())  # a store that never heard of n1
    second.rig.engine.start()
    await second.start(kept)
    await settle(200)
    assert second.rig.state("n1") is State.FAILED
    assert second.entries == []
    second.stop()


@virtual
async def test_ours_is_later_than_what_we_know_whatever_the_clock_says():
    usher = await started("b")
    usher.council.hear([decision("", 2**52, Kind.PAUSE)])
    await settle(100)
    await usher.council.fleet(Kind.RESUME, "anna", "it works")
    held = usher.council.register.of("")
    assert held is not None
    assert (held.kind, held.stamp) == (Kind.RESUME, 2**52 + 1)
    usher.stop()


@virtual
async def test_to_forget_a_node_that_an_operator_held_lets_it_go_for_all():
    usher = await started()
    assert shared_as(usher.council.register, "n1", Verb.FORGET) is None
    await usher.council.node(Kind.QUARANTINE, "n1", WISH)
    assert shared_as(usher.council.register, "n1", Verb.FORGET) is Kind.RELEASE
    assert shared_as(usher.council.register, "n1", Verb.RETRY) is None
    usher.stop()


@virtual
async def test_what_finds_no_room_is_written_and_done_here_and_a_pause_always_has_room():
    usher = await started()
    for number in range(MOST):
        assert usher.council.register.take(decision(f"n{number}"))
    assert not usher.council.register.news(decision("one-more"))
    answer = await usher.council.node(Kind.QUARANTINE, "one-more", WISH)
    assert not isinstance(answer, Rejected)
    assert usher.council.register.of("one-more") is None
    await usher.council.fleet(Kind.PAUSE, "anna", "why")
    assert usher.council.register.of("") is not None
    assert [entry.kind for entry in usher.entries] == ["quarantine", "pause"]
    usher.stop()


@virtual
async def test_who_waits_at_the_end_is_told():
    usher = await started()
    usher.stop()
    with pytest.raises(StoreError):
        await usher.council.fleet(Kind.PAUSE, "anna", "too late")
    assert isinstance(await usher.council.node(Kind.QUARANTINE, "n1", WISH), Rejected)
    assert usher.council.hear([decision()]) == 1


def test_an_entry_without_a_stamp_is_our_own_and_what_is_no_decision_is_left_out():
    pause = FleetView(1, 1, 77, "pause", "anna", "why", b"{}")
    alone = FleetView(2, 1, 78, "quarantine", "anna", "why", b'{"node": "n1"}')
    bad = FleetView(3, 1, 79, "quarantine", "anna", "why", b'{"node": "../n1"}')
    none = FleetView(4, 1, 80, "pause", "anna", "why", b"[")
    found = [each for each, _ in read([pause, alone, bad, none], "a", "a" * 16)]
    assert [(each.node, each.stamp, each.origin) for each in found] == [("", 77, "a"), ("n1", 78, "a"), ("", 80, "a")]
    assert who(found[0], "a" * 16) == "anna"
    assert who(found[0], "b" * 16) == "anna at a"
