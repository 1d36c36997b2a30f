"""Admission: who comes first, and how many are in flight."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fsm.effects import Effect, Intent
from fsm.events import Certainty, DueKind, Verb
from fsm.reasons import Reason
from fsm.runtime.admission import MOST, NARROWEST, TICK, WIDEST, Admission, Rank, in_flight, rank
from fsm.snapshot import Awaited, Snapshot, unseen
from fsm.states import State
from tests.fakes.clock import Turns, pass_time
from tests.fakes.runtime import NODE, Answer, Rig, failed, names, virtual


class Door:
    """An admission, whom it admits, and a port that is congested at will."""

    def __init__(self) -> None:
        self.admitted: list[str] = []
        self.congested = False
        self.admission = Admission(asyncio.get_running_loop(), self.admitted.append, lambda: self.congested)

    def wait(self, node: str, since: int = 0, **what: object) -> Snapshot:
        """A node joins the room."""
        snapshot = replace(unseen(node), state=State.DISCOVERED, since=since, **what)  # type: ignore[arg-type]
        self.admission.note(snapshot)
        return snapshot

    def land(self, node: str) -> None:
        """A node is put off."""
        awaited = Awaited(1, DueKind.RETRY, 1)
        self.admission.note(replace(unseen(node), state=State.FAILED, awaited=awaited))


def flying(node: str) -> Snapshot:
    awaited = Awaited(1, DueKind.STEP, 1)
    return replace(unseen(node), state=State.ENROLLED, awaited=awaited)


@virtual
async def test_known_then_strangers_then_failing_and_the_oldest_first():
    door = Door()
    door.admission.hold()
    door.wait("failing-old", 1, failures=2, answered=True)
    door.wait("stranger", 9)
    door.wait("known-young", 8, answered=True)
    door.wait("known-old", 7, answered=True)
    door.wait("absent", 2, absences=1, answered=True)
    door.wait("returned", 3, returns=1, answered=True)
    door.wait("stranger-old", 4)
    assert (door.admitted, door.admission.waiting, door.admission.oldest()) == ([], 7, 1)
    door.admission.release()
    assert door.admitted == [
        "known-old", "known-young", "stranger-old", "stranger", "failing-old", "absent", "returned",
    ]  # fmt: skip
    assert (door.admission.waiting, door.admission.oldest()) == (0, None)


def test_ranks():
    assert rank(unseen(NODE)) is Rank.STRANGER
    assert rank(replace(unseen(NODE), answered=True)) is Rank.KNOWN
    assert rank(replace(unseen(NODE), answered=True, failures=1)) is Rank.FAILING


def test_in_flight_is_from_admission_to_the_restart():
    awaited = Awaited(1, DueKind.RETRY, 1)
    assert in_flight(flying(NODE))
    assert not in_flight(replace(flying(NODE), state=State.RESTARTED))
    assert not in_flight(replace(unseen(NODE), state=State.DISCOVERED))
    assert not in_flight(replace(unseen(NODE), state=State.DISCOVERED, awaited=awaited))
    assert not in_flight(replace(flying(NODE), state=State.FAILED))


@virtual
async def test_no_more_than_the_window_until_it_has_grown():
    door = Door()
    for node in names(NARROWEST + 10):
        door.wait(node)
    assert len(door.admitted) == NARROWEST
    assert door.admission.waiting == 10
    await pass_time(TICK * 1.5)
    assert door.admission.window == NARROWEST * 5 // 4 + 1
    assert len(door.admitted) == NARROWEST + 10


@virtual
async def test_the_window_grows_to_its_widest_and_no_further():
    door = Door()
    for node in names(2 * WIDEST):
        door.wait(node)
    await pass_time(TICK * 60)
    assert door.admission.window == WIDEST
    assert len(door.admitted) == WIDEST
    door.land(door.admitted[0])
    assert len(door.admitted) == WIDEST + 1


@virtual
async def test_the_window_shrinks_while_a_port_is_congested_and_not_below_its_narrowest():
    door = Door()
    for node in names(2 * WIDEST):
        door.wait(node)
    await pass_time(TICK * 10.5)
    wide = door.admission.window
    door.congested = True
    admitted = len(door.admitted)
    await pass_time(TICK * 1.1)
    assert door.admission.window == wide * 9 // 10
    assert len(door.admitted) == admitted
    await pass_time(TICK * 100)
    assert door.admission.window == NARROWEST
    assert len(door.admitted) == admitted


@virtual
async def test_whoever_leaves_the_room_is_not_admitted():
    door = Door()
    door.admission.hold()
    door.wait("a")
    door.wait("b")
    door.admission.note(unseen("a"))
    door.admission.release()
    assert door.admitted == ["b"]


@virtual
async def test_an_admission_that_was_rejected_frees_its_place():
    door = Door()
    for node in names(NARROWEST):
        door.wait(node)
    door.wait("next")
    assert "next" not in door.admitted
    door.admission.note(unseen(door.admitted[0]))
    assert door.admitted[-1] == "next"


@virtual
async def test_a_node_that_is_still_in_the_room_is_admitted_again():
    door = Door()
    waiting = door.wait("a")
    assert door.admitted == ["a"]
    door.admission.note(waiting)
    assert door.admitted == ["a", "a"]


@virtual
async def test_a_node_forgotten_in_the_moment_of_its_admission_keeps_no_place(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.seen(NODE)
    await rig.until_state(State.DISCOVERED)
    rig.store.hold()
    forgetting = asyncio.ensure_future(rig.ask(NODE, Verb.FORGET))
    await asyncio.sleep(0)
    rig.engine.release(Reason.PAUSED)
    rig.store.release()
    await forgetting
    await rig.until(lambda: bool(rig.watcher.rejections))
    assert rig.engine.admission.flying == 0
    assert rig.state() is State.UNSEEN
    others = names(NARROWEST)
    rig.seen(*others)
    await rig.until(lambda: rig.engine.admission.flying == NARROWEST)


@virtual
async def test_silent_nodes_do_not_starve_the_others(rig: Rig):
    async def silence(intent: Intent) -> Answer:
        if intent.id.node.startswith("silent"):
            await pass_time(22)
            return failed(intent, Certainty.UNKNOWN, Reason.NO_ANSWER)
        return rig.performer._well(intent)

    rig.performer.scripts[Effect.FETCH_JWT] = silence
    silent, good = names(500, "silent"), names(50)
    rig.seen(*silent)
    await rig.until(lambda: len(rig.store.bodies) == 500)
    rig.seen(*good)
    begun = rig.clock.monotonic()
    await rig.until_all(State.PROVISIONED, 50)
    assert rig.clock.monotonic() - begun < 30
    assert rig.states()[State.PROVISIONED] == 50


@pytest.mark.parametrize("reason", [Reason.PAUSED, Reason.DISCONNECTED])
@virtual
async def test_nobody_is_admitted_while_held(rig: Rig, reason: Reason):
    rig.engine.hold(reason)
    rig.seen(*names(20))
    await pass_time(600)
    assert rig.states() == {State.DISCOVERED: 20}
    assert rig.engine.admission.waiting == 20
    rig.engine.release(reason)
    await rig.until_all(State.PROVISIONED, 20)


@virtual
async def test_a_window_that_is_empty_at_once_is_filled_a_bounded_piece_a_turn():
    loop, admitted = Turns(), []
    admission = Admission(loop, admitted.append, lambda: False)
    admission._window = WIDEST
    admission.hold()
    for node in names(2 * MOST + 1):
        admission.note(Snapshot(node, State.DISCOVERED, generation=1))
    admission.release()
    sizes = [len(admitted)]
    while loop.next:
        loop.turn()
        sizes.append(len(admitted))
    assert sizes == [MOST, 2 * MOST, 2 * MOST + 1]
    assert admitted == names(2 * MOST + 1)


@pytest.mark.parametrize("pace", [1, 7, 60, 1200])
@virtual
async def test_no_more_are_admitted_in_a_minute_than_the_pace(pace: int):
    door, at = Door(), []
    loop = asyncio.get_running_loop()
    door.admission = Admission(loop, lambda _: at.append(loop.time()), lambda: False)
    door.admission.follow(lambda _: False, pace)
    for node in names(4 * pace):
        door.wait(node)
    while len(at) < 3 * pace:
        await pass_time(1)
        for node in names(4 * pace)[: len(at)]:
            door.land(node)
    assert all(at[later] - at[later - pace] > 59.9 for later in range(pace, len(at)))
    assert at[3 * pace - 1] - at[0] < 185


@virtual
async def test_a_room_that_was_empty_for_long_has_saved_nothing_up():
    door = Door()
    door.admission.follow(lambda _: False, 6)
    await pass_time(3600)
    for node in names(5):
        door.wait(node)
    assert len(door.admitted) == 1
    await pass_time(10.1)
    assert len(door.admitted) == 2


@virtual
async def test_a_pace_that_is_taken_away_admits_at_once():
    door = Door()
    door.admission.follow(lambda _: False, 1)
    for node in names(5):
        door.wait(node)
    assert len(door.admitted) == 1
    door.admission.follow(lambda _: False, 0)
    assert len(door.admitted) == 5


@virtual
async def test_who_is_refused_waits_until_it_is_not():
    door = Door()
    door.admission.follow(lambda node: node.startswith("ci"), 0)
    door.wait("ci1")
    door.wait("web1")
    assert door.admitted == ["web1"]
    assert (door.admission.waiting, door.admission.refused) == (0, 1)
    door.admission.follow(lambda _: False, 0)
    assert door.admitted == ["web1", "ci1"]
    assert door.admission.refused == 0


@virtual
async def test_who_is_refused_later_leaves_the_queue_and_who_has_left_the_room_is_forgotten():
    door = Door()
    door.admission.hold()
    for node in ("a", "b", "c"):
        door.wait(node)
    door.admission.follow(lambda node: node in "ab", 0)
    door.admission.note(unseen("a"))
    door.admission.release()
    assert door.admitted == ["c"]
    assert door.admission.refused == 1
    door.admission.follow(lambda _: False, 0)
    assert door.admitted == ["c", "b"]


@virtual
async def test_a_pace_that_is_said_again_and_again_gives_nothing_away():
    door = Door()
    for node in names(20):
        door.admission.follow(lambda _: False, 6)
        door.wait(node)
        await pass_time(1)
    assert len(door.admitted) <= 3
    await pass_time(60)
    assert len(door.admitted) > 3
