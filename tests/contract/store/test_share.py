"""What two networks' shares of one store promise together; that one keeps the port is asked with all stores."""

from __future__ import annotations

from fsm.effects import Effect
from fsm.states import State
from tests.contract.store.conftest import Store
from tests.contract.store.test_store_port import opened
from tests.fakes.units import Life
from usher.networks.share import Share


async def test_shares_have_each_active_node_once_and_everything_else_together(store: Store):
    east, west, moved = Life("e1"), Life("w1"), Life("e2")
    for life in (east, west, moved):
        await store.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    here, there = (Share(store, lambda snapshot, first=first: snapshot.node.startswith(first)) for first in "ew")
    assert {snapshot.node for snapshot in here.active()} == {"e1", "e2"}
    assert {snapshot.node for snapshot in there.active()} == {"w1"}
    assert here.open_effects() == there.open_effects() == store.open_effects()
    await there.commit(east.unit(State.PROVISIONED, abandons=True))
    assert here.load("e1") == there.load("e1") == east.snapshot
    assert {snapshot.node for snapshot in here.active()} == {"e2"}
    assert await there.started([opened(moved)]) == {opened(moved)}
    assert await here.started([opened(moved)]) == frozenset()
