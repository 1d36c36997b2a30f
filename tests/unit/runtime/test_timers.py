"""Timers: due times that a jumping clock cannot lose, replaced ones, held ones."""

from __future__ import annotations

import asyncio

import pytest

from fsm.effects import Effect, Intent
from fsm.events import Certainty, DueKind, Verb
from fsm.machine import Decision
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.timers import MOST, PACE, Timers
from fsm.snapshot import Awaited
from fsm.states import State
from tests.fakes.clock import JumpingClock, Turns, pass_time, sent_over, settle
from tests.fakes.runtime import CONNECTION, NODE, Rig, failed, virtual

HOUR = 3600_000


class Bell:
    """Timers, and what they rang."""

    def __init__(self) -> None:
        self.clock = JumpingClock()
        self.rung: list[tuple[str, float]] = []
        self.begun = self.clock.monotonic()
        self.timers = Timers(asyncio.get_running_loop(), self.clock, self._ring)

    def _ring(self, node: str, awaited: Awaited) -> None:
        self.rung.append((node, round(self.clock.monotonic() - self.begun, 3)))

    def due(self, node: str, seconds: float, kind: DueKind = DueKind.STEP) -> Awaited:
        """Awaited in so many seconds from now by the wall clock."""
        awaited = Awaited(self.clock.now() + round(seconds * 1000), kind, round(seconds * 1000))
        self.timers.set(node, awaited)
        return awaited


@virtual
async def test_each_fires_at_its_time_and_once():
    bell = Bell()
    for node, seconds in (("c", 3), ("a", 1), ("b", 2), ("now", 0)):
        bell.due(node, seconds)
    assert len(bell.timers) == 4
    await pass_time(60)
    assert bell.rung == [("now", 0.0), ("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert len(bell.timers) == 0


@virtual
async def test_what_comes_due_shortly_after_a_call_surfaces_together():
    bell = Bell()
    for number in range(1, 5):
        bell.due(f"n{number}", 1 + number * PACE / 4)
    await pass_time(1 + 3 * PACE)
    first = round(1 + PACE / 4, 3)
    assert bell.rung == [("n1", first), *((f"n{number}", round(first + PACE, 3)) for number in (2, 3, 4))]


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
@virtual
async def test_a_clock_that_leaps_while_it_waits_loses_nothing(leap: int):
    bell = Bell()
    bell.due("a", 10)
    bell.clock.leap(leap)
    await pass_time(60)
    assert bell.rung == [("a", 10.0)]


@virtual
async def test_a_clock_that_went_back_before_it_was_set_is_clamped_by_the_span():
    bell = Bell()
    awaited = Awaited(bell.clock.now() + 10_000, DueKind.STEP, 10_000)
    bell.clock.leap(-HOUR)
    bell.timers.set("a", awaited)
    await pass_time(9.9)
    assert bell.rung == []
    await pass_time(1)
    assert bell.rung == [("a", 10.0)]


@virtual
async def test_a_clock_that_went_forward_makes_it_due():
    bell = Bell()
    awaited = Awaited(bell.clock.now() + 10_000, DueKind.STEP, 10_000)
    bell.clock.leap(HOUR)
    bell.timers.set("a", awaited)
    await settle()
    assert bell.rung == [("a", 0.0)]


@virtual
async def test_a_replaced_time_does_not_fire():
    bell = Bell()
    bell.due("a", 5)
    bell.due("a", 20)
    bell.due("b", 30)
    bell.due("b", 1)
    await pass_time(60)
    assert bell.rung == [("b", 1.0), ("a", 20.0)]


@virtual
async def test_a_time_that_is_taken_away_does_not_fire():
    bell = Bell()
    bell.due("a", 5)
    bell.timers.set("a", None)
    bell.timers.set("b", None)
    await pass_time(60)
    assert bell.rung == []


@virtual
async def test_setting_the_same_time_again_changes_nothing():
    bell = Bell()
    awaited = bell.due("a", 10)
    await pass_time(6)
    bell.timers.set("a", awaited)
    await pass_time(60)
    assert bell.rung == [("a", 10.0)]


@virtual
async def test_held_times_fire_when_released_and_not_before():
    bell = Bell()
    bell.due("a", 5)
    bell.timers.hold()
    bell.due("b", 6)
    await pass_time(100)
    assert bell.rung == []
    bell.due("late", 50)
    bell.timers.release()
    await pass_time(100)
    assert bell.rung == [("a", 100.0), ("b", 100.0), ("late", 150.0)]


@virtual
async def test_a_crowd_fires_a_bounded_piece_a_turn():
    loop, clock, rung = Turns(), JumpingClock(), []
    timers = Timers(loop, clock, lambda node, _: rung.append(node))
    for number in range(2 * MOST + 1):
        timers.set(str(number), Awaited(clock.now(), DueKind.STEP, 0))
    loop.ring()
    sizes = []
    while loop.next:
        loop.turn()
        sizes.append(len(rung))
    assert sizes == [MOST, 2 * MOST, 2 * MOST + 1]
    assert rung == [str(number) for number in range(2 * MOST + 1)]


@pytest.mark.parametrize("leap", [HOUR, -HOUR, 24 * HOUR, -24 * HOUR])
@virtual
async def test_a_fleet_does_not_notice_a_leap(rig: Rig, leap: int):
    rig.seen(NODE)
    await rig.until_state(State.RESTARTED)
    rig.clock.leap(leap)
    begun = rig.clock.monotonic()
    await rig.until_state(State.PROVISIONED)
    assert rig.clock.monotonic() - begun < 60


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
@virtual
async def test_quiet_is_waited_for_no_longer_than_a_request_lives(rig: Rig, leap: int):
    silent = [True]

    def once(intent: Intent) -> Outcome:
        if silent.pop() if silent else False:
            sent = sent_over(rig.clock, CONNECTION)
            return failed(intent, Certainty.UNKNOWN, Reason.NO_ANSWER, sent=sent)
        return rig.performer._well(intent)

    rig.performer.scripts[Effect.CONFIGURE] = once
    rig.seen(NODE)
    await rig.until(lambda: rig.snapshot().quiet is not None if rig.store.load(NODE) else False)
    assert isinstance(await rig.ask(NODE, Verb.REPROVISION), Decision)
    rig.clock.leap(leap)
    begun = rig.clock.monotonic()
    await rig.until_state(State.PROVISIONED)
    assert rig.clock.monotonic() - begun < 180


@pytest.mark.parametrize("leap", [0, -HOUR])
@virtual
async def test_a_hint_makes_us_look_whatever_the_clock_did(rig: Rig, leap: int):
    rig.seen(NODE)
    await rig.until_state(State.PROVISIONED)
    rig.seen(NODE)
    await rig.until(lambda: rig.rows()[-1] == "still-provisioned")
    rig.seen(NODE)
    await pass_time(1)
    assert rig.rows().count("seen-again") == 1
    rig.clock.leap(leap)
    await pass_time(60)
    rig.seen(NODE)
    await pass_time(1)
    assert rig.rows().count("seen-again") == 2
