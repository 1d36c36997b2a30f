"""What every store promises: the one in memory, the one on the disk, and one network's share of that."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from fsm.codec import MalformedError
from fsm.effects import Effect, EffectId
from fsm.errors import StoreError
from fsm.events import Certainty, DueKind
from fsm.reasons import Reason
from fsm.states import ENDS, WAITING, WORKING, State
from fsm.unit import OUTPUT, Secret
from store.entries import FleetEntry
from tests.contract.store.conftest import Store
from tests.fakes.units import AT, Life, blob


def opened(life: Life) -> EffectId:
    """The effect that is open now."""
    identity = life.snapshot.effect_id()
    assert identity is not None
    return identity


async def test_what_was_committed_is_loaded(store: Store):
    life = Life()
    await store.commit(life.unit(State.DISCOVERED))
    await store.commit(life.unit(opens=Effect.FETCH_JWT))
    assert store.load(life.snapshot.node) == life.snapshot
    assert store.load("nobody") is None


async def test_nothing_is_seen_before_it_is_committed(store: Store):
    life = Life()
    waiting = store.commit(life.unit(State.DISCOVERED))
    assert store.load(life.snapshot.node) is None
    await waiting
    assert store.load(life.snapshot.node) == life.snapshot


async def test_units_of_one_node_may_be_handed_over_together(store: Store):
    life = Life()
    units = [life.unit(State.DISCOVERED), life.unit(opens=Effect.FETCH_JWT), life.unit(opens=Effect.FETCH_INVENTORY)]
    await asyncio.gather(*(store.commit(unit) for unit in units))
    assert store.load(life.snapshot.node) == life.snapshot
    assert [of for of, _ in store.open_effects()] == [opened(life)]


@pytest.mark.parametrize("wrong", [1, 2, 4, 9])
async def test_a_unit_out_of_sequence_poisons_the_store(store: Store, wrong: int):
    life, other = Life(), Life("n2.example.net")
    await store.commit(life.unit(State.DISCOVERED))
    await store.commit(life.unit())
    unit = life.unit()
    bad = replace(unit, snapshot=replace(unit.snapshot, seq=wrong), history=replace(unit.history, seq=wrong))
    beside, refused = store.commit(other.unit(State.DISCOVERED)), store.commit(bad)
    with pytest.raises(StoreError) as caught:
        await refused
    assert (caught.value.node, caught.value.seq) == (life.snapshot.node, wrong)
    with contextlib.suppress(StoreError):
        await beside  # in the batch of the one that is refused, or before it
    with pytest.raises(StoreError):
        await store.commit(unit)
    with pytest.raises(StoreError):
        await store.started([EffectId(life.snapshot.node, 1, 1, 1, 1, 1)])
    loaded = store.load(life.snapshot.node)
    assert loaded is not None
    assert loaded.seq == 2


async def test_a_first_unit_must_be_the_first(store: Store):
    life = Life()
    life.unit(State.DISCOVERED)
    with pytest.raises(StoreError, match=r"row 2"):
        await store.commit(life.unit())


async def test_a_second_open_effect_is_refused(store: Store):
    life = Life()
    await store.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    with pytest.raises(StoreError, match="open effect") as caught:
        await store.commit(life.unit(opens=Effect.FETCH_INVENTORY, closes=False))
    assert (caught.value.node, caught.value.seq) == (life.snapshot.node, 2)


async def test_closing_what_is_not_open_is_refused(store: Store):
    life = Life()
    unit = life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT)
    await store.commit(unit)
    closing = life.unit()
    assert closing.closes is not None
    with pytest.raises(StoreError, match="not open"):
        await store.commit(replace(closing, closes=replace(closing.closes, opened=7)))


async def test_parts_that_differ_are_refused_and_harm_nobody(store: Store):
    life = Life()
    unit = life.unit(State.DISCOVERED)
    with pytest.raises(StoreError, match="differ"):
        await store.commit(replace(unit, history=replace(unit.history, seq=2)))
    await store.commit(unit)


async def test_a_snapshot_that_cannot_be_encoded_is_refused_and_harms_nobody(store: Store):
    life = Life()
    unit = life.unit(State.DISCOVERED)
    with pytest.raises(MalformedError, match=life.snapshot.node):
        await store.commit(replace(unit, snapshot=replace(unit.snapshot, detail="\ud800")))
    await store.commit(unit)


async def test_started_answers_those_that_were_intended(store: Store):
    one, two = Life("n1"), Life("n2")
    for life in (one, two):
        await store.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    first, second = opened(one), opened(two)
    assert await store.started([first]) == {first}
    assert await store.started([first, second]) == {second}
    assert dict(store.open_effects()) == {first: True, second: True}


async def test_an_abandoned_effect_does_not_start(store: Store):
    life = Life()
    await store.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    abandoned = opened(life)
    leaving = store.commit(life.unit(State.FAILED, reason=Reason.QUARANTINED, held=True, abandons=True))
    assert await store.started([abandoned]) == frozenset()
    await leaving
    assert store.open_effects() == []


async def test_a_later_try_is_another_effect(store: Store):
    life = Life()
    await store.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    before = opened(life)
    again = life.unit(opens=Effect.FETCH_JWT, certainty=Certainty.UNKNOWN, reason=Reason.NO_ANSWER)
    await store.commit(again)
    assert await store.started([before]) == frozenset()
    assert await store.started([opened(life)]) == {opened(life)}


async def test_an_effect_of_an_older_epoch_does_not_start(store: Store):
    assert await store.begin_epoch() == 1
    life = Life(epoch=1)
    await store.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    assert await store.begin_epoch() == 2
    assert store.epoch == 2
    assert await store.started([opened(life)]) == frozenset()


async def test_active_is_what_a_start_has_to_load(store: Store):
    waiting, working, resting, held = (Life(name) for name in ("waiting", "working", "resting", "held"))
    looked, deferred = Life("looked"), Life("deferred")
    for life, unit in (
        (waiting, waiting.unit(State.DISCOVERED)),
        (working, working.unit(State.CONFIGURED, opens=Effect.RESTART)),
        (resting, resting.unit(State.PROVISIONED)),
        (held, held.unit(State.FAILED, reason=Reason.QUARANTINED, held=True)),
        (looked, looked.unit(State.PROVISIONED, opens=Effect.LOOK)),
        (deferred, deferred.unit(State.DEFERRED, awaits=DueKind.RETRY)),
    ):
        await store.commit(unit)
        assert life.snapshot == unit.snapshot
    found = {snapshot.node: snapshot for snapshot in store.active()}
    assert found == {life.snapshot.node: life.snapshot for life in (waiting, working, looked, deferred)}


async def test_blobs_and_secrets_stay_for_their_generation(store: Store):
    life, data = Life(), blob(b"inventory")
    await store.commit(life.unit(State.DISCOVERED, blobs=[data], secrets=[Secret("token", b"sealed")]))
    assert store.blob(data.digest) == b"inventory"
    assert store.secret("n1.example.net", 1, "token") == b"sealed"
    assert store.secret("n1.example.net", 2, "token") is None
    assert store.secret("n1.example.net", 1, "other") is None
    assert store.blob("0" * 64) is None


async def test_a_new_generation_drops_what_was_before_it(store: Store):
    life = Life()
    await store.commit(life.unit(State.DISCOVERED, secrets=[Secret("token", b"old")]))
    await store.commit(life.unit(State.DISCOVERED, anew=True, drop=True, secrets=[Secret("token", b"new")]))
    assert store.secret("n1.example.net", 1, "token") is None
    assert store.secret("n1.example.net", 2, "token") == b"new"


@pytest.mark.parametrize("end", sorted(set(State) - WORKING))
async def test_a_generation_that_is_over_keeps_nothing(store: Store, end: State):
    life, other = Life(), Life("n2.example.net")
    await store.commit(life.unit(State.DISCOVERED, secrets=[Secret("token", b"sealed")]))
    await store.commit(other.unit(State.DISCOVERED, secrets=[Secret("token", b"other")]))
    await store.commit(life.unit(end, drop=True))
    assert store.secret("n1.example.net", 1, "token") is None
    assert store.secret("n2.example.net", 1, "token") == b"other"


@pytest.mark.parametrize("end", sorted(WAITING))
async def test_what_the_helper_said_outlives_its_generation_while_the_node_waits(store: Store, end: State):
    life, node = Life(), "n1.example.net"
    await store.commit(life.unit(State.DISCOVERED, secrets=[Secret("token", b"sealed")]))
    await store.commit(life.unit(end, drop=True, secrets=[Secret(OUTPUT, b"said")]))
    assert store.secrets(node) == [(1, OUTPUT, b"said")]
    await store.commit(life.unit(State.DISCOVERED, anew=True, drop=True))
    await store.commit(life.unit(State.INVENTORIED, secrets=[Secret("claims", b"c")]))
    assert store.secrets(node) == [(1, OUTPUT, b"said"), (2, "claims", b"c")]


async def test_what_the_helper_says_takes_the_place_of_what_it_said_before(store: Store):
    life, other, node = Life(), Life("n2.example.net"), "n1.example.net"
    await store.commit(other.unit(State.DEFERRED, drop=True, secrets=[Secret(OUTPUT, b"other")]))
    await store.commit(life.unit(State.DEFERRED, drop=True, secrets=[Secret(OUTPUT, b"first")]))
    await store.commit(life.unit(State.DISCOVERED, anew=True, drop=True))
    await store.commit(life.unit(State.FAILED, drop=True, secrets=[Secret(OUTPUT, b"second")]))
    assert store.secrets(node) == [(2, OUTPUT, b"second")]
    assert store.secrets("n2.example.net") == [(1, OUTPUT, b"other")]


@pytest.mark.parametrize("end", sorted(ENDS | {State.UNSEEN}))
async def test_what_the_helper_said_goes_with_the_last_of_the_node(store: Store, end: State):
    life = Life()
    await store.commit(life.unit(State.DEFERRED, drop=True, secrets=[Secret(OUTPUT, b"said")]))
    await store.commit(life.unit(State.DISCOVERED, anew=True, drop=True))
    await store.commit(life.unit(end, drop=True))
    assert store.secrets("n1.example.net") == []


async def test_a_shared_blob_stays_while_one_node_needs_it(store: Store):
    one, two, shared = Life("n1"), Life("n2"), blob(b"the fleet's configuration")
    await store.commit(one.unit(State.DISCOVERED, blobs=[shared]))
    await store.commit(two.unit(State.DISCOVERED, blobs=[shared]))
    await store.commit(one.unit(State.PROVISIONED, drop=True))
    assert store.blob(shared.digest) == shared.data


async def test_a_secret_may_be_replaced(store: Store):
    life = Life()
    await store.commit(life.unit(State.DISCOVERED, secrets=[Secret("token", b"one")]))
    await store.commit(life.unit(secrets=[Secret("token", b"two")]))
    assert store.secret("n1.example.net", 1, "token") == b"two"


async def test_the_fleet_has_a_journal(store: Store):
    await store.fleet(FleetEntry(AT, "pause", "root", "maintenance"))
    await store.remember_policy("0123", b"{}", AT)
    await store.remember_policy("0123", b"{}", AT + 1)


async def test_closing_finishes_what_waits(store: Store):
    life = Life()
    waiting = store.commit(life.unit(State.DISCOVERED))
    await store.close()
    assert waiting.done()
    assert waiting.exception() is None
    with pytest.raises(StoreError, match="closed"):
        await store.commit(life.unit())
    await store.close()


async def test_whoever_waits_may_leave(store: Store):
    life = Life()
    waiting = store.commit(life.unit(State.DISCOVERED))
    waiting.cancel()
    await store.commit(life.unit())
    loaded = store.load(life.snapshot.node)
    assert loaded is not None
    assert loaded.seq == 2
