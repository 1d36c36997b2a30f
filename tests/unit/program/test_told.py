"""What usher tells: lines of the log, counts, warnings, each after it is durable."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from fsm.effects import Effect, Feature, Intent
from fsm.events import Certainty, CsrFacts, HelperFacts, HintKind, TokenFacts, Verb, Verdict
from fsm.policy import Policy
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import JumpingClock, pass_time
from tests.fakes.log import Log
from tests.fakes.runtime import DIGEST, FACTS, NODE, Rig, done, failed, names, virtual
from usher.compat import Compat
from usher.logs import TransitionLog
from usher.tally import Tally

HOSTILE = "\x1b[31mred\x07\nlevel=fatal\u2028\ud800"


def observed(rig: Rig, *observers: Any) -> None:
    """Have these told too."""

    class Both:
        def __getattr__(self, name: str) -> Any:
            def tell(*what: Any) -> None:
                for observer in (rig.watcher, *observers):
                    getattr(observer, name)(*what)

            return tell

    rig.engine._observer = Both()


def test_one_line_a_transition(log: Log):
    @virtual
    async def play(rig: Rig) -> None:
        rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: failed(
            intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False
        )
        observed(rig, TransitionLog())
        rig.seen(NODE)
        await rig.until_state(State.FAILED)
        await rig.ask(NODE, Verb.QUARANTINE)
        rows.extend(rig.rows())

    rows: list[str] = []
    play()
    machine = [line for line in log.lines if line["component"] == "machine" and "row" in line]
    assert [line["row"] for line in machine] == rows
    assert [line["seq"] for line in machine] == list(range(1, len(rows) + 1))
    assert all({"level", "msg", "time", "component", "node", "generation", "epoch"} <= line.keys() for line in machine)
    fail, quarantine = machine[-2:]
    assert (fail["level"], fail["reason"], fail["source"], fail["target"]) == (
        "warn", "helper_failed", "inventoried", "failed",
    )  # fmt: skip
    assert (quarantine["operator"], quarantine["why"]) == ("anna", "a test")
    assert machine[1]["effect"] == "fetch_jwt"


def test_a_bug_is_logged_with_its_trace(log: Log):
    @virtual
    async def play(rig: Rig) -> None:
        rig.performer.scripts[Effect.FETCH_JWT] = lambda _: ZeroDivisionError(HOSTILE)
        observed(rig, TransitionLog())
        rig.seen(NODE)
        await rig.until_state(State.FAILED)

    play()
    (bug,) = [line for line in log.lines if "trace" in line]
    assert (bug["level"], bug["component"]) == ("error", "machine")
    assert "ZeroDivisionError" in bug["trace"]


@virtual
async def test_the_tally_equals_what_the_store_holds(rig: Rig):
    tally = Tally({State.GONE: 2}, {})
    observed(rig, tally)
    count = 0

    def helper(intent: Intent) -> Outcome:
        nonlocal count
        count += 1
        return done(intent) if count % 3 else failed(intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)

    rig.performer.scripts[Effect.RUN_HELPER] = helper
    rig.seen(*names(30))
    for seconds in (3, 3, 30):
        await pass_time(seconds)
        stored = Counter(rig.snapshot(node).state for node in names(30))
        assert {state: number for state, number in tally.states.items() if number} == stored + Counter({State.GONE: 2})
    await rig.ask(names(30)[0], Verb.QUARANTINE)
    assert tally.reasons[Reason.QUARANTINED] == 1
    await rig.ask(names(30)[0], Verb.FORGET)
    assert sum(tally.states.values()) == 31
    assert Reason.QUARANTINED not in tally.reasons
    rig.seen(names(30)[1], kind=HintKind.SHUTDOWN)
    await rig.until(lambda: tally.ignored["farewell"] == 1)


def test_a_node_is_warned_about_once_and_each_check_counts(log: Log):
    counted: Counter[str] = Counter()

    @virtual
    async def play(rig: Rig) -> None:
        def sign(intent: Intent) -> Outcome:
            said = "exp is a point in time" if intent.id.node.startswith("n0001") else "a collective has spaces"
            token = TokenFacts("2Q", DIGEST, 1, "ab12", said, "" if "exp" in said else "collective_spaces")
            return done(intent, token)

        rig.performer.scripts[Effect.SIGN_TOKEN] = sign
        observed(rig, Compat(lambda check: counted.update([check])))
        rig.seen(*names(2))
        await rig.until_all(State.PROVISIONED, 2)
        for node in names(2):
            await rig.ask(node, Verb.REPROVISION)
        await rig.until(lambda: all(rig.snapshot(node).generation > 1 for node in names(2)))
        await rig.until_all(State.PROVISIONED, 2)

    play()
    said = sorted((line["node"][:5], line["msg"]) for line in log.lines if line["component"] == "compat")
    assert said == [("n0000", "a collective has spaces"), ("n0001", "exp is a point in time")]
    assert counted == {"collective_spaces": 2}


@pytest.mark.parametrize(
    ("effect", "facts", "said"),
    [
        (Effect.NEW_CSR, CsrFacts(DIGEST, DIGEST, "/ssl", "csr_foreign_name"), "its certificate request has"),
        (
            Effect.RUN_HELPER,
            HelperFacts(DIGEST, Verdict.CONFIGURE, "", checks="certificate_name certificate_chain"),
            "the helper's certificate has",
        ),
    ],
)
def test_what_a_certificate_is_let_pass_with_is_said_once_and_counted(
    log: Log, effect: Effect, facts: CsrFacts | HelperFacts, said: str
):
    counted: Counter[str] = Counter()

    @virtual
    async def play() -> None:
        rig = Rig(JumpingClock(), policy=Policy(features=frozenset({Feature.JWT, Feature.PKI})))
        plain = CsrFacts(DIGEST, DIGEST, "/ssl")
        rig.performer.scripts[Effect.NEW_CSR] = lambda intent: done(intent, plain)
        rig.performer.scripts[effect] = lambda intent: done(intent, facts)
        observed(rig, Compat(lambda check: counted.update([check])))
        rig.seen(NODE)
        await rig.until_state(State.PROVISIONED)

    play()
    (line,) = [line for line in log.lines if line["component"] == "compat"]
    assert line["msg"].startswith(said)
    assert (line["checks"], counted) == (facts.checks, Counter(facts.checks.split()))


@virtual
async def test_who_was_warned_about_is_bounded(rig: Rig):
    compat = Compat(lambda _: None, bound=3)
    rig.performer.scripts[Effect.SIGN_TOKEN] = lambda intent: done(
        intent, replace(FACTS[Effect.SIGN_TOKEN], warning="w")
    )
    observed(rig, compat)
    rig.seen(*names(10))
    await rig.until_all(State.PROVISIONED, 10)
    assert len(compat._warned) == 3


def test_a_deferral_is_a_line_of_its_own(log: Log):
    @virtual
    async def play(rig: Rig) -> None:
        rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: done(
            intent, HelperFacts(DIGEST, Verdict.DEFER, "later")
        )
        observed(rig, TransitionLog())
        rig.seen(NODE)
        await rig.until_state(State.DEFERRED)

    play()
    line = next(line for line in log.lines if line.get("target") == "deferred")
    assert (line["level"], line["row"]) == ("info", "defer")
