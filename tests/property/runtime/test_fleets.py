"""Fleets in virtual time: whatever fails, and whenever usher ends, all are provisioned, and no invariant is broken."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.effects import SPECS, Effect, Intent, Port
from fsm.events import Certainty, HintKind, Sighting
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from fsm.unit import Unit
from tests.fakes.clock import JumpingClock, pass_time, sent_over
from tests.fakes.runtime import CONNECTION, POLICY, LawfulStore, Rig, done, failed, names, virtual

HOUR = 3600.0
KINDS = (
    (Certainty.NOT_SENT, Reason.DISCONNECTED),
    (Certainty.NOT_DELIVERED, Reason.ABSENT),
    (Certainty.REFUSED, Reason.REFUSED),
    (Certainty.REFUSED, Reason.LOCK_HELD),
    (Certainty.INVALID, Reason.BAD_REPLY),
    (Certainty.UNKNOWN, Reason.NO_ANSWER),
    (Certainty.NOT_SENT, Reason.FACTS_LOST),
)


class Unkind:
    """Effects that take their time and fail with a chance, each in one of the ways that there are."""

    def __init__(self, rig: Rig, chance: float, seed: int) -> None:
        self._rig, self._chance = rig, chance
        self._random = random.Random(seed)  # noqa: S311 a test repeats itself
        for effect in Effect:
            rig.performer.scripts[effect] = self.act

    async def act(self, intent: Intent) -> Outcome:
        sent = sent_over(self._rig.clock, CONNECTION) if SPECS[intent.effect].port is Port.RPC else None
        await pass_time(self._random.uniform(0, 2))
        if self._random.random() >= self._chance:
            return done(intent, sent=sent)
        if intent.effect is Effect.LOOK and self._random.random() < 0.5:
            return done(intent, Sighting(present=True, age=self._random.choice([1, 10_000_000])), sent)
        certainty, reason = self._random.choice(KINDS)
        return failed(intent, certainty, reason, transient=self._random.random() < 0.7, sent=sent)


def dense(units: Sequence[Unit]) -> bool:
    """Invariant 2: the rows of each node are numbered without a gap."""
    last: dict[str, int] = {}
    for unit in units:
        node = unit.snapshot.node
        if unit.snapshot.seq != last.get(node, 0) + 1 or unit.history.seq != unit.snapshot.seq:
            return False
        last[node] = unit.snapshot.seq
    return True


async def relisted(rig: Rig, nodes: Sequence[str]) -> None:
    """Discovery lists them again and again, as it does."""
    while rig.states()[State.PROVISIONED] < len(nodes) and not rig.fatal:
        rig.seen(*(node for node in nodes if rig.state(node) is not State.PROVISIONED))
        await pass_time(60)


@pytest.mark.parametrize("seed", [1, 2, 3])
@virtual
async def test_a_fleet_goes_through_whatever_fails(seed: int):
    rig, nodes = Rig(JumpingClock(seed)), names(200)
    Unkind(rig, 0.15, seed)
    listing = asyncio.ensure_future(relisted(rig, nodes))
    await rig.until_all(State.PROVISIONED, 200, within=10 * HOUR)
    listing.cancel()
    assert rig.fatal == []
    assert rig.watcher.crashes == []
    assert dense(rig.store.units)
    assert rig.store.open_effects() == []
    assert rig.store.vault == {}
    assert rig.engine.active == 0


@virtual
async def test_a_fleet_without_failures_takes_one_discovery_and_one_generation():
    rig, nodes = Rig(JumpingClock()), names(1000)
    rig.seen(*nodes)
    await rig.until_all(State.PROVISIONED, 1000, within=120)
    assert {unit.snapshot.generation for unit in rig.store.units} == {1}
    assert len(rig.store.units) == 13 * 1000


@pytest.mark.parametrize("transient", [True, False])
@virtual
async def test_a_helper_that_fails_for_all_for_an_hour_and_then_works(transient: bool):
    rig, nodes = Rig(JumpingClock()), names(200)
    begun = rig.clock.monotonic()

    def helper(intent: Intent) -> Outcome:
        if rig.clock.monotonic() - begun < HOUR:
            return failed(intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=transient)
        return done(intent)

    rig.performer.scripts[Effect.RUN_HELPER] = helper
    rig.seen(*nodes)
    await pass_time(HOUR)
    assert rig.states()[State.PROVISIONED] == 0
    assert rig.states()[State.FAILED] > 150
    capped = POLICY.retry_cap / 1000 * 1.5
    await rig.until_all(State.PROVISIONED, 200, within=capped + 60)
    assert {unit.history.event for unit in rig.store.units if unit.history.event.startswith("operator")} == set()
    assert all(rig.snapshot(node).failures == 0 for node in nodes)


@virtual
async def test_an_outage_of_the_broker_costs_no_node_a_try():
    rig, nodes = Rig(JumpingClock()), names(100)
    Unkind(rig, 0.0, 1)
    rig.seen(*nodes)
    await pass_time(4)
    rig.engine.hold(Reason.DISCONNECTED)
    await pass_time(HOUR / 6)
    assert rig.states()[State.FAILED] == 0
    rig.engine.release(Reason.DISCONNECTED)
    await rig.until_all(State.PROVISIONED, 100, within=300)
    assert {unit.snapshot.generation for unit in rig.store.units} == {1}
    assert all(intent.id.tries == 1 for intent in rig.performer.calls)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), ends=st.lists(st.floats(0.01, 25.0), min_size=1, max_size=4), kindly=st.booleans())
@virtual
async def test_another_process_goes_on_where_each_node_was(seed: int, ends: list[float], kindly: bool):
    store, nodes, clock = LawfulStore(), names(20), JumpingClock(seed)
    chance = 0.0 if kindly else 0.1
    rig = Rig(clock, store)
    Unkind(rig, chance, seed)
    rig.seen(*nodes)
    for number, seconds in enumerate(ends):
        await pass_time(seconds)
        await dies(rig)
        rig = Rig(clock, store)
        Unkind(rig, chance, seed + number)
        rig.engine.start()
        if number % 2:
            rig.seen(*nodes, kind=HintKind.STARTUP)
    listing = asyncio.ensure_future(relisted(rig, nodes))
    await rig.until_all(State.PROVISIONED, 20, within=10 * HOUR)
    listing.cancel()
    await rig.until(lambda: not store.open_effects(), within=300)  # a listing may have made usher look once more
    assert dense(store.units)
    if kindly:
        assert {unit.snapshot.generation for unit in store.units} == {1}


async def dies(rig: Rig) -> None:
    """The process ends without a word: nothing of it reaches the store any more, whatever is under way."""
    rig.engine._die(SystemExit())
    await rig.engine.executor.finish(0)


@virtual
async def test_a_process_that_stops_in_order_loses_no_try():
    store, nodes, clock = LawfulStore(), names(50), JumpingClock()
    for second in range(1, 30):
        rig = Rig(clock, store)
        Unkind(rig, 0.0, second)
        rig.engine.start()
        rig.seen(*nodes)
        await pass_time(1.5)
        await rig.engine.stop(0.1)
        assert rig.fatal == []
    rig = Rig(clock, store)
    Unkind(rig, 0.0, 0)
    rig.engine.start()
    rig.seen(*nodes)
    await rig.until_all(State.PROVISIONED, 50, within=300)
    assert {unit.snapshot.generation for unit in store.units} == {1}
    tried = [unit.snapshot.doing.tries for unit in store.units if unit.snapshot.doing is not None]
    assert max(tried) == 1
