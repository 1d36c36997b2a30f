"""A wall clock that jumps an hour under a whole fleet: nobody is lost, nothing is sent early, nobody stampedes."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Self

import pytest

from fsm import quiet
from fsm.effects import SPECS, Effect, Intent, Port
from fsm.events import Certainty, HelperFacts, HintKind, Operator, Verb, Verdict
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.admission import WIDEST
from fsm.runtime.clock import SystemClock
from fsm.states import State
from tests.fakes.clock import START, JumpingClock, pass_time, sent_over
from tests.fakes.runtime import DIGEST, POLICY, Rig, done, failed, names, virtual

FLEET = 120
HOUR = 3_600_000
MILLION = 1_000_000


class RuledClock(JumpingClock):
    """The system's own clock over two clocks that jump through time: its rule is in force."""

    def __init__(self, before: Self | None = None) -> None:
        super().__init__()
        self.skew = before.skew if before else 0
        self._system = SystemClock(lambda: self.wall() * MILLION, lambda: round(self.monotonic() * 1000) * MILLION)
        if before is not None:
            self._system.go_on(before.leaps, before._system.offset)

    def now(self) -> int:
        return self._system.now()

    @property
    def leaps(self) -> int:
        return self._system.leaps

    def wall(self) -> int:
        return START + round((self.monotonic() - 1000.0) * 1000) + self.skew


class Nodes:
    """Nodes that are silent now and then; it sees that nothing which changes one is sent while another may live."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)  # noqa: S311 a test repeats itself
        self._alive: dict[str, tuple[float, str, str]] = {}
        self.early: list[Intent] = []
        self.most = 0
        self.sent: Counter[Effect] = Counter()

    def serve(self, rig: Rig) -> None:
        """Answer what this rig asks."""
        self._rig = rig
        for effect in Effect:
            if SPECS[effect].port is Port.RPC:
                rig.performer.scripts[effect] = self._answer
        rig.performer.scripts[Effect.RUN_HELPER] = self._help

    def _help(self, intent: Intent) -> Outcome:
        if self._chance.random() < 0.2:
            return done(intent, HelperFacts(DIGEST, Verdict.DEFER, "later"))
        return done(intent)

    async def _answer(self, intent: Intent) -> Outcome:
        rig, node = self._rig, intent.id.node
        way = self._chance.choice(("c1", "c2", "c3", "c4"))  # each login is short: little is proven over one
        sent, begun = sent_over(rig.clock, way), rig.clock.monotonic()
        self.sent[intent.effect] += 1
        self.most = max(self.most, rig.engine.admission.flying)
        self._look_at(intent, begun)
        await pass_time(0.1)
        changes = SPECS[intent.effect].changes_node
        if self._chance.random() < (0.25 if changes else 0.05):
            if changes and intent.effect is not Effect.NEW_KEY:
                self._alive[node] = (begun + 60.0, self._bytes(intent), way)
            await pass_time(22.0)
            return failed(intent, Certainty.UNKNOWN, Reason.NO_ANSWER, sent=sent)
        until, _, other = self._alive.get(node, (0.0, "", ""))
        if intent.effect in quiet.AGENT and way == other and begun >= until - 59.0:
            del self._alive[node]  # the agent's mutex has let it go
        if self._chance.random() < 0.05:
            return failed(intent, Certainty.REFUSED, Reason.REFUSED, sent=sent)
        return done(intent, sent=sent)

    def _bytes(self, intent: Intent) -> str:
        if intent.effect is not Effect.CONFIGURE:
            return ""
        return quiet.configuration(self._rig.snapshot(intent.id.node).facts)

    def _look_at(self, intent: Intent, at: float) -> None:
        until, digest, _ = self._alive.get(intent.id.node, (0.0, "", ""))
        if at >= until - 0.001 or intent.effect is Effect.NEW_KEY or not SPECS[intent.effect].changes_node:
            return
        same = digest != "" and digest == quiet.configuration(self._rig.snapshot(intent.id.node).facts)
        if not (same and intent.effect in {Effect.CONFIGURE, Effect.RESTART}):
            self.early.append(intent)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("leap", [HOUR, -HOUR])
@pytest.mark.parametrize("down", [False, True])
@virtual
async def test_a_fleet_in_every_phase_outlives_a_clock_that_jumps(seed: int, leap: int, down: bool):
    nodes, chance = Nodes(seed), Random(seed)  # noqa: S311 as above
    rig = Rig(RuledClock())
    nodes.serve(rig)
    for number, node in enumerate(names(FLEET)):
        rig.seen(node, kind=HintKind.STARTUP)
        if number % 10 == 9:
            await pass_time(2.0)
    for node in names(FLEET):
        if chance.random() < 0.3:  # whatever was sent and is not answered stays alive into the next generation
            rig.post(node, Operator(Verb.REPROVISION, "anna", "a test"))
    await pass_time(3.0)
    phases = rig.states()
    assert len(phases) >= 4, phases
    if down:
        await rig.end()
        assert isinstance(rig.clock, RuledClock)
        rig.clock.leap(leap)
        await pass_time(2.0)
        rig = Rig(RuledClock(rig.clock), rig.store)
        nodes.serve(rig)
        rig.engine.start()
    else:
        rig.clock.leap(leap)
    most = max(nodes.most, rig.engine.admission.flying)
    await pass_time(1500.0)
    assert rig.states() == {State.PROVISIONED: FLEET}
    assert nodes.early == []
    assert nodes.sent[Effect.CONFIGURE] > FLEET, "somebody was silent"
    assert most <= WIDEST
    assert nodes.sent[Effect.FETCH_JWT] < 6 * FLEET, "begun anew by the jump, once at most each"
    assert (rig.engine.active, rig.fatal) == (0, [])


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
@virtual
async def test_all_that_is_due_after_a_restart_is_admitted_within_the_window(leap: int):
    """Everybody waits for the next try when it goes down; an hour later, or earlier, all are there at once."""
    rig = Rig(JumpingClock())
    rig.performer.scripts[Effect.FETCH_JWT] = lambda intent: failed(
        intent, Certainty.REFUSED, Reason.REFUSED, transient=False
    )
    fleet = names(500)
    rig.seen(*fleet)
    await rig.until(lambda: rig.states()[State.FAILED] == len(fleet))
    await rig.end()
    clock = JumpingClock()
    clock.leap(leap)  # believed: the machine was started anew too
    again = Rig(clock, rig.store)
    flying: list[int] = []

    def well(intent: Intent) -> Outcome:
        flying.append(again.engine.admission.flying)
        return done(intent)

    again.performer.scripts[Effect.FETCH_JWT] = well
    longest = max(rig.snapshot(node).awaited.span for node in fleet)  # type: ignore[union-attr]
    assert longest <= POLICY.retry_cap
    again.engine.start()
    await pass_time(longest / 1000 + 60.0)
    assert again.states() == {State.PROVISIONED: len(fleet)}
    assert len(flying) == len(fleet)
    assert max(flying) <= again.engine.admission.window
