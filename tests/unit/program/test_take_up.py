"""What a start took up: counted, timed, said in one line, and who had to wait for our own end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from diagrams.lives import killed, openings
from fsm.demand import ON_DEMAND
from fsm.effects import SPECS, Effect, Feature, Intent
from fsm.events import Certainty, CsrFacts, HelperFacts, Operator, Sighting, Verb, Verdict
from fsm.policy import Policy
from fsm.ports import Outcome
from fsm.recovery import waits_until_quiet
from fsm.states import State
from tests.fakes.clock import JumpingClock, pass_time, sent_over
from tests.fakes.control import STATUS
from tests.fakes.log import Log
from tests.fakes.runtime import CONNECTION, DIGEST, POLICY, LawfulStore, Rig, done, names, virtual
from usher.metrics.families import labels
from usher.metrics.recorder import Recorder
from usher.metrics.recovery import TakeUp
from usher.standing import lines, taken_up

X509 = Policy(features=frozenset({Feature.JWT, Feature.PKI}))
NODES = names(12)
PLACES = 5
CARRIED = frozenset({Effect.EXCHANGE_KEY, Effect.WRAP_KEY})
ED25519 = [effect for effect in Effect if effect not in CARRIED | ON_DEMAND | {Effect.NEW_CSR}]
KEY = HelperFacts(DIGEST, Verdict.CONFIGURE, "", key=True)


class Start:
    """Another process on a store, with a TakeUp beside its watcher."""

    def __init__(self, store: LawfulStore, clock: JumpingClock, policy: Policy = POLICY) -> None:
        self.rig = Rig(clock, store, policy)
        self.recorder = Recorder("test")
        self.take_up = TakeUp(clock, self.recorder.families)
        self.rig.engine._observer = self

    def __getattr__(self, name: str) -> Any:
        def tell(*what: Any) -> None:
            for observer in (self.take_up, self.rig.watcher):
                getattr(observer, name)(*what)

        return tell

    def start(self) -> None:
        self.take_up.opened(len(self.rig.store.open_effects()))
        self.rig.engine.start()
        self.take_up.started(self.rig.engine.active)

    async def settled(self) -> dict[str, Any]:
        """The sum, once it is known."""
        await self.rig.until(lambda: self.take_up.document()["seconds"] is not None, within=60)
        return self.take_up.document()

    def counted(self, effect: Effect, certainty: Certainty) -> float:
        where = labels(effect=effect.value, certainty=certainty.value)
        return self.recorder.families["usher_recovered_effects_total"].value(where)

    def waited(self, effect: Effect) -> float:
        return self.recorder.families["usher_recovered_waiting_total"].value(labels(effect=effect.value))


def never(intent: Intent) -> Awaitable[Outcome]:
    """The effect is carried out, and no outcome comes."""
    del intent
    return asyncio.get_running_loop().create_future()


def together(rig: Rig) -> Any:
    """Tokens that are made when all wait for one, so that nobody takes the last places early."""
    waiting: set[str] = set()

    async def sign(intent: Intent) -> Outcome:
        waiting.add(intent.id.node)
        rig.watcher.changed.set()
        await rig.until(lambda: len(waiting) == len(NODES))
        return done(intent)

    return sign


def request(intent: Intent) -> Outcome:
    """A certificate request."""
    return done(intent, CsrFacts(DIGEST, DIGEST, "/etc/choria/ssl"))


async def ended_in(effect: Effect, policy: Policy = POLICY) -> tuple[LawfulStore, JumpingClock]:
    """The store of a process that ended while twelve nodes were in this effect, five of them with a place."""
    clock = JumpingClock()
    rig = Rig(clock, policy=policy, limits={SPECS[effect].port: PLACES})
    rig.performer.scripts[Effect.NEW_CSR] = request
    rig.performer.scripts[Effect.SIGN_TOKEN] = together(rig)
    if effect is Effect.SHUTDOWN:
        shutdown = HelperFacts(DIGEST, Verdict.SHUTDOWN, "")
        rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: done(intent, shutdown)
    if effect in CARRIED:
        rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: done(intent, KEY)
    rig.performer.scripts[effect] = never
    rig.seen(*NODES)
    await rig.until(lambda: open_in(rig.store, effect) == len(NODES), within=300)
    await rig.until(lambda: rig.performer.running[SPECS[effect].port] == PLACES, within=300)
    rig.engine._die(SystemExit())
    await rig.engine.executor.finish(0)
    return rig.store, clock


def open_in(store: LawfulStore, effect: Effect) -> int:
    return sum(intent.effect is effect for intent, _ in store.effects.values())


@pytest.mark.parametrize("effect", ED25519)
@virtual
async def test_on_ed25519_nobody_waits(effect: Effect):
    store, clock = await ended_in(effect)
    begun = Start(store, clock)
    begun.start()
    document = await begun.settled()
    assert document["seconds"] == 0
    assert (document["nodes"], document["left"], document["waiting"]) == (len(NODES), 0, 0)
    assert (document["not_sent"], document["interrupted"]) == (len(NODES) - PLACES, PLACES)
    assert begun.counted(effect, Certainty.NOT_SENT) == len(NODES) - PLACES
    assert begun.counted(effect, Certainty.INTERRUPTED) == PLACES
    ends = State.RETIRED if effect is Effect.SHUTDOWN else State.PROVISIONED
    if effect is Effect.SHUTDOWN:
        shutdown = HelperFacts(DIGEST, Verdict.SHUTDOWN, "")
        begun.rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: done(intent, shutdown)
    await begun.rig.until_all(ends, len(NODES), within=60)
    assert begun.take_up.document() == document
    assert {snapshot.generation for snapshot in map(store.load, NODES) if snapshot} == {1}


@virtual
async def test_on_x509_those_interrupted_in_new_csr_wait_a_minute_and_nobody_else():
    store, clock = await ended_in(Effect.NEW_CSR, X509)
    begun = Start(store, clock, X509)
    begun.rig.performer.scripts[Effect.NEW_CSR] = request
    begun.start()
    assert (await begun.settled())["waiting"] == PLACES
    assert begun.waited(Effect.NEW_CSR) == PLACES
    await begun.rig.until_all(State.PROVISIONED, len(NODES) - PLACES, within=X509.request_life / 1000 - 1)
    assert len(begun.rig.performer.named(Effect.NEW_CSR)) == len(NODES) - PLACES
    await begun.rig.until_all(State.PROVISIONED, len(NODES), within=90)


@virtual
async def test_those_interrupted_in_the_exchange_of_a_key_wait_a_minute_and_nobody_else():
    store, clock = await ended_in(Effect.EXCHANGE_KEY)
    begun = Start(store, clock)
    begun.start()
    assert (await begun.settled())["waiting"] == PLACES
    assert begun.waited(Effect.EXCHANGE_KEY) == PLACES
    await begun.rig.until_all(State.PROVISIONED, len(NODES) - PLACES, within=POLICY.request_life / 1000 - 1)
    await begun.rig.until_all(State.PROVISIONED, len(NODES), within=90)


@virtual
async def test_those_interrupted_in_wrapping_one_do_not_wait():
    policy = Policy(features=frozenset({Feature.JWT}))
    store, clock = await ended_in(Effect.WRAP_KEY, policy)
    begun = Start(store, clock, policy)
    begun.start()
    assert (await begun.settled())["waiting"] == 0
    await begun.rig.until_all(State.PROVISIONED, len(NODES), within=60)


@virtual
async def test_a_restart_that_never_left_is_counted_when_its_look_has_shown_it():
    store, clock = await ended_in(Effect.RESTART)
    begun = Start(store, clock)
    same = Sighting(present=True, age=10**9)
    restarted: set[str] = set()

    def look(intent: Intent) -> Outcome:
        sent = sent_over(clock, CONNECTION)
        return done(intent, None if intent.id.node in restarted else same, sent)

    def restart(intent: Intent) -> Outcome:
        restarted.add(intent.id.node)
        return done(intent, sent=sent_over(clock, CONNECTION))

    begun.rig.performer.scripts |= {Effect.LOOK: look, Effect.RESTART: restart}
    begun.start()
    assert (await begun.settled())["waiting"] == 0
    await begun.rig.until_all(State.PROVISIONED, len(NODES), within=120)
    assert begun.waited(Effect.RESTART) == PLACES
    assert begun.take_up.document()["waiting"] == PLACES


@virtual
async def test_what_was_quicker_than_the_start_is_not_waited_for():
    store, clock = await ended_in(Effect.CONFIGURE)
    begun = Start(store, clock)
    begun.take_up.opened(len(store.open_effects()))
    begun.rig.post(NODES[0], Operator(Verb.QUARANTINE, "anna", "a test"))
    begun.rig.engine.start()
    begun.take_up.started(begun.rig.engine.active)
    document = await begun.settled()
    assert document["not_sent"] + document["interrupted"] == len(NODES) - 1
    assert document["left"] == 0


@virtual
async def test_a_disk_that_takes_its_time_is_waited_for():
    store, clock = await ended_in(Effect.FETCH_JWT)
    begun = Start(store, clock)
    store.hold()
    begun.start()
    await pass_time(7)
    assert begun.take_up.document() == {
        "nodes": 12, "not_sent": 0, "interrupted": 0, "waiting": 0, "left": 12, "seconds": None,
    }  # fmt: skip
    store.release()
    assert (await begun.settled())["seconds"] == pytest.approx(7)
    assert begun.recorder.families["usher_recovery_seconds"].value() == pytest.approx(7)
    assert begun.recorder.families["usher_recovered_nodes"].value() == len(NODES)


def test_the_sum_is_logged_once(log: Log):
    @virtual
    async def run() -> None:
        store, clock = await ended_in(Effect.RUN_HELPER)
        begun = Start(store, clock)
        begun.start()
        await begun.rig.until_all(State.PROVISIONED, len(NODES), within=120)
        another = Start(store, clock)
        another.start()

    run()
    (line,) = [line for line in log.lines if line["msg"].startswith("took up")]
    assert line["msg"] == "took up 12 nodes: 7 effects had not been sent, 5 were interrupted, 0 wait until quiet"
    assert (line["not_sent"], line["interrupted"], line["waiting"]) == (7, 5, 0)


def test_the_sum_in_words():
    counts = {"not_sent": 0, "interrupted": 0, "waiting": 0}
    assert taken_up({"nodes": 3, **counts}) == "took up 3 nodes: nothing was under way"
    assert taken_up({"nodes": 1, "not_sent": 1, "interrupted": 1, "waiting": 1}) == (
        "took up 1 node: 1 effect had not been sent, 1 was interrupted, 1 waits until quiet"
    )


def test_only_new_csr_and_the_exchange_wait_at_once():
    for (_, effect), life in openings().items():
        after = killed(life, started=True).first.snapshot
        assert waits_until_quiet(after) is (effect in {Effect.NEW_CSR, Effect.EXCHANGE_KEY}), effect
        assert not waits_until_quiet(killed(life, started=False).first.snapshot)


def test_the_status_says_it():
    recovery = {"nodes": 12, "not_sent": 7, "interrupted": 5, "waiting": 0, "left": 0, "seconds": 0.84}
    said = "\n".join(lines(STATUS | {"recovery": recovery}, 1))
    assert (
        "started    took up 12 nodes: 7 effects had not been sent, 5 were interrupted, 0 wait until quiet, in 0.8s"
        in said
    )
    said = "\n".join(lines(STATUS | {"recovery": recovery | {"left": 3, "seconds": None}}, 1))
    assert "0 wait until quiet; 3 are still to be settled" in said
    assert "took up" not in "\n".join(lines(STATUS | {"recovery": recovery | {"nodes": 0}}, 1))
