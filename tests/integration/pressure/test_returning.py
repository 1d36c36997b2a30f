"""The broker is away for ten minutes, and a whole fleet is back at once: in virtual time, on the real engine."""

from __future__ import annotations

from collections import Counter

from fsm.effects import SPECS, Effect, Intent, Port
from fsm.events import Certainty, HintKind, Sighting
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.admission import WIDEST
from fsm.runtime.hints import BOUND
from fsm.runtime.observer import Transition
from fsm.runtime.pressure import DUES, NAMES
from fsm.snapshot import Snapshot
from fsm.states import State
from tests.fakes.clock import pass_time, sent_over
from tests.fakes.runtime import CONNECTION, Rig, done, failed, names, virtual

FLEET = 1000
TEN_MINUTES = 600.0
NEVER = {"try-again", "fail", "absent", "nobody", "look-in-vain", "no-sign", "silence"}
"""Rows that blame a node."""


class Broker:
    """What carries a rig's requests: 50 ms there and back, and nothing at all while it is away."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.here = True
        self.rows: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        for effect in Effect:
            if SPECS[effect].port is Port.RPC:
                rig.performer.scripts[effect] = self._carry
        told = rig.watcher.moved

        def moved(transition: Transition) -> None:
            told(transition)
            self.rows[transition.decision.row.name] += 1
            engine = rig.engine
            for name, size in (
                ("turns", len(engine._mail)), ("flying", engine.admission.flying), ("window", engine.admission.window),
                ("queued", engine.executor.queued(Port.RPC)), ("heap", len(engine.timers._heap)),
            ):  # fmt: skip
                self.most[name] = max(self.most[name], size)

        rig.watcher.moved = moved  # type: ignore[method-assign]

    async def _carry(self, intent: Intent) -> Outcome:
        begun, sent = self.here, sent_over(self._rig.clock, CONNECTION)
        await pass_time(0.05)
        if begun and self.here:
            return self._rig.performer._well(intent)
        await pass_time(22.0)
        return failed(intent, Certainty.INTERRUPTED, Reason.DISCONNECTED, sent=sent)

    def goes(self) -> None:
        """It is noticed after half a minute only: meanwhile requests are sent into nothing."""
        self.here = False

    def is_noticed(self) -> None:
        self._rig.engine.hold(Reason.DISCONNECTED)

    def returns(self) -> None:
        self.here = True
        self._rig.engine.release(Reason.DISCONNECTED)


def snapshots(rig: Rig) -> list[Snapshot]:
    return [rig.snapshot(node) for node in rig.store.bodies]


@virtual
async def test_a_fleet_outlives_ten_minutes_without_a_broker_and_is_back_at_once(rig: Rig):
    broker, fleet = Broker(rig), names(FLEET)
    rig.seen(*fleet, kind=HintKind.STARTUP)
    await pass_time(0.6)
    broker.goes()
    before = rig.states()
    assert before[State.DISCOVERED] > 100, before  # it goes in the middle
    assert before[State.RESTARTED] > 50, before
    await pass_time(30.0)
    broker.is_noticed()
    await pass_time(25.0)
    quiet = len(rig.store.units)
    await pass_time(TEN_MINUTES)
    assert len(rig.store.units) == quiet, "it waits and writes nothing"
    assert rig.performer.running[Port.RPC] == 0
    broker.returns()
    rig.seen(*fleet)
    await pass_time(60.0)
    assert rig.states() == {State.PROVISIONED: FLEET}
    assert broker.rows.keys().isdisjoint(NEVER), broker.rows
    assert all(snapshot.failures == snapshot.absences == 0 for snapshot in snapshots(rig))
    assert broker.rows["interrupted"] > 100
    assert broker.most["flying"] <= WIDEST
    assert broker.most["turns"] <= FLEET
    assert broker.most["heap"] <= 2 * FLEET
    assert (len(rig.engine.hints), rig.engine.active, len(rig.engine.timers)) == (0, 0, 0)


@virtual
async def test_those_who_were_known_come_before_strangers_and_the_oldest_first(rig: Rig):
    known, strangers = names(200), names(200, "s")
    rig.seen(*known)
    await rig.until_all(State.PROVISIONED, 200)
    rig.performer.scripts[Effect.LOOK] = lambda intent: done(intent, Sighting(present=True, age=1))
    await pass_time(90.0)
    rig.engine.timers.hold()
    rig.seen(*known)  # they are in provisioning mode again
    await rig.until_all(State.REPROVISION, 200)
    rig.performer.scripts.clear()
    rig.performer.calls.clear()
    rig.engine.hold(Reason.PAUSED)
    rig.engine.timers.release()
    rig.seen(*strangers)
    await pass_time(1.0)
    rig.engine.release(Reason.PAUSED)
    await pass_time(600.0)
    assert rig.states() == {State.PROVISIONED: 400}
    first = rig.performer.named(Effect.FETCH_JWT)
    begun = {node: at for at, node in reversed(list(enumerate(first)))}
    late = [node for node in strangers if begun[node] > begun[known[-1]]]
    assert len(late) >= len(strangers) - 64, "only those who found an empty room are before the known ones"


@virtual
async def test_a_fleet_that_comes_due_at_once_has_a_bounded_number_of_turns(rig: Rig):
    """All of it failed together, and the disk takes its time when all of it is due together."""
    broken = [True]
    rig.performer.scripts[Effect.FETCH_JWT] = lambda intent: (
        failed(intent, Certainty.REFUSED, Reason.REFUSED, transient=False) if broken[0] else rig.performer._well(intent)
    )
    rig.seen(*names(FLEET))
    await rig.until(lambda: len(rig.watcher.moves) >= FLEET * 3)
    rig.engine.timers.hold()
    await pass_time(60.0)
    rig.store.hold()
    broken[0] = False
    rig.engine.timers.release()
    await pass_time(5.0)
    assert len(rig.engine._mail) <= DUES
    rig.store.release()
    await pass_time(120.0)
    assert rig.states() == {State.PROVISIONED: FLEET}


@virtual
async def test_a_million_forged_names_wait_where_they_cost_least(rig: Rig):
    """The disk takes its time: so many of them become turns, and what is beyond a million is dropped and counted."""
    rig.store.hold()
    for number in range(BOUND + 5):
        rig.engine.hints.add(f"forged-{number:07d}", HintKind.STARTUP)
    assert (len(rig.engine.hints), rig.engine.hints.dropped) == (BOUND, 5)
    await pass_time(1.0)
    assert 0 < len(rig.engine._mail) <= NAMES
    assert len(rig.engine.hints) + len(rig.engine._mail) == BOUND
