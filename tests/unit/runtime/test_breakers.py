"""Breakers at work: an outage costs no node a try, who waits costs nothing, and nobody stampedes afterwards."""

from __future__ import annotations

import pytest

from fsm.breaker import ENOUGH, LONGEST, Position
from fsm.effects import Effect, Intent, Port
from fsm.events import Certainty, DueKind, Verb
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.admission import NARROWEST
from fsm.snapshot import Awaited, Snapshot
from fsm.states import State
from tests.fakes.clock import JumpingClock, pass_time
from tests.fakes.runtime import Rig, done, failed, names, virtual

HOUR = 3600.0


class Outage:
    """A helper that is away until it is back, and afterwards takes its time."""

    def __init__(self, rig: Rig, reason: Reason = Reason.HELPER_NOT_RUNNABLE, takes: float = 0.0) -> None:
        self.over, self._reason, self._takes, self._rig = False, reason, takes, rig
        rig.performer.scripts[Effect.RUN_HELPER] = self

    async def __call__(self, intent: Intent) -> Outcome:
        if self.over:
            await pass_time(self._takes)
            return done(intent)
        if self._reason is Reason.HELPER_TIMEOUT:
            await pass_time(10)
        return failed(intent, Certainty.REFUSED, self._reason, transient=False)


def position(rig: Rig, port: Port = Port.HELPER) -> Position:
    return rig.engine.breakers.all[port].position


@pytest.mark.parametrize("reason", [Reason.HELPER_NOT_RUNNABLE, Reason.HELPER_TIMEOUT])
@virtual
async def test_an_outage_of_the_helper_costs_only_those_that_open_the_breaker(rig: Rig, reason: Reason):
    outage = Outage(rig, reason)
    rig.seen(*names(50))
    await pass_time(600)
    assert position(rig) is not Position.CLOSED
    lost = sum(rig.snapshot(node).failures for node in names(50))
    assert lost < ENOUGH
    outage.over = True
    await rig.until_all(State.PROVISIONED, 50)
    assert position(rig) is Position.CLOSED
    assert rig.engine.breakers.waiting(Port.HELPER) == 0


@virtual
async def test_who_waits_makes_no_transitions(rig: Rig):
    Outage(rig)
    rig.seen(*names(200))
    await pass_time(60)
    moved, tried = len(rig.watcher.moves), len(rig.performer.named(Effect.RUN_HELPER))
    await pass_time(600)
    probes = len(rig.performer.named(Effect.RUN_HELPER)) - tried
    assert probes <= 600 / LONGEST + 2
    assert len(rig.watcher.moves) - moved <= 4 * probes
    assert rig.engine.breakers.waiting(Port.HELPER) > NARROWEST / 2


@virtual
async def test_while_it_is_open_no_more_are_admitted_than_the_narrowest_window(rig: Rig):
    Outage(rig)
    rig.seen(*names(1000))
    await pass_time(HOUR / 6)
    assert rig.engine.admission.flying <= NARROWEST
    assert rig.states()[State.DISCOVERED] > 1000 - 2 * NARROWEST


