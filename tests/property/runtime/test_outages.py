"""Outages in virtual time: whatever is away when and for how long, nobody loses more than what opened the breaker."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.breaker import ENOUGH, Breaker, Position, ended, found, lost, waited
from fsm.effects import SPECS, Effect, EffectId, Intent, Port
from fsm.events import Certainty, Done, Failed, HelperFacts, Sent, Verdict
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import JumpingClock, pass_time
from tests.fakes.runtime import CONNECTION, Rig, done, failed, names, virtual

HOUR = 3600.0
FAULT = {Port.HELPER: Reason.HELPER_TIMEOUT, Port.SIGNER: Reason.SIGNER_UNUSABLE}


class Weather:
    """Ports that are away in turns; each effect takes its time."""

    def __init__(self, rig: Rig, spans: list[tuple[float, float]], port: Port, seed: int) -> None:
        self._rig, self._spans, self._port = rig, spans, port
        self._random = random.Random(seed)  # noqa: S311 a test repeats itself
        self.begun = rig.clock.monotonic()
        for effect in Effect:
            rig.performer.scripts[effect] = self.act

    @property
    def away(self) -> bool:
        now = self._rig.clock.monotonic() - self.begun
        return any(begin <= now < begin + lasts for begin, lasts in self._spans)

    async def act(self, intent: Intent) -> Outcome:
        port = SPECS[intent.effect].port
        sent = Sent(self._rig.clock.now(), CONNECTION) if port is Port.RPC else None
        away = self.away
        await pass_time(self._random.uniform(0, 1))
        if port is self._port and away:
            return failed(intent, Certainty.REFUSED, FAULT[port], transient=False)
        return done(intent, sent=sent)


@pytest.mark.parametrize("port", list(FAULT))
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    spans=st.lists(st.tuples(st.floats(0, 300), st.floats(1, 600)), min_size=1, max_size=2),
    nodes=st.integers(ENOUGH, 15),
    apart=st.floats(0, 20),
)
@virtual
async def test_each_opening_costs_no_more_nodes_than_it_takes(
    port: Port, seed: int, spans: list[tuple[float, float]], nodes: int, apart: float
):
    rig = Rig(JumpingClock(seed), limits={Port.HELPER: 4, Port.SIGNER: 4})
    Weather(rig, spans, port, seed)
    for node in names(nodes):
        rig.seen(node)
        await pass_time(apart)
    await rig.until_all(State.PROVISIONED, nodes, within=HOUR)
    assert rig.engine.breakers.waiting(port) == 0
    assert rig.fatal == []
    assert rig.store.open_effects() == []
    blamed: set[str] = set()
    for body in (outcome.body for outcome in rig.watcher.outcomes):
        if SPECS[body.effect].port is port and not isinstance(body, Failed):
            blamed.clear()
        elif isinstance(body, Failed) and body.reason is FAULT[port] and body.certainty is Certainty.REFUSED:
            blamed.add(body.id.node)
            assert len(blamed) < ENOUGH


STEPS = st.sampled_from(["fault", "node", "well", "late", "wait", "lost", "found"])


@given(st.lists(st.tuples(STEPS, st.integers(0, 8)), max_size=200))
def test_the_machine_is_always_in_one_sound_position(steps: list[tuple[str, int]]):
    breaker, now = Breaker(Port.HELPER), 0.0
    for step, number in steps:
        before = breaker
        identity = EffectId(f"n{number}", 1, 1, 5, 5, 1)
        fault = Failed(Effect.RUN_HELPER, identity, Certainty.REFUSED, Reason.HELPER_TIMEOUT, "", transient=False)
        node = Failed(Effect.RUN_HELPER, identity, Certainty.REFUSED, Reason.HELPER_FAILED, "", transient=False)
        well = Done(Effect.RUN_HELPER, identity, HelperFacts("", Verdict.CONFIGURE, ""))
        now += number
        match step:
            case "fault":
                breaker = ended(breaker, fault, breaker.turns, now)
            case "node":
                breaker = ended(breaker, node, breaker.turns, now)
            case "well":
                breaker = ended(breaker, well, breaker.turns, now)
            case "late":
                assert ended(breaker, fault, breaker.turns - 1, now) == breaker
            case "wait":
                breaker = waited(breaker, now)
            case "lost":
                breaker = lost(breaker)
            case _:
                breaker = found(breaker)
        assert len(breaker.nodes) == len(set(breaker.nodes))
        assert len(breaker.nodes) < ENOUGH or not breaker.closed
        assert (breaker.again is None) or breaker.position is Position.OPEN
        assert breaker.turns in {before.turns, before.turns + 1}
        assert (breaker.position is before.position) or breaker.turns == before.turns + 1
        assert breaker.opened - before.opened == (before.closed and not breaker.closed)
