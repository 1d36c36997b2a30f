"""The machine is its table: the compiled one and a plain dictionary interpreter always agree, and neither raises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.machine import Decision, Rejected, decide
from fsm.policy import Policy
from fsm.snapshot import Snapshot
from fsm.table import ROWS
from tests.model.interpreter import interpret
from tests.property.fsm.strategies import events, policies, snapshots

plain = interpret(ROWS)


@settings(max_examples=200)
@given(st.data(), snapshots(), policies)
def test_decide_is_what_a_dictionary_of_the_rows_says(data: st.DataObject, snapshot: Snapshot, policy: Policy):
    event = data.draw(events(snapshot))
    assert decide(snapshot, event, policy) == plain(snapshot, event, policy)


@settings(max_examples=200)
@given(st.data(), snapshots(), policies)
def test_every_decision_is_sound_and_dense_and_says_what_closes_and_opens(
    data: st.DataObject, snapshot: Snapshot, policy: Policy
):
    event = data.draw(events(snapshot))
    decision = decide(snapshot, event, policy)
    if isinstance(decision, Rejected):
        assert decision.why
        return
    before, after = snapshot.effect_id(), decision.snapshot.effect_id()
    assert decision.snapshot.seq == snapshot.seq + 1
    assert decision.snapshot.sound()
    assert decision.snapshot.generation - snapshot.generation in {0, 1}
    assert (decision.closes.id if decision.closes else None) == (before if before != after else None)
    assert (decision.opens.id if decision.opens else None) == (after if before != after else None)


@given(st.data(), snapshots(), policies)
def test_deciding_twice_gives_the_same(data: st.DataObject, snapshot: Snapshot, policy: Policy):
    event = data.draw(events(snapshot))
    first, second = decide(snapshot, event, policy), decide(snapshot, event, policy)
    assert first == second


@given(st.data(), snapshots(), policies)
def test_what_was_decided_once_is_rejected_when_it_comes_again(data: st.DataObject, snapshot: Snapshot, policy: Policy):
    event = data.draw(events(snapshot))
    decision = decide(snapshot, event, policy)
    if isinstance(decision, Decision) and decision.closes is not None and not decision.closes.abandoned:
        assert isinstance(decide(decision.snapshot, event, policy), Rejected)
