"""A start takes up what nodes wait for, and reads each again when something happens to it."""

from __future__ import annotations

from fsm.effects import Effect, Intent
from fsm.events import Certainty, Verb
from fsm.machine import Decision
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.runtime import Answer, Rig, failed, names, virtual

COUNT = 20


async def failing(rig: Rig) -> list[str]:
    """So many nodes that wait for their next generation."""

    def helper(intent: Intent) -> Answer:
        return failed(intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)

    nodes = names(COUNT)
    rig.performer.scripts[Effect.RUN_HELPER] = helper
    rig.seen(*nodes)
    await rig.until_all(State.FAILED, COUNT)
    await rig.end()
    return nodes


@virtual
async def test_those_that_wait_are_counted_and_not_held(rig: Rig):
    await failing(rig)
    again = Rig(rig.clock, rig.store)
    again.engine.start()
    assert again.engine.active == COUNT
    assert len(again.engine.timers) == COUNT
    assert again.engine._nodes == {}


@virtual
async def test_those_that_wait_go_on_when_their_time_has_come(rig: Rig):
    nodes = await failing(rig)
    again = Rig(rig.clock, rig.store)
    again.engine.start()
    await again.until_all(State.PROVISIONED, COUNT)
    assert again.engine.active == 0
    assert again.fatal == []
    assert {again.snapshot(node).generation for node in nodes} == {2}


@virtual
async def test_the_waiting_room_is_taken_up_in_its_order(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.seen(*names(COUNT))
    await rig.until_all(State.DISCOVERED, COUNT)
    await rig.end()
    again = Rig(rig.clock, rig.store)
    again.engine.hold(Reason.PAUSED)
    again.engine.start()
    assert (again.engine.active, again.engine.admission.waiting) == (COUNT, COUNT)
    again.engine.release(Reason.PAUSED)
    await again.until_all(State.PROVISIONED, COUNT)
    assert again.performer.named(Effect.FETCH_JWT) == names(COUNT)


@virtual
async def test_a_wish_finds_a_node_that_nothing_has_happened_to(rig: Rig):
    node, *_ = await failing(rig)
    again = Rig(rig.clock, rig.store)
    again.engine.start()
    assert not again.engine.resting(node)
    assert isinstance(await again.ask(node, Verb.FORGET), Decision)
    assert again.engine.active == COUNT - 1
    assert again.engine.resting(node)
