"""The executor: limits, the compare-and-swap before each effect, and the gate."""

from __future__ import annotations

import asyncio

import pytest

from fsm.effects import Effect, EffectId, Intent, Port
from fsm.events import Certainty, Failed, Verb
from fsm.machine import Decision
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.executor import LIMITS, turned_back
from fsm.states import State
from store.entries import Status
from tests.fakes.clock import JumpingClock, pass_time, settle
from tests.fakes.runtime import NODE, Answer, Rig, done, failed, names, virtual


def after(seconds: float, answer: Outcome | None = None):
    """A script that takes its time."""

    async def slowly(intent: Intent) -> Answer:
        await pass_time(seconds)
        return answer or done(intent)

    return slowly


def never(_: Intent) -> asyncio.Future[Answer]:
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("limit", [1, 3])
@virtual
async def test_no_more_at_once_than_the_limit_of_the_port(limit: int):
    rig = Rig(JumpingClock(), limits={Port.HELPER: limit})
    rig.performer.scripts[Effect.RUN_HELPER] = rig.performer.scripts[Effect.FETCH_JWT] = after(1.0)
    rig.seen(*names(12))
    await rig.until_all(State.PROVISIONED, 12)
    assert rig.performer.most[Port.HELPER] == limit
    assert rig.performer.most[Port.RPC] > limit


@virtual
async def test_a_full_port_holds_no_other_back():
    rig = Rig(JumpingClock(), limits={Port.HELPER: 1})
    rig.performer.scripts[Effect.RUN_HELPER] = never
    rig.seen(*names(5))
    await rig.until(lambda: len(rig.performer.named(Effect.NEW_KEY)) == 5)
    await settle()
    assert rig.engine.executor.running(Port.HELPER) == 1
    assert rig.engine.executor.queued(Port.HELPER) == 4
    assert rig.engine.executor.congested()


@virtual
async def test_congested_is_a_queue_longer_than_the_limit(rig: Rig):
    assert not rig.engine.executor.congested()
    rig.performer.scripts[Effect.RUN_HELPER] = never
    rig.seen(*names(2 * LIMITS[Port.HELPER]))
    await rig.until(lambda: rig.engine.executor.queued(Port.HELPER) == LIMITS[Port.HELPER])
    assert not rig.engine.executor.congested()


@virtual
async def test_an_abandoned_effect_is_not_sent():
    rig = Rig(JumpingClock(), limits={Port.RPC: 1})
    rig.performer.scripts[Effect.FETCH_JWT] = after(5.0)
    rig.seen(*names(2))
    await rig.until(lambda: len(rig.performer.calls) == 1)
    waiting = next(name for name in names(2) if name not in rig.performer.named(Effect.FETCH_JWT))
    assert isinstance(await rig.ask(waiting, Verb.QUARANTINE), Decision)
    other = next(name for name in names(2) if name != waiting)
    await rig.until_state(State.PROVISIONED, other)
    assert waiting not in {intent.id.node for intent in rig.performer.calls}
    assert (Status.ABANDONED, waiting) in {(status, of.node) for of, status in rig.store.closed}
    assert rig.engine.executor.running(Port.RPC) == 0


@virtual
async def test_an_answer_to_what_was_abandoned_is_late(rig: Rig):
    rig.performer.scripts[Effect.FETCH_JWT] = after(5.0)
    rig.seen(NODE)
    await rig.until(lambda: len(rig.performer.calls) == 1)
    await rig.ask(NODE, Verb.QUARANTINE)
    before = rig.snapshot()
    await pass_time(10)
    assert rig.snapshot() == before
    assert [why.why for _, _, why in rig.watcher.rejections] == ["an outcome that is not of the open step"]


@virtual
async def test_a_shut_gate_turns_back_what_waits_and_what_comes():
    rig = Rig(JumpingClock(), limits={Port.HELPER: 1})
    rig.performer.scripts[Effect.RUN_HELPER] = after(3.0)
    rig.seen(*names(4))
    await rig.until(lambda: rig.engine.executor.queued(Port.HELPER) == 3)
    rig.engine.hold(Reason.PAUSED)
    await pass_time(30)
    back = [outcome.body for outcome in rig.watcher.outcomes if isinstance(outcome.body, Failed)]
    assert {(body.certainty, body.reason) for body in back} == {(Certainty.NOT_SENT, Reason.PAUSED)}
    assert len(rig.performer.named(Effect.RUN_HELPER)) == 1
    assert len(back) == 4  # three that waited, and the token of the one that was being carried out
    waits = [rig.snapshot(name) for name in names(4)]
    assert all(snapshot.doing is not None and snapshot.doing.tries == 0 for snapshot in waits)
    assert all(snapshot.failures == 0 for snapshot in waits)
    rig.engine.release(Reason.PAUSED)
    await rig.until_all(State.PROVISIONED, 4)


