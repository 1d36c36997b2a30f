"""A new epoch of a process that goes on: nothing of the old one is sent, and no node is left behind."""

from __future__ import annotations

from fsm.effects import Port
from fsm.events import Operator, Verb
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import pass_time, settle
from tests.fakes.runtime import NODE, Rig, names, virtual

TAKEOVER = Operator(Verb.TAKEOVER, "a", "elected with sequence 7, another may have led before")


async def lead(rig: Rig, takeover: Operator | None) -> None:
    """Win the election, a while after the last lead was lost."""
    await settle(3)
    rig.store.epoch += 1
    await rig.engine.lead(rig.store.epoch, takeover)
    rig.engine.release(Reason.STANDBY)


@virtual
async def test_who_stands_by_takes_in_nobody_and_whoever_wins_does(rig: Rig):
    rig.engine.hold(Reason.STANDBY)
    rig.engine.start()
    rig.seen(NODE)
    await pass_time(3600)
    assert rig.rows() == []
    await lead(rig, TAKEOVER)
    await rig.until_state(State.PROVISIONED)


@virtual
async def test_what_was_under_way_is_interrupted_and_begins_anew_under_the_new_epoch(rig: Rig):
    rig.engine.start()
    rig.seen(*names(20))
    await rig.until(lambda: len(rig.performer.calls) > 30)
    rig.engine.hold(Reason.STANDBY)
    before = len(rig.performer.calls)
    await lead(rig, TAKEOVER)
    await rig.until_all(State.PROVISIONED, 20)
    assert {intent.id.epoch for intent in rig.performer.calls[before:]} == {rig.store.epoch}
    assert not rig.fatal
    assert any("taken-over" in rig.rows(node) for node in names(20))


@virtual
async def test_who_wins_again_and_nobody_led_meanwhile_goes_on_where_it_was(rig: Rig):
    rig.engine.start()
    rig.seen(*names(20))
    await rig.until(lambda: len(rig.performer.calls) > 30)
    rig.engine.hold(Reason.STANDBY)
    await lead(rig, None)
    await rig.until_all(State.PROVISIONED, 20)
    assert not any("taken-over" in rig.rows(node) for node in names(20))
    assert {rig.snapshot(node).generation for node in names(20)} == {1}


@virtual
async def test_places_of_what_was_given_up_are_free_again(rig: Rig):
    rig.engine.start()
    rig.seen(*names(20))
    for _ in range(5):
        await settle(20)
        rig.engine.hold(Reason.STANDBY)
        await lead(rig, TAKEOVER)
    await rig.until_all(State.PROVISIONED, 20)
    await settle()
    assert [rig.engine.executor.running(port) for port in rig.engine.executor._running] == [0] * len(Port)
