"""Pressure: names and due times become turns only while there is room, and nothing that waits is forgotten."""

from __future__ import annotations

import asyncio

from fsm.effects import Effect, Intent, Port
from fsm.events import DueKind, Hint, HintKind
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.hints import Hints
from fsm.runtime.pressure import DUES, LEAST, NAMES, Pressure
from fsm.runtime.pump import Pump
from fsm.runtime.timers import Timers
from fsm.snapshot import Awaited
from fsm.states import State
from tests.fakes.clock import JumpingClock, Turns, pass_time, settle
from tests.fakes.runtime import Rig, names, virtual


@virtual
async def test_a_pump_without_room_does_nothing_until_it_is_fed():
    loop, done, room = Turns(), [], [0]

    def work(most: int) -> bool:
        done.append(most)
        room[0] -= most
        return len(done) < 3

    pump = Pump(loop, work, 100, lambda: room[0])
    pump.prime()
    loop.turn()
    assert (done, loop.next) == ([], [])
    pump.feed()
    loop.turn()
    assert done == []
    room[0] = 130
    pump.feed()
    pump.feed()
    loop.turn()
    assert done == [100]
    loop.turn()
    assert done == [100, 30]
    loop.turn()
    pump.shut()
    room[0] = 100
    pump.feed()
    assert loop.next == []
    pump.open()
    loop.turn()
    assert done == [100, 30, 100]
    assert loop.next == []


@virtual
async def test_names_and_due_times_wait_for_room():
    loop, clock, room = Turns(), JumpingClock(), [0]
    taken: list[str] = []
    hints = Hints(loop, lambda node, _: taken.append(node), room=lambda: room[0])
    timers = Timers(loop, clock, lambda node, _: taken.append(node), room=lambda: room[0])
    hints.add("hint", HintKind.LISTED)
    timers.set("due", Awaited(clock.now(), DueKind.STEP, 0))
    loop.ring()
    loop.turn()
    assert (taken, len(hints), len(timers)) == ([], 1, 1)
    room[0] = 1
    hints.feed()
    timers.feed()
    loop.turn()
    assert sorted(taken) == ["due", "hint"]


@virtual
async def test_names_have_less_room_than_due_times_and_replies_need_none(rig: Rig):
    engine = rig.engine
    pressure = Pressure(engine._mail, engine.admission, engine.executor)
    assert (pressure.names(), pressure.dues()) == (NAMES, DUES)
    rig.store.hold()
    for node in names(NAMES - LEAST + 1):
        engine.post(node, Hint(HintKind.LISTED))
    assert pressure.names() == 0
    assert pressure.dues() == DUES - (NAMES - LEAST + 1)
    engine.post("a-reply-comes-in", Hint(HintKind.LISTED))
    assert len(engine._mail) == NAMES - LEAST + 2


@virtual
async def test_a_full_waiting_room_takes_no_more_names_while_paused(rig: Rig):
    engine = rig.engine
    engine.hints = Hints(
        asyncio.get_running_loop(),
        engine.post,
        room=Pressure(engine._mail, engine.admission, engine.executor, 200).names,
    )
    engine.hold(Reason.PAUSED)
    rig.seen(*names(1000))
    await pass_time(3600)
    waiting = engine.admission.waiting
    assert 150 <= waiting <= 200
    assert (len(engine.hints), len(rig.store.bodies), engine.active) == (1000 - waiting, waiting, waiting)
    engine.release(Reason.PAUSED)
    await rig.until_all(State.PROVISIONED, 1000)
    assert len(engine.hints) == 0


@virtual
async def test_while_a_port_has_too_much_to_do_names_wait_and_then_come():
    rig = Rig(JumpingClock(), limits={Port.RPC: 2})
    gate = asyncio.Event()

    async def slowly(intent: Intent) -> Outcome:
        await gate.wait()
        return rig.performer._well(intent)

    rig.performer.scripts[Effect.FETCH_JWT] = slowly
    rig.seen(*names(60))
    await settle()
    assert rig.engine.executor.congested()
    rig.seen(*names(60, "late"))
    await pass_time(60.0)
    assert len(rig.engine.hints) == 60
    gate.set()
    await rig.until_all(State.PROVISIONED, 120)
