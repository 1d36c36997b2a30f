"""Fleets whose usher ends again and again, and stays away: all come through, nothing is done twice that may not be."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.codec import decode_payload
from fsm.effects import SPECS, Effect, Feature, Port
from fsm.events import Certainty
from fsm.machine import Decision, decide
from fsm.policy import MINUTE, Policy
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from fsm.unit import Unit
from tests.fakes.clock import JumpingClock, pass_time
from tests.fakes.machines import Mode, Servers
from tests.fakes.runtime import POLICY, LawfulStore, Rig, names, virtual

HOUR = 3600.0
X509 = Policy(features=frozenset({Feature.JWT, Feature.PKI}))
NODES = names(16)
PARTINGS = frozenset({Effect.RESTART, Effect.SHUTDOWN})
BLIND = frozenset({Certainty.UNKNOWN, Certainty.INTERRUPTED, Certainty.INVALID})

ends = st.lists(
    st.tuples(st.floats(0.01, 20.0), st.one_of(st.just(0.0), st.floats(0.0, 70.0), st.just(1200.0))),
    min_size=1, max_size=5,
)  # fmt: skip
"""How long each process lives, and for how long none does after it, in seconds."""


async def dies(rig: Rig) -> None:
    """The process ends without a word: nothing of it reaches the store any more, whatever is under way."""
    rig.engine._die(SystemExit())
    rig.store.killed()
    await rig.engine.executor.finish(0)


async def relisted(rig: Rig, nodes: Sequence[str]) -> None:
    """Discovery lists those that are in provisioning mode, as it does."""
    while not rig.fatal:
        rig.seen(*(node for node in nodes if rig.state(node) is not State.PROVISIONED))
        await pass_time(60)


async def lives(
    servers: Servers, policy: Policy, ended: Sequence[tuple[float, float]], leaps: Sequence[int] = ()
) -> LawfulStore:
    """One process after the other on one store, until all is done."""
    store, clock = LawfulStore(), JumpingClock()
    for number, (seconds, away) in enumerate(ended):
        rig = begun(clock, store, servers, policy)
        await pass_time(seconds)
        await dies(rig)
        await pass_time(away)
        clock.leap(leaps[number] if number < len(leaps) else 0)
    rig = begun(clock, store, servers, policy)
    listing = asyncio.ensure_future(relisted(rig, NODES))
    await rig.until_all(State.PROVISIONED, len(NODES), within=10 * HOUR)
    await rig.until(lambda: not store.open_effects(), within=300)
    listing.cancel()
    assert rig.watcher.crashes == []
    return store


def enough(rig: Rig, units: int) -> Callable[[], bool]:
    """Whether so many units are durable, or nothing is left to do."""
    return lambda: len(rig.store.units) >= units or (bool(rig.store.units) and rig.engine.active == 0)


def begun(clock: JumpingClock, store: LawfulStore, servers: Servers, policy: Policy) -> Rig:
    rig = Rig(clock, store, policy)
    servers.serve(rig)
    rig.engine.start()
    rig.seen(*NODES)
    return rig


# -- what must hold ---------------------------------------------------------------------------------------------------


def by_node(units: Sequence[Unit]) -> dict[str, list[Unit]]:
    found: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        found[unit.snapshot.node].append(unit)
    return found


def folded(units: Sequence[Unit], policy: Policy) -> Snapshot:
    """Invariant 1 and 2: the recorded events, decided again; each gives the row that was recorded."""
    snapshot = unseen(units[0].snapshot.node)
    for number, unit in enumerate(units, 1):
        assert unit.snapshot.seq == unit.history.seq == number
        decision = decide(snapshot, decode_payload(unit.history.payload)[0], policy)
        assert isinstance(decision, Decision)
        assert decision.row.name == unit.history.row
        snapshot = decision.snapshot
        assert snapshot == unit.snapshot
    return snapshot


def blindly(units: Sequence[Unit]) -> Iterator[str]:
    """Partings that were sent again although nobody knew what became of the one before."""
    effect, unknown = None, False
    for unit in units:
        if unit.closes is not None and effect is not None:
            if effect in PARTINGS and unit.closes.certainty in BLIND:
                unknown = True
            elif unit.closes.certainty is None and SPECS[effect].port is Port.RPC:
                unknown = False
        if unit.opens is not None:
            effect = unit.opens.effect
            if unknown and effect in PARTINGS:
                yield f"{unit.history.node} {unit.history.seq}"


def provisioned_without_evidence(units: Sequence[Unit]) -> bool:
    """Invariant 5, of the last generation."""
    last = [unit.history.row for unit in units if unit.history.generation == units[-1].snapshot.generation]
    parted = {"restarted", "found-gone", "restarted-unseen"} & set(last)
    seen = {"gone", "silence"} & set(last)
    return not ({"configured", "configured-not-yet"} & set(last) and parted and seen)


def holds(store: LawfulStore, servers: Servers, policy: Policy) -> None:
    """All of it, after everything."""
    for node, units in by_node(store.units).items():
        assert folded(units, policy).state is State.PROVISIONED, node
        assert not list(blindly(units))
        assert not provisioned_without_evidence(units), node
    assert servers.violations == []
    assert {server.mode for server in servers.servers.values()} == {Mode.LEFT}
    assert all(server.key == server.named for server in servers.servers.values())
    assert all(len(tokens) == 1 for tokens in servers.signed.values()), "two credentials for one key"
    assert store.vault == {}


# -- the tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [POLICY, X509], ids=["ed25519", "x509"])
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), ended=ends)
@virtual
async def test_an_unkind_network_and_ends_at_any_moment(policy: Policy, seed: int, ended: list[tuple[float, float]]):
    servers = Servers(seed, slow=0.15, mute=0.05)
    holds(await lives(servers, policy, ended), servers, policy)


@settings(max_examples=20)
@given(moments=st.lists(st.floats(0.01, 14.0), min_size=1, max_size=6))
@virtual
async def test_ends_alone_cost_no_try_and_no_generation(moments: list[float]):
    servers = Servers(1)
    store = await lives(servers, POLICY, [(seconds, 0.0) for seconds in moments])
    holds(store, servers, POLICY)
    assert {unit.snapshot.generation for unit in store.units} == {1}
    assert max(unit.snapshot.doing.tries for unit in store.units if unit.snapshot.doing) == 1


@settings(max_examples=15)
@given(
    ended=st.lists(st.tuples(st.floats(0.01, 14.0), st.floats(0.0, 70.0)), min_size=2, max_size=4),
    leaps=st.lists(st.sampled_from([-60 * MINUTE, -MINUTE, 0, MINUTE, 60 * MINUTE]), min_size=2, max_size=4),
)
@virtual
async def test_a_clock_that_was_set_meanwhile_loses_nothing(ended: list[tuple[float, float]], leaps: list[int]):
    servers = Servers(1)
    holds(await lives(servers, POLICY, ended, leaps), servers, POLICY)


@virtual
async def test_down_for_twenty_minutes_those_in_the_middle_begin_anew_from_fresh_facts():
    servers = Servers(1)
    store = await lives(servers, POLICY, [(2.0, 20 * 60)])
    holds(store, servers, POLICY)
    rows = [unit.history.row for unit in store.units]
    assert rows.count("step-too-late") > 0
    for units in by_node(store.units).values():
        read = [unit for unit in units if unit.history.row in {"read-on", "inventoried"}]
        sent = [unit.history.at for unit in units if unit.opens is not None and unit.opens.effect is Effect.CONFIGURE]
        assert all(at - read[-1].snapshot.facts.at <= POLICY.facts_max_age for at in sent[-1:])
    assert all(unit.snapshot.failures == 0 for unit in store.units)


@pytest.mark.parametrize("commits", [5, 6, 7, 9])
@virtual
async def test_processes_that_commit_a_few_units_each(commits: int):
    """One node, and an end right after every few commits: the next process goes on from there."""
    servers, store, clock = Servers(1), LawfulStore(), JumpingClock()
    for _ in range(100):
        rig = Rig(clock, store, POLICY)
        servers.serve(rig)
        rig.engine.start()
        if not store.units:
            rig.seen(NODES[0])
        await rig.until(enough(rig, len(store.units) + commits), within=300)
        await dies(rig)
        if rig.snapshot(NODES[0]).state is State.PROVISIONED:
            break
    units = by_node(store.units)[NODES[0]]
    assert folded(units, POLICY).state is State.PROVISIONED
    assert not list(blindly(units))
    assert servers.violations == []
    assert {unit.snapshot.generation for unit in units} == {1}