@virtual
async def test_afterwards_the_oldest_goes_first_and_only_as_places_are_free():
    rig = Rig(JumpingClock(), limits={Port.HELPER: 2})
    outage = Outage(rig, takes=1.0)
    for node in names(40):
        rig.seen(node)
        await pass_time(0.5)
    await rig.until(lambda: rig.engine.breakers.waiting(Port.HELPER) >= 30)
    waiting = sorted(rig.watcher.states)
    outage.over = True
    before = len(rig.performer.calls)
    await rig.until_all(State.PROVISIONED, 40)
    assert rig.performer.most[Port.HELPER] <= 2
    order = [call.id.node for call in rig.performer.calls[before:] if call.effect is Effect.RUN_HELPER]
    never_failed = [node for node in order if "failed" not in rig.rows(node) and node in waiting]
    places = {node: place for place, node in enumerate(never_failed)}
    early, late = never_failed[: len(places) // 3], never_failed[-len(places) // 3 :]
    assert sorted(early) < sorted(late)


@virtual
async def test_a_node_on_which_the_helper_hangs_does_not_keep_the_breaker_open(rig: Rig):
    outage = Outage(rig, Reason.HELPER_TIMEOUT)
    rig.seen(*names(30))
    await rig.until(lambda: position(rig) is Position.OPEN)

    async def but_one(intent: Intent) -> Outcome:
        if intent.id.node == names(30)[7]:
            await pass_time(10)
            return failed(intent, Certainty.REFUSED, Reason.HELPER_TIMEOUT, transient=False)
        return done(intent)

    rig.performer.scripts[Effect.RUN_HELPER] = but_one
    await rig.until_all(State.PROVISIONED, 29, within=HOUR)
    assert outage.over is False


@virtual
async def test_an_exit_status_of_every_node_opens_nothing_and_fails_each(rig: Rig):
    rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: failed(
        intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False
    )
    rig.seen(*names(20))
    await pass_time(30)
    assert position(rig) is Position.CLOSED
    assert all(rig.snapshot(node).failures for node in names(20))


@virtual
async def test_a_signer_that_is_away_is_waited_for(rig: Rig):
    rig.performer.scripts[Effect.SIGN_TOKEN] = lambda intent: failed(
        intent, *(Certainty.REFUSED, Reason.SIGNER_UNUSABLE)
    )
    rig.seen(*names(20))
    await pass_time(HOUR / 6)
    assert position(rig, Port.SIGNER) is not Position.CLOSED
    assert position(rig) is Position.CLOSED
    assert sum(rig.snapshot(node).failures for node in names(20)) == 0
    del rig.performer.scripts[Effect.SIGN_TOKEN]
    await rig.until_all(State.PROVISIONED, 20)


@virtual
async def test_facts_that_grew_old_while_it_was_open_begin_anew_without_a_try(rig: Rig):
    outage = Outage(rig)
    rig.seen(*names(20))
    await pass_time(2 * HOUR)
    outage.over = True
    await rig.until_all(State.PROVISIONED, 20, within=HOUR / 2)
    assert {node for node in names(20) if "step-too-late" in rig.rows(node)}


@virtual
async def test_the_way_to_the_broker_is_its_breaker(rig: Rig):
    changes = []
    rig.engine.breakers.on_change = changes.append
    rig.engine.hold(Reason.DISCONNECTED)
    rig.engine.hold(Reason.DISCONNECTED)
    assert position(rig, Port.RPC) is Position.OPEN
    rig.seen(*names(5))
    await pass_time(60)
    rig.engine.release(Reason.DISCONNECTED)
    assert position(rig, Port.RPC) is Position.CLOSED
    await rig.until_all(State.PROVISIONED, 5)
    assert [change.position for change in changes] == [Position.OPEN, Position.CLOSED]


@pytest.mark.parametrize(("state", "waits"), [(State.RESTARTED, True), (State.PROVISIONED, False)])
@virtual
async def test_a_look_in_the_fleet_waits_for_no_broker_of_provisioning(rig: Rig, state: State, waits: bool):
    rig.engine.breakers.lost(Port.RPC)
    awaited = Awaited(rig.clock.now(), DueKind.LOOK, 0)
    assert rig.engine.breakers.parks(Snapshot("n1.example.net", state=state, awaited=awaited), awaited) is waits


@virtual
async def test_nobody_passes_while_paused(rig: Rig):
    outage = Outage(rig)
    rig.seen(*names(20))
    await rig.until(lambda: rig.engine.breakers.waiting(Port.HELPER) >= 10)
    rig.engine.hold(Reason.PAUSED)
    outage.over = True
    await pass_time(1)
    tried = len(rig.performer.calls)
    await pass_time(HOUR / 10)
    assert len(rig.performer.calls) == tried
    rig.engine.release(Reason.PAUSED)
    await rig.until_all(State.PROVISIONED, 20)


@virtual
async def test_an_operator_may_take_one_out_of_those_that_wait(rig: Rig):
    outage = Outage(rig)
    rig.seen(*names(20))
    await rig.until(lambda: rig.engine.breakers.waiting(Port.HELPER) >= 10)
    for node in names(20)[:15]:
        await rig.ask(node, Verb.QUARANTINE)
    outage.over = True
    await rig.until_all(State.PROVISIONED, 5)
    assert rig.engine.breakers.waiting(Port.HELPER) == 0
    assert position(rig) is Position.CLOSED


@virtual
async def test_a_half_open_breaker_that_nobody_waits_at_lets_the_first_through(rig: Rig):
    outage = Outage(rig)
    rig.seen(*names(ENOUGH))
    await rig.until(lambda: position(rig) is Position.OPEN)
    for node in names(ENOUGH):
        await rig.ask(node, Verb.FORGET)
    outage.over = True
    rig.seen("new.example.net")
    await rig.until_state(State.PROVISIONED, "new.example.net")
    assert position(rig) is Position.CLOSED
