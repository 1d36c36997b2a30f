"""Fleets of x509 nodes whose requests the network holds back, and ushers that end: no node dies of another key."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.effects import SPECS, Effect, Feature, Intent, Port
from fsm.events import Certainty, CsrFacts, Sighting
from fsm.policy import Policy
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import JumpingClock, pass_time, sent_over
from tests.fakes.runtime import LawfulStore, Rig, done, failed, names, virtual
from tests.property.runtime.test_fleets import dies, relisted

HOUR = 3600.0
TIMEOUT = 10.0
"""Seconds that usher waits for an answer."""
LIFE = 59.9
"""Seconds that a request can be held back."""
X509 = Policy(features=frozenset({Feature.JWT, Feature.PKI}))


@dataclass(eq=False)
class Request:
    """A request on its way over a connection, with the key that it certifies; then with the key that it has made."""

    effect: Effect
    node: str
    connection: str
    certified: int = 0
    made: int = 0


@dataclass
class Machines:
    """The nodes' disks, and the network before them. Requests of one connection arrive in order."""

    random: random.Random
    keys: dict[str, int] = field(default_factory=dict)
    certificates: dict[str, int] = field(default_factory=dict)
    restarted: dict[str, bool] = field(default_factory=dict)
    held_back: list[Request] = field(default_factory=list)

    def send(self, request: Request) -> float:
        """Hold it back for so many seconds, which most of the time are none."""
        seconds = self.random.uniform(0, LIFE) if self.random.random() < 0.2 else 0.0
        self.held_back.append(request)
        asyncio.get_running_loop().call_later(seconds, self.arrives, request)
        return seconds

    def arrives(self, request: Request) -> None:
        """It arrives, behind those that were sent before it over its connection, unless a later one took it along."""
        while request in self.held_back:
            self.act(self.first(request))

    def first(self, request: Request) -> Request:
        """The next one of its connection."""
        place = (request.node, request.connection)
        found = next(each for each in self.held_back if (each.node, each.connection) == place)
        self.held_back.remove(found)
        return found

    def act(self, request: Request) -> None:
        """What a node does; one that has left does nothing."""
        node = request.node
        if node in self.restarted:
            return
        if request.effect is Effect.NEW_CSR:
            self.keys[node] = request.made = self.keys.get(node, 0) + 1
        elif request.effect is Effect.CONFIGURE:
            self.certificates[node] = request.certified
        elif request.effect is Effect.RESTART:
            self.restarted[node] = self.keys[node] == self.certificates.get(node)

    def dead(self) -> list[str]:
        """The nodes that have restarted with a certificate for another key."""
        return [node for node, alive in self.restarted.items() if not alive]

    def play(self, rig: Rig) -> Rig:
        """Let this usher work on these machines."""

        async def act(intent: Intent) -> Outcome:
            return await self._performed(rig, intent)

        rig.performer.scripts.update(dict.fromkeys(Effect, act))
        return rig

    async def _performed(self, rig: Rig, intent: Intent) -> Outcome:  # noqa: PLR0911 one answer for each case
        node, sent = intent.id.node, sent_over(rig.clock, f"c{intent.id.epoch}")
        await pass_time(self.random.uniform(0, 0.5))
        if SPECS[intent.effect].port is not Port.RPC:
            return done(intent)
        if node in self.restarted and intent.effect is not Effect.LOOK:
            return failed(intent, Certainty.NOT_DELIVERED, Reason.ABSENT, sent=sent)
        if intent.effect is Effect.LOOK:
            return done(intent, Sighting(present=node not in self.restarted, age=86_400_000), sent)
        if not SPECS[intent.effect].changes_node:
            self.held_back.append(reading := Request(intent.effect, node, sent.connection))
            self.arrives(reading)
            return done(intent, sent=sent)
        csr = rig.snapshot(node).facts.csr
        request = Request(intent.effect, node, sent.connection, int(csr.fingerprint, 16) if csr else 0)
        seconds = self.send(request)
        await pass_time(min(seconds, TIMEOUT) + 0.01)
        if seconds >= TIMEOUT:
            return failed(intent, sent=sent)
        if intent.effect is Effect.NEW_CSR:
            return done(intent, CsrFacts("5f" * 32, f"{request.made:064x}", "/etc/choria/ssl"), sent)
        return done(intent, sent=sent)


async def provision(
    store: LawfulStore,
    seed: int,
    ends: Sequence[float],
    count: int = 30,
    policy: Policy = X509,
    kind: type[Machines] = Machines,
) -> tuple[Machines, Rig]:
    """So many machines, and an usher that ends after these seconds, and again."""
    nodes, clock, machines = names(count), JumpingClock(seed), kind(random.Random(seed))  # noqa: S311 it repeats
    rig = machines.play(Rig(clock, store, policy))
    rig.seen(*nodes)
    for seconds in ends:
        await pass_time(seconds)
        store.killed()
        await dies(rig)
        rig = machines.play(Rig(clock, store, policy))
        rig.engine.start()
    listing = asyncio.ensure_future(relisted(rig, nodes))
    async with asyncio.timeout(10 * HOUR):
        while len(machines.restarted) < count or machines.held_back:
            await pass_time(5)
    listing.cancel()
    return machines, rig


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), ends=st.lists(st.floats(0.01, 40.0), max_size=5))
@virtual
async def test_every_node_restarts_with_a_certificate_for_the_key_that_it_holds(seed: int, ends: list[float]):
    machines, rig = await provision(LawfulStore(), seed, ends)
    assert machines.dead() == []
    await rig.until(lambda: rig.states()[State.PROVISIONED] + rig.states()[State.GONE] == 30, within=HOUR)


@pytest.mark.parametrize(("life", "deadly"), [(60_000, False), (20_000, True), (1, True)])
@virtual
async def test_nodes_die_where_usher_waits_for_less_than_a_request_lives(life: int, deadly: bool):
    dead = [
        (await provision(LawfulStore(), seed, [3.0, 5.0, 8.0], policy=replace(X509, request_life=life)))[0].dead()
        for seed in range(4)
    ]
    assert any(dead) is deadly
