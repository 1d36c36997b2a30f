"""Fleets whose helper supplies keys, a network that holds requests back, and ushers that end: no node keeps noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.effects import SPECS, Effect, Feature, Intent, Port
from fsm.events import Certainty, HelperFacts, PairFacts, Sighting, Verdict
from fsm.pairing import PAIRS
from fsm.policy import Policy
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import pass_time, sent_over
from tests.fakes.runtime import DIGEST, LawfulStore, Rig, done, failed, virtual
from tests.property.runtime import test_certificates as certificates
from tests.property.runtime.test_certificates import HOUR, TIMEOUT, Machines, Request

CARRIED = Policy(features=frozenset({Feature.JWT}))
KEY, NOISE = 7, -1
"""What the helper supplies, and what a node keeps that has decrypted it with the wrong secret."""


@dataclass(eq=False)
class Carrying(Request):
    """A request, and the half that a key in it was wrapped for."""

    half: int = 0


@dataclass
class Keyless(Machines):
    """Machines that are given their keys; a wrong secret always fits, which it does one time in 256."""

    halves: dict[str, int] = field(default_factory=dict)
    made: int = 0

    def act(self, request: Request) -> None:
        """What a node does; one that has left does nothing."""
        node = request.node
        if node in self.restarted:
            return
        if request.effect in PAIRS:
            self.made += 1
            self.halves[node] = request.made = self.made
        elif isinstance(request, Carrying) and request.effect is Effect.CONFIGURE:
            self.certificates[node] = KEY
            self.keys[node] = KEY if request.half == self.halves[node] else NOISE
        else:
            super().act(request)

    async def _performed(self, rig: Rig, intent: Intent) -> Outcome:
        node, sent = intent.id.node, sent_over(rig.clock, f"c{intent.id.epoch}")
        await pass_time(self.random.uniform(0, 0.5))
        if intent.effect is Effect.RUN_HELPER:
            return done(intent, HelperFacts(DIGEST, Verdict.CONFIGURE, "", key=True))
        if SPECS[intent.effect].port is not Port.RPC or intent.effect is Effect.FETCH_INVENTORY:
            return done(intent, sent=sent if intent.effect is Effect.FETCH_INVENTORY else None)
        if intent.effect is Effect.LOOK:
            return done(intent, Sighting(present=node not in self.restarted, age=86_400_000), sent)
        if node in self.restarted:
            return failed(intent, Certainty.NOT_DELIVERED, Reason.ABSENT, sent=sent)
        pair = rig.snapshot(node).facts.pair
        request = Carrying(intent.effect, node, sent.connection, half=int(pair.theirs, 16) if pair else 0)
        seconds = self.send(request)
        await pass_time(min(seconds, TIMEOUT) + 0.01)
        if seconds >= TIMEOUT:
            return failed(intent, sent=sent)
        exchanged = PairFacts(f"{request.made:016x}", "ours") if intent.effect is Effect.EXCHANGE_KEY else None
        return done(intent, exchanged, sent)


async def provision(seed: int, ends: Sequence[float], policy: Policy = CARRIED) -> tuple[Machines, Rig]:
    """So many machines, and an usher that ends after these seconds, and again."""
    return await certificates.provision(LawfulStore(), seed, ends, policy=policy, kind=Keyless)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), ends=st.lists(st.floats(0.01, 40.0), max_size=5))
@virtual
async def test_every_node_restarts_with_the_key_that_it_was_given(seed: int, ends: list[float]):
    machines, rig = await provision(seed, ends)
    assert machines.dead() == []
    await rig.until(lambda: rig.states()[State.PROVISIONED] + rig.states()[State.GONE] == 30, within=HOUR)


@pytest.mark.parametrize(("life", "deadly"), [(60_000, False), (1, True)])
@virtual
async def test_nodes_keep_noise_where_usher_waits_for_less_than_a_request_lives(life: int, deadly: bool):
    ends = [1.0, 2.0, 3.0, 5.0, 8.0]
    dead = [(await provision(seed, ends, replace(CARRIED, request_life=life)))[0].dead() for seed in range(6)]
    assert any(dead) is deadly
