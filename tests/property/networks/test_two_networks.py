"""Two networks on one journal, whatever is seen where, asked, and killed: no node is ever under way in two."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm.events import Verb
from tests.fakes.clock import JumpingClock, pass_time
from tests.fakes.networks import EAST, WEST, Pair
from tests.fakes.runtime import virtual

NODES = ("a.example.net", "b.example.net")
BOTH = (EAST, WEST)
NODE, NETWORK = st.sampled_from(NODES), st.sampled_from(BOTH)
MOVES = st.one_of(
    st.tuples(st.just("seen"), NETWORK, NODE),
    st.tuples(st.just("there"), NETWORK, NODE),
    st.tuples(st.just("left"), NETWORK, NODE),
    st.tuples(st.just("asked"), st.sampled_from(Verb), NODE),
    st.tuples(st.just("time"), st.sampled_from([0.0, 0.1, 5.0, 70.0, 700.0]), NODE),
    st.tuples(st.just("killed"), st.sampled_from([BOTH, (WEST, EAST), (EAST,)]), NODE),
)


def looked_at(pair: Pair) -> None:
    """What holds at each moment; the store and the performers have looked at the rest (tests/fakes/runtime.py)."""
    assert not pair.fatal, pair.fatal
    assert not pair.watcher.crashes, pair.watcher.crashes
    for node in NODES:
        assert len(pair.in_hand(node)) <= 1, f"{node} is in the hands of two"
        snapshot = pair.store.load(node)
        if snapshot is not None and snapshot.active and pair.owners.of(snapshot) is None:
            assert not pair.in_hand(node), f"{node} is of a network that is configured no more"


async def lived(pair: Pair, moves: list[tuple[str, object, str]]) -> Pair:
    for what, which, node in moves:
        match what, which:
            case _, str() if which not in pair.each:
                pass  # a network that is configured no more
            case "seen", str():
                pair.seen(which, node)
            case "there", str():
                pair.performers[which].there.add(node)
            case "left", str():
                pair.performers[which].there.discard(node)
            case "asked", Verb():
                pair.ask(node, which)
            case "time", float():
                await pass_time(which)
            case _, tuple():
                await pair.end()
                pair = Pair(pair.clock, pair.store, *which).start()
        looked_at(pair)
    return pair


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(moves=st.lists(MOVES, min_size=4, max_size=40))
@virtual
async def test_no_node_is_ever_under_way_in_two(moves: list[tuple[str, object, str]]):
    pair = await lived(Pair(JumpingClock()).start(), moves)
    await pass_time(3600.0)
    looked_at(pair)
    for node in NODES:
        moved = [move for move in pair.watcher.moves if move.before.node == node]
        assert all(move.decision.snapshot.network in {"", *BOTH} for move in moved)
    await pair.end()
