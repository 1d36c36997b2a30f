"""Two engines over one store: who owns a name, how a node moves, and what is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fsm.effects import Effect, Intent, Port
from fsm.events import Certainty, Verb
from fsm.machine import Decision, Rejected
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import JumpingClock, pass_time
from tests.fakes.networks import EAST, WEST, Pair
from tests.fakes.runtime import NODE, done, failed, virtual

OTHER = "n2.example.net"


async def until(pair: Pair, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(86_400):
        while not condition():
            pair.watcher.changed.clear()
            await pair.watcher.changed.wait()


async def settled(pair: Pair, node: str, state: State) -> None:
    await until(pair, lambda: pair.watcher.states.get(node) is state)


def never(_: Intent) -> Awaitable[Outcome]:
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    return future


@virtual
async def test_each_network_provisions_its_own():
    pair = Pair(JumpingClock()).start()
    pair.seen(EAST, NODE)
    pair.seen(WEST, OTHER)
    for node, network in ((NODE, EAST), (OTHER, WEST)):
        await settled(pair, node, State.PROVISIONED)
        assert pair.snapshot(node).network == network
        assert {intent.id.node for intent in pair.performers[network].calls} == {node}
    await pair.end()


@virtual
async def test_a_name_under_way_is_given_to_nobody_else():
    pair = Pair(JumpingClock()).start()
    pair.performers[EAST].scripts[Effect.RUN_HELPER] = never
    pair.seen(EAST, NODE)
    await settled(pair, NODE, State.INVENTORIED)
    pair.seen(WEST, NODE, OTHER)
    await settled(pair, OTHER, State.PROVISIONED)
    assert pair.refused == [(WEST, NODE)]
    assert (pair.snapshot(NODE).network, pair.snapshot(NODE).state) == (EAST, State.INVENTORIED)
    found = pair.owners.elsewhere(NODE)
    assert found is not None
    assert (found.seen, found.owner) == (WEST, EAST)
    assert pair.owners.elsewhere(OTHER) is None
    await pair.end()


@virtual
async def test_a_helper_that_hangs_holds_its_own_network_alone():
    pair = Pair(JumpingClock()).start()
    pair.performers[EAST].scripts[Effect.RUN_HELPER] = never
    pair.seen(EAST, *(f"e{number}.example.net" for number in range(200)))
    pair.seen(WEST, *(f"w{number}.example.net" for number in range(200)))
    await until(pair, lambda: sum(state is State.PROVISIONED for state in pair.watcher.states.values()) == 200)
    assert all(pair.snapshot(f"w{number}.example.net").network == WEST for number in range(200))
    await pair.end()


@virtual
async def test_a_breaker_that_opens_in_one_network_stops_no_other():
    pair = Pair(JumpingClock()).start()
    pair.performers[EAST].scripts[Effect.RUN_HELPER] = lambda intent: failed(
        intent, Certainty.REFUSED, Reason.HELPER_NOT_RUNNABLE, transient=False
    )
    east, west = pair.each[EAST].breakers, pair.each[WEST].breakers
    pair.seen(EAST, *(f"e{number}.example.net" for number in range(20)))
    await until(pair, lambda: east.is_open(Port.HELPER))
    pair.seen(WEST, *(f"w{number}.example.net" for number in range(20)))
    await until(pair, lambda: sum(state is State.PROVISIONED for state in pair.watcher.states.values()) == 20)
    assert not east.all[Port.HELPER].closed
    assert west.idle
    await pair.end()


@virtual
async def test_a_network_that_is_held_holds_no_other_and_not_the_fleet():
    pair = Pair(JumpingClock()).start()
    pair.each[EAST].hold(Reason.DISCONNECTED)
    assert pair.engines.holds == frozenset()
    pair.seen(EAST, NODE)
    pair.seen(WEST, OTHER)
    await settled(pair, OTHER, State.PROVISIONED)
    pair.engines.hold(Reason.PAUSED)
    assert pair.engines.holds == frozenset({Reason.PAUSED})
    pair.engines.release(Reason.PAUSED)
    pair.each[EAST].release(Reason.DISCONNECTED)
    await settled(pair, NODE, State.PROVISIONED)
    await pair.end()


@virtual
async def test_a_node_at_rest_that_is_found_elsewhere_moves():
    pair = Pair(JumpingClock()).start()
    pair.seen(EAST, NODE)
    await settled(pair, NODE, State.PROVISIONED)
    pair.performers[WEST].there.add(NODE)
    pair.seen(WEST, NODE)
    await until(pair, lambda: "found-elsewhere" in pair.rows(NODE))
    pair.performers[WEST].there.clear()
    await until(pair, lambda: pair.snapshot(NODE).network == WEST and pair.snapshot(NODE).state is State.PROVISIONED)
    await pair.end()


@virtual
async def test_a_start_takes_up_its_own_and_leaves_what_is_configured_no_more():
    pair = Pair(JumpingClock()).start()
    for network, node in ((EAST, NODE), (WEST, OTHER)):
        pair.performers[network].scripts[Effect.RUN_HELPER] = never
        pair.seen(network, node)
        await settled(pair, node, State.INVENTORIED)
    await pair.end()
    again = Pair(pair.clock, pair.store, EAST).start()
    await settled(again, NODE, State.PROVISIONED)
    assert again.snapshot(OTHER) == pair.snapshot(OTHER)
    again.seen(EAST, OTHER, "n3.example.net")
    await settled(again, "n3.example.net", State.PROVISIONED)
    assert (again.refused, again.rows(OTHER)) == ([(EAST, OTHER)], [])
    await again.end()


@virtual
async def test_a_wish_goes_to_the_nodes_network_and_a_stray_node_can_only_be_forgotten():
    pair = Pair(JumpingClock()).start()
    pair.performers[WEST].scripts[Effect.RUN_HELPER] = never
    pair.seen(WEST, NODE)
    await settled(pair, NODE, State.INVENTORIED)
    answer = await pair.ask(NODE, Verb.REPROVISION)
    assert isinstance(answer, Decision)
    await until(pair, lambda: pair.snapshot(NODE).generation == 2)
    assert pair.snapshot(NODE).network == WEST
    await pair.end()
    again = Pair(pair.clock, pair.store, EAST).start()
    refused = await again.ask(NODE, Verb.RETRY)
    assert isinstance(refused, Rejected)
    assert refused.why == "its network west is not configured any more: list it again, or forget the node"
    assert isinstance(await again.ask(NODE, Verb.FORGET), Decision)
    again.seen(EAST, NODE)
    await settled(again, NODE, State.PROVISIONED)
    assert again.snapshot(NODE).network == EAST
    await again.end()


@virtual
async def test_a_record_of_before_there_were_networks_is_the_firsts():
    alone = Pair(JumpingClock(), None, "").start()
    alone.performers[""].scripts[Effect.RUN_HELPER] = never
    alone.seen("", NODE)
    await settled(alone, NODE, State.INVENTORIED)
    await alone.end()
    pair = Pair(alone.clock, alone.store)
    pair.performers[EAST].scripts[Effect.RUN_HELPER] = done
    assert pair.owners.of(pair.snapshot(NODE)) == EAST
    await pair.end()


@pytest.mark.parametrize("verb", [Verb.QUARANTINE, Verb.RETRY])
@virtual
async def test_who_nobody_knows_is_the_firsts(verb: Verb):
    pair = Pair(JumpingClock()).start()
    answer = await pair.ask(NODE, verb)
    assert isinstance(answer, Decision) is (verb is Verb.QUARANTINE)
    pair.seen(WEST, NODE, OTHER)
    await settled(pair, OTHER, State.PROVISIONED)
    assert pair.refused == ([(WEST, NODE)] if verb is Verb.QUARANTINE else [])
    await pair.end()


@virtual
async def test_a_bug_that_comes_late_touches_no_node_of_another():
    pair = Pair(JumpingClock()).start()
    late: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    pair.performers[EAST].scripts[Effect.RUN_HELPER] = lambda _: late
    pair.performers[WEST].scripts[Effect.RUN_HELPER] = never
    pair.seen(EAST, NODE)
    await until(pair, lambda: NODE in pair.performers[EAST].named(Effect.RUN_HELPER))
    await pair.ask(NODE, Verb.FORGET)
    pair.seen(WEST, NODE)
    await settled(pair, NODE, State.INVENTORIED)
    late.set_exception(ValueError())
    await until(pair, lambda: bool(pair.watcher.crashes))
    assert (pair.snapshot(NODE).state, pair.snapshot(NODE).network, pair.fatal) == (State.INVENTORIED, WEST, [])
    await pair.end()


@virtual
async def test_a_bug_that_comes_late_holds_nobody_who_is_at_rest_by_now():
    pair = Pair(JumpingClock()).start()
    late: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    pair.performers[EAST].scripts[Effect.RUN_HELPER] = lambda _: late
    pair.seen(EAST, NODE)
    await until(pair, lambda: NODE in pair.performers[EAST].named(Effect.RUN_HELPER))
    await pair.ask(NODE, Verb.FORGET)
    pair.seen(WEST, NODE)
    await settled(pair, NODE, State.PROVISIONED)
    late.set_exception(ValueError())
    await until(pair, lambda: bool(pair.watcher.crashes))
    await pass_time(1.0)
    assert (pair.snapshot(NODE).state, pair.snapshot(NODE).network, pair.fatal) == (State.PROVISIONED, WEST, [])
    assert pair.owners.elsewhere(NODE) is None
    await pair.end()


@virtual
async def test_what_is_asked_while_another_network_looks_is_refused_there_and_not_sent_there():
    pair = Pair(JumpingClock()).start()
    pair.seen(EAST, NODE)
    await settled(pair, NODE, State.PROVISIONED)
    looking: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    pair.performers[WEST].scripts[Effect.LOOK] = lambda _: looking
    await pass_time(3600.0)
    pair.seen(WEST, NODE)
    await until(pair, lambda: NODE in pair.performers[WEST].named(Effect.LOOK))
    for verb in (Verb.RESTART, Verb.SHUTDOWN, Verb.REPROVISION, Verb.RETRY):
        answer = await pair.ask(NODE, verb)
        assert isinstance(answer, Rejected)
        assert answer.why == "the network west looks at it now, since it was seen there: ask again in a moment"
    looking.set_result(pair.performers[WEST].gone(pair.performers[WEST].calls[-1]))
    await until(pair, lambda: pair.in_hand(NODE) == [WEST] and pair.each[WEST].executor.running(Port.RPC) == 0)
    ended = pair.ask(NODE, Verb.RESTART)  # the end of the look is being made durable: west has the name until then
    assert isinstance(await ended, Rejected)
    await until(pair, lambda: not pair.in_hand(NODE))
    assert isinstance(await pair.ask(NODE, Verb.RESTART), Decision)
    await until(pair, lambda: NODE in pair.performers[EAST].named(Effect.SEND_RESTART))
    assert not pair.performers[WEST].named(Effect.SEND_RESTART)
    await pair.end()


@virtual
async def test_who_is_looked_at_elsewhere_can_be_held_and_forgotten_at_once():
    pair = Pair(JumpingClock()).start()
    pair.seen(EAST, NODE)
    await settled(pair, NODE, State.PROVISIONED)
    pair.performers[WEST].scripts[Effect.LOOK] = never
    await pass_time(3600.0)
    pair.seen(WEST, NODE)
    await until(pair, lambda: NODE in pair.performers[WEST].named(Effect.LOOK))
    assert isinstance(await pair.ask(NODE, Verb.QUARANTINE), Decision)
    assert (pair.snapshot(NODE).held, pair.snapshot(NODE).network) == (True, EAST)
    await pair.end()