@virtual
async def test_what_is_being_marked_when_the_gate_shuts_is_turned_back(rig: Rig):
    rig.seen(NODE)
    await rig.until(lambda: rig.snapshot().open is not None if rig.store.load(NODE) else False)
    rig.store.hold()
    await settle()
    rig.engine.hold(Reason.DISCONNECTED)
    rig.store.release()
    await rig.until(lambda: bool(rig.watcher.outcomes))
    assert rig.performer.calls == []
    body = rig.watcher.outcomes[0].body
    assert isinstance(body, Failed)
    assert (body.certainty, body.reason) == (Certainty.NOT_SENT, Reason.DISCONNECTED)
    rig.engine.release(Reason.DISCONNECTED)
    await rig.until_state(State.PROVISIONED)


@virtual
async def test_two_reasons_to_hold_need_two_releases(rig: Rig):
    rig.engine.hold(Reason.DISCONNECTED)
    rig.engine.hold(Reason.PAUSED)
    rig.seen(NODE)
    rig.engine.release(Reason.PAUSED)
    await pass_time(60)
    assert rig.rows() == ["first-seen"]
    assert rig.engine.holds == {Reason.DISCONNECTED}
    rig.engine.release(Reason.DISCONNECTED)
    await rig.until_state(State.PROVISIONED)


@virtual
async def test_what_is_turned_back_names_a_reason_that_still_holds(rig: Rig):
    rig.performer.scripts[Effect.FETCH_JWT] = after(1.0)
    rig.seen(NODE)
    await rig.until(lambda: len(rig.performer.calls) == 1)
    rig.engine.hold(Reason.DISCONNECTED)
    rig.engine.hold(Reason.PAUSED)
    rig.engine.release(Reason.PAUSED)
    await pass_time(5)
    body = rig.watcher.outcomes[-1].body
    assert isinstance(body, Failed)
    assert body.reason is Reason.DISCONNECTED


@virtual
async def test_a_performer_that_is_cancelled_from_within_is_a_bug_of_one_node(rig: Rig):
    def cancelled(intent: Intent) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if intent.id.node == NODE:
            future.cancel()
        else:
            future.set_result(done(intent))
        return future

    rig.performer.scripts[Effect.NEW_KEY] = cancelled
    rig.seen(NODE, *names(2))
    await rig.until_all(State.PROVISIONED, 2)
    assert rig.snapshot().held
    assert rig.engine.executor.running(Port.RPC) == 0


@virtual
async def test_an_outcome_is_recorded_exactly_once(rig: Rig):
    tries = iter([failed, failed, done])

    def third_time(intent: Intent) -> Outcome:
        return next(tries)(intent)

    rig.performer.scripts[Effect.FETCH_INVENTORY] = third_time
    rig.seen(NODE)
    await rig.until_state(State.PROVISIONED)
    inventories = [intent for intent in rig.performer.calls if intent.effect is Effect.FETCH_INVENTORY]
    assert [intent.id.tries for intent in inventories] == [1, 2, 3]
    assert len({intent.id.seq for intent in inventories}) == 1
    assert len({intent.id.opened for intent in inventories}) == 3
    ended = [of for of, status in rig.store.closed if of in {intent.id for intent in inventories}]
    assert ended == [intent.id for intent in inventories]


@virtual
async def test_stopping_gives_up_what_takes_too_long_and_leaves_it_as_started(rig: Rig):
    rig.performer.scripts[Effect.RUN_HELPER] = never
    rig.performer.scripts[Effect.CONFIGURE] = after(1.0)
    rig.seen(NODE)
    await rig.until(lambda: NODE in rig.performer.named(Effect.RUN_HELPER))
    begun = rig.clock.monotonic()
    assert await rig.engine.stop(2.0) == 1
    assert rig.clock.monotonic() - begun == pytest.approx(2.0)
    assert [started for _, started in rig.store.open_effects()] == [True]
    assert rig.fatal == []


@virtual
async def test_stopping_waits_for_what_ends_in_time_and_commits_it(rig: Rig):
    rig.performer.scripts[Effect.CONFIGURE] = after(1.0)
    rig.seen(NODE)
    await rig.until(lambda: NODE in rig.performer.named(Effect.CONFIGURE))
    assert await rig.engine.stop(2.0) == 0
    assert rig.state() is State.CONFIGURED
    assert rig.store.open_effects() == []
    assert rig.rows()[-2:] == ["configured", "interrupted"]
    rig.seen("late.example.net")
    await pass_time(600)
    assert rig.state("late.example.net") is State.UNSEEN
    assert rig.rows()[-1] == "interrupted"


@virtual
async def test_nothing_begins_after_the_stop_that_was_being_marked(rig: Rig):
    rig.seen(NODE)
    await rig.until(lambda: rig.snapshot().open is not None if rig.store.load(NODE) else False)
    rig.store.hold()
    await settle()
    stopping = asyncio.ensure_future(rig.engine.stop(5.0))
    await settle()
    rig.store.release()
    await stopping
    assert rig.performer.calls == []
    assert rig.store.open_effects() == []


def test_turning_back_costs_no_try_and_says_why():
    intent = Intent(EffectId(NODE, 1, 1, 3, 3, 1), Effect.RESTART, 0, bytes(16))
    body = turned_back(intent, Reason.PAUSED).body
    assert isinstance(body, Failed)
    assert (body.id, body.certainty, body.reason) == (intent.id, Certainty.NOT_SENT, Reason.PAUSED)
