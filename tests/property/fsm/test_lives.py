"""Whole lives: messages that come twice, out of order, late or never break nothing, and history tells it all again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from fsm.codec import LARGEST, decode_event, encode_event, encode_snapshot
from fsm.effects import Effect, EffectId, Feature
from fsm.events import (
    Certainty,
    Done,
    Due,
    DueKind,
    Event,
    Failed,
    HelperFacts,
    Hint,
    HintKind,
    Sent,
    Sighting,
    Verdict,
)
from fsm.machine import Decision, decide
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.replay import Judged, Walk
from fsm.snapshot import NOTHING, Snapshot, unseen
from fsm.states import PHASES, State
from tests.fakes.recorded import recorded
from tests.property.fsm.strategies import NODE, NOW, OF, bodies, entropies, sents

WELL = {Effect.LOOK: Sighting(present=False)}
"""What a look says where all goes well."""
CARRIED = frozenset({Feature.JWT})
POLICIES = [Policy(), Policy(features=CARRIED | {Feature.PKI}), Policy(features=CARRIED)]
"""One network of each kind: with tokens, with certificates, with certificates and keys from the helper."""


class Life(list[tuple[Event, Decision]]):
    """The decisions of one life, and the policy under which they were made."""

    policy: Policy


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """The decisions of one life: mostly what the node waits for, now and then what nobody waits for."""
    snapshot, now = unseen(NODE), NOW
    past: list[Event] = []
    life = Life()
    life.policy = draw(st.sampled_from(POLICIES))
    for _ in range(draw(st.integers(5, 60))):
        now += draw(st.sampled_from([0, 1, 700, 5_000, 61_000, 1_000_000]))
        kind = draw(st.sampled_from(["forward"] * 6 + ["anything", "again"]))
        if kind == "again" and past:
            event = draw(st.sampled_from(past))
        else:
            now = max(now, snapshot.awaited.at) if kind == "forward" and snapshot.awaited else now
            body = forward(draw, snapshot, now, life.policy) if kind == "forward" else draw(bodies(snapshot))
            event = Event(now, draw(entropies), body, 1)
        past.append(event)
        decision = decide(snapshot, event, life.policy)
        if isinstance(decision, Decision):
            life.append((event, decision))
            snapshot = decision.snapshot
    return life


def forward(draw: st.DrawFn, snapshot: Snapshot, now: int, policy: Policy) -> Done | Due | Failed | Hint:
    """What the node waits for, which mostly goes well."""
    if snapshot.awaited is not None:
        return Due(snapshot.awaited.kind, snapshot.awaited.at)
    doing, identity = snapshot.open, snapshot.effect_id()
    if doing is None or identity is None:
        return Due(DueKind.ADMIT) if snapshot.waiting_for_admission else Hint(HintKind.LISTED)
    chance = draw(st.integers(0, 19))
    if chance == 0:
        return Failed(doing.effect, identity, draw(st.sampled_from(Certainty)), Reason.NO_ANSWER, sent=draw(sents))
    helped = HelperFacts("0a" * 32, Verdict.CONFIGURE, "welcome", key=policy.features == CARRIED)
    well = WELL | {Effect.RUN_HELPER: helped}
    facts = well.get(doing.effect) if chance > 1 else None
    return Done(doing.effect, identity, facts or draw(OF[doing.effect]), Sent(now, "c1"))


@settings(max_examples=50)
@given(lives())
def test_seq_is_dense_at_most_one_effect_is_open_and_every_snapshot_is_sound(life: Life):
    journal: set[EffectId] = set()
    for number, (_, decision) in enumerate(life, 1):
        assert decision.snapshot.seq == number
        if decision.closes is not None:
            journal.remove(decision.closes.id)
        if decision.opens is not None:
            journal.add(decision.opens.id)
        identity = decision.snapshot.effect_id()
        assert journal == ({identity} if identity else set())
        assert decision.snapshot.sound()


@settings(max_examples=50)
@given(lives(), st.integers(0, 60))
def test_the_snapshot_is_the_fold_of_the_recorded_events_from_any_base(life: Life, base: int):
    base = min(base, len(life))
    snapshot = life[base - 1][1].snapshot if base else unseen(NODE)
    for event, decided in life[base:]:
        decision = decide(snapshot, decode_event(encode_event(event)), life.policy)
        assert decision == decided
        snapshot = decided.snapshot


@settings(max_examples=50)
@given(lives())
def test_any_recorded_life_replays_and_a_row_that_is_taken_out_of_it_is_missed(life: Life):
    befores = [State.UNSEEN, *(decision.snapshot.state for _, decision in life)]
    rows = (
        [recorded(*each, life.policy) for each in zip(befores, *zip(*life, strict=True), strict=False)] if life else []
    )
    walk = Walk(unseen(NODE), {life.policy.hash: life.policy})
    steps = [walk.step(row) for row in rows]
    assert [(step.judged, step.after) for step in steps] == [(Judged.AGREES, each.snapshot) for _, each in life]
    cut = Walk(unseen(NODE), {life.policy.hash: life.policy})
    judged = [cut.step(row).judged for row in rows[1:]]
    assert judged == [Judged.DIVERGES, *[Judged.UNDECIDED] * (len(rows) - 2)][: len(judged)]


@settings(max_examples=50)
@given(lives(), st.integers(0, 60), st.sampled_from([3_600_000, -3_600_000, 90_000, -90_000]))
def test_a_clock_that_is_set_changes_no_decision(life: Life, cut: int, leap: int):
    snapshot = unseen(NODE)
    for number, (event, decided) in enumerate(life):
        leaps = leap if number >= cut else 0
        doing = snapshot.doing
        if doing is not None and doing.effect is Effect.SIGN_TOKEN:
            return  # claims say what time it was when they were made, and may be too old for the new one
        decision = decide(snapshot, at_another_time(event, snapshot, leaps), life.policy)
        assert isinstance(decision, Decision)
        assert decision.row is decided.row
        snapshot = decision.snapshot
        assert waits(snapshot, leaps) == waits(decided.snapshot, 0)


def at_another_time(event: Event, snapshot: Snapshot, leaps: int) -> Event:
    """The same happens while the clock is set by so much; the request may be of before."""
    body = event.body
    if isinstance(body, Due) and snapshot.awaited is not None:
        body = replace(body, at=snapshot.awaited.at)
    return replace(event, at=event.at + leaps, leaps=leaps, body=body)


def waits(snapshot: Snapshot, leaps: int) -> list[int]:
    """What is measured of a node."""
    quiets = [each.until - leaps for each in (snapshot.quiet, snapshot.pairing) if each is not None]
    return [*quiets, *([snapshot.awaited.at - leaps] if snapshot.awaited else [])]


@settings(max_examples=50)
@given(lives())
def test_a_snapshot_takes_about_a_kilobyte_at_most(life: Life):
    """Every digest held, a quiet time and a failure at once are a little more."""
    assert max((len(encode_snapshot(decision.snapshot)) for _, decision in life), default=0) < LARGEST * 9 // 8


@settings(max_examples=50)
@given(lives())
def test_nobody_is_provisioned_who_did_not_acknowledge_a_configuration_in_this_generation(life: Life):
    configured = -1
    for event, decision in life:
        body, generation = event.body, decision.snapshot.generation
        if isinstance(body, Done) and body.effect == "configure" and decision.row.name.startswith("configured"):
            configured = generation
        if decision.snapshot.state is State.PROVISIONED:
            assert configured == generation


@settings(max_examples=50)
@given(lives())
def test_generations_only_grow_and_nothing_of_one_is_kept_in_the_next(life: Life):
    generation = 0
    for _, decision in life:
        after = decision.snapshot
        assert after.generation in {generation, generation + 1}
        if after.generation > generation:
            assert after.facts == NOTHING
            assert after.doing is None
            assert decision.ends
        generation = after.generation


@pytest.mark.parametrize("state", [*PHASES, State.PROVISIONED, State.FAILED, State.REPROVISION])
def test_lives_lead_through_every_fact_so_that_these_tests_are_about_something(state: State):
    patient = settings(max_examples=5000, derandomize=True, database=None, phases=[Phase.generate])
    states = lives().map(lambda life: frozenset(decision.snapshot.state for _, decision in life))
    assert state in find(states, lambda reached: state in reached, settings=patient)
