"""What an operator can ask for: a row in every state, and what it does."""

from __future__ import annotations

import pytest

from fsm.effects import Effect
from fsm.events import Certainty, DueKind, TokenFacts, Verb
from fsm.machine import Rejected
from fsm.reasons import Reason
from fsm.states import State
from tests.unit.fsm.scenes import GONE, Scene, reached, through


def failed() -> Scene:
    """A node that failed and waits."""
    return through(Effect.NEW_KEY).fails(Certainty.REFUSED, Reason.REFUSED, transient=False)


def test_retry_begins_a_new_generation_at_once():
    scene = failed().asks(Verb.RETRY)
    assert (scene.state, scene.snapshot.generation) == (State.DISCOVERED, 2)
    assert scene.snapshot.waiting_for_admission


def test_retry_hurries_a_step_that_waits():
    scene = through(Effect.NEW_KEY).fails(Certainty.UNKNOWN).asks(Verb.RETRY)
    assert scene.wait == (DueKind.STEP, 0)


def test_retry_does_not_hurry_a_look_since_two_of_them_must_be_apart():
    scene = reached(State.RESTARTED).due().done(GONE)
    before = scene.snapshot
    assert isinstance(scene.asks(Verb.RETRY).last, Rejected)
    assert scene.snapshot == before


def test_a_hurried_configure_still_waits_until_quiet():
    scene = through(Effect.NEW_KEY).until(Effect.CONFIGURE).asks(Verb.REPROVISION).due().due()
    scene.until(Effect.SIGN_TOKEN).done(TokenFacts("another", "9f" * 32, 1_826_738_754, ""))
    assert (scene.state, scene.wait) == (State.ENROLLED, (DueKind.STEP, scene.policy.request_life))
    assert scene.asks(Verb.RETRY).due().row == "step-not-yet"
    assert scene.wait == (DueKind.STEP, scene.policy.request_life)


def test_quarantine_holds_until_release():
    scene = through(Effect.CONFIGURE).asks(Verb.QUARANTINE)
    assert (scene.state, scene.snapshot.held, scene.snapshot.reason) == (State.FAILED, True, Reason.QUARANTINED)
    assert scene.snapshot.failed_from is State.ENROLLED
    assert scene.asks(Verb.RETRY).row == "held-retry"
    assert scene.asks(Verb.RELEASE).snapshot.waiting_for_admission


def test_a_provisioned_node_that_was_held_is_provisioned_again_when_released():
    scene = reached(State.PROVISIONED)
    before = scene.snapshot
    scene.asks(Verb.QUARANTINE).asks(Verb.RELEASE)
    assert (scene.state, scene.row) == (State.PROVISIONED, "release-provisioned")
    assert (scene.snapshot.held, scene.snapshot.reason, scene.snapshot.failed_from) == (False, None, None)
    assert scene.snapshot.evidence == before.evidence
    assert scene.snapshot.resting


def test_quarantine_of_a_failed_node_keeps_where_it_failed():
    scene = failed().asks(Verb.QUARANTINE)
    assert scene.snapshot.held
    assert scene.snapshot.failed_from is State.INVENTORIED


def test_a_node_that_nobody_knows_can_be_quarantined_before_it_comes():
    scene = Scene().asks(Verb.QUARANTINE)
    assert scene.snapshot.held
    assert isinstance(scene.hint().last, Rejected)


def test_forget_closes_the_record_and_numbers_go_on():
    scene = through(Effect.CONFIGURE)
    seq = scene.snapshot.seq
    scene.asks(Verb.FORGET)
    assert (scene.state, scene.snapshot.seq) == (State.UNSEEN, seq + 1)
    assert scene.hint().snapshot.generation == 2


def test_forget_does_not_forget_what_may_still_be_alive():
    scene = through(Effect.CONFIGURE).asks(Verb.FORGET)
    assert scene.snapshot.quiet is not None


@pytest.mark.parametrize("state", [State.DISCOVERED, State.CONFIGURED, State.PROVISIONED])
def test_release_of_what_is_not_held_changes_nothing(state: State):
    assert isinstance(reached(state).asks(Verb.RELEASE).last, Rejected)


@pytest.mark.parametrize("verb", sorted(set(Verb) - {Verb.QUARANTINE}))
def test_what_is_asked_of_a_node_that_nobody_knows_changes_nothing(verb: Verb):
    assert isinstance(Scene().asks(verb).last, Rejected)
