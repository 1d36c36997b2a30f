"""Quiet: what must be waited for after a request without an answer, and what proves that it is over (design §4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.demand import ON_DEMAND, SENDS
from fsm.effects import Effect, EffectId, Feature, choices
from fsm.events import Ack, Certainty, Done, DueKind, Event, Failed, Payload, Sent, Sighting, Verb, Verdict
from fsm.policy import Policy
from fsm.quiet import APART, after, configuration, forbids
from fsm.reasons import Reason
from fsm.recovery import waits_until_quiet
from fsm.snapshot import NOTHING, Quiet, Snapshot
from fsm.states import State
from tests.unit.fsm.scenes import NOW, Scene, helper, through

LIFE = 60_000
SENT = 1_000_000
POLICY = Policy()


def unanswered(effect: Effect, certainty: Certainty) -> Quiet | None:
    """What an effect leaves behind that ended like this."""
    return through(effect).fails(certainty).snapshot.quiet


@pytest.mark.parametrize("certainty", [Certainty.UNKNOWN, Certainty.INTERRUPTED])
@pytest.mark.parametrize("effect", [Effect.NEW_CSR, Effect.CONFIGURE, Effect.RESTART])
def test_a_request_without_an_answer_lives_until_sent_plus_twice_its_ttl(effect: Effect, certainty: Certainty):
    quiet = unanswered(effect, certainty)
    assert quiet is not None
    assert quiet.until - quiet.since == LIFE


@pytest.mark.parametrize(
    "certainty", [Certainty.NOT_SENT, Certainty.NOT_DELIVERED, Certainty.REFUSED, Certainty.INVALID]
)
def test_what_was_answered_or_never_sent_leaves_nothing_behind(certainty: Certainty):
    assert unanswered(Effect.CONFIGURE, certainty) is None


@pytest.mark.parametrize("effect", [Effect.FETCH_JWT, Effect.FETCH_INVENTORY, Effect.NEW_KEY, Effect.RUN_HELPER])
def test_what_does_not_change_the_node_or_heals_itself_leaves_nothing_behind(effect: Effect):
    assert unanswered(effect, Certainty.UNKNOWN) is None


def test_nothing_that_changes_the_node_opens_before_but_new_key():
    quiet = Quiet(SENT + LIFE, "c1", SENT, "")
    forbidden = {effect for effect in Effect if forbids(quiet, effect, NOTHING, SENT + LIFE - 1)}
    assert forbidden == {Effect.NEW_CSR, Effect.CONFIGURE, Effect.RESTART, Effect.SHUTDOWN} | SENDS
    assert not {effect for effect in Effect if forbids(quiet, effect, NOTHING, SENT + LIFE)}


def test_configure_and_the_restart_into_it_may_follow_a_configure_of_the_same_bytes():
    facts = through(Effect.CONFIGURE).snapshot.facts
    same, other = (Quiet(SENT + LIFE, "c1", SENT, digest) for digest in (configuration(facts), "other.bytes"))
    effects = (Effect.CONFIGURE, Effect.RESTART, Effect.SHUTDOWN)
    assert [forbids(same, effect, facts, SENT) for effect in effects] == [False, False, True]
    assert [forbids(other, effect, facts, SENT) for effect in effects] == [True, True, True]


def left_after(effect: Effect, facts: Payload | Certainty, at: int, connection: str) -> bool:
    """Whether something is still awaited to be quiet once this is known."""
    before = Quiet(SENT + LIFE, "c1", SENT, "")
    step = through(effect).snapshot
    snapshot = Snapshot(step.node, step.state, doing=step.doing, quiet=before)
    sent, identity = Sent(at, connection), EffectId(step.node, 1, 1, 1, 1, 1)
    body = (
        Failed(effect, identity, facts, Reason.REFUSED, sent=sent)
        if isinstance(facts, Certainty)
        else Done(effect, identity, facts, sent)
    )
    return after(snapshot, Event(at + 1, bytes(16), body), POLICY) is not None


ACK = Ack("done")
LATER = SENT + 1_000


def test_the_same_agent_on_the_same_connection_a_second_later_proves_it_over():
    assert not left_after(Effect.FETCH_JWT, ACK, LATER, "c1")
    assert not left_after(Effect.FETCH_JWT, Certainty.REFUSED, LATER, "c1")


def test_the_same_agent_less_than_a_second_later_proves_nothing():
    assert left_after(Effect.FETCH_JWT, ACK, LATER - 1, "c1")


def test_another_agent_proves_nothing():
    assert left_after(Effect.FETCH_INVENTORY, ACK, LATER, "c1")


def test_nothing_on_another_connection_proves_it_over():
    assert left_after(Effect.FETCH_JWT, ACK, LATER, "c2")
    assert left_after(Effect.LOOK, Sighting(present=True, age=0), LATER, "c2")


def test_a_new_process_on_the_same_connection_proves_it_over_and_the_same_one_does_not():
    assert not left_after(Effect.LOOK, Sighting(present=True, age=999), LATER, "c1")
    assert left_after(Effect.LOOK, Sighting(present=True, age=1_000), LATER, "c1")
    assert left_after(Effect.LOOK, Sighting(present=False), LATER, "c1")


def test_of_two_that_may_be_alive_only_what_they_have_in_common_is_known():
    scene = through(Effect.CONFIGURE).fails(Certainty.UNKNOWN)
    first = scene.snapshot.quiet
    scene.connection = "c2"
    both = scene.due().fails(Certainty.UNKNOWN).snapshot.quiet
    assert first is not None
    assert both is not None
    assert (both.connection, both.digest) == ("", first.digest)
    assert both.until > first.until


def test_a_shutdown_waits_too():
    scene = Scene().until(Effect.RUN_HELPER)
    scene.snapshot = replace(scene.snapshot, quiet=Quiet(scene.now + LIFE, "", scene.now, ""))
    scene.done(helper(Verdict.SHUTDOWN))
    assert (scene.row, scene.doing) == ("shutdown-not-yet", None)
    assert scene.due().doing is Effect.SHUTDOWN


# -- new_csr: each time that it is carried out it makes another key ----------------------------------------------------


def interrupted() -> Scene:
    """An x509 node whose new_csr was under way when usher was killed."""
    return through(Effect.NEW_CSR).crash()


def test_an_x509_node_interrupted_in_new_csr_waits_a_minute_and_is_asked_again_without_a_try():
    scene = interrupted().due()
    assert (scene.row, scene.wait) == ("step-not-yet", (DueKind.STEP, LIFE))
    scene.due()
    assert (scene.row, scene.doing) == ("step-again", Effect.NEW_CSR)
    assert scene.snapshot.doing is not None
    assert scene.snapshot.doing.tries == 1


@pytest.mark.parametrize(
    "effect", sorted(set(Effect) - {Effect.NEW_CSR, Effect.EXCHANGE_KEY, Effect.SHUTDOWN} - ON_DEMAND)
)
def test_no_other_node_waits_after_a_restart_of_ours_but_for_the_looks_that_a_parting_needs(effect: Effect):
    scene = through(effect).crash().due()
    assert scene.doing is (Effect.LOOK if effect is Effect.RESTART else effect)
    assert scene.row != "step-not-yet"


def test_such_a_node_is_counted_as_waiting_from_its_first_transition_on_and_no_other_is():
    assert waits_until_quiet(interrupted().snapshot)
    assert waits_until_quiet(interrupted().due().snapshot)
    others = set(Effect) - {Effect.NEW_CSR, Effect.EXCHANGE_KEY, Effect.SHUTDOWN} - ON_DEMAND
    assert not any(waits_until_quiet(through(effect).crash().snapshot) for effect in others)


def test_another_crash_meanwhile_lengthens_nothing():
    scene = interrupted().due()
    assert scene.snapshot.awaited is not None
    until = scene.snapshot.awaited.at
    assert scene.later(10_000).crash().due().snapshot.awaited is None
    assert scene.now == until


def test_a_request_without_an_answer_is_repeated_when_it_cannot_be_alive_and_supersedes_what_follows_from_it():
    scene = through(Effect.NEW_CSR).fails(Certainty.UNKNOWN).due()
    assert (scene.row, scene.wait) == ("step-not-yet", (DueKind.STEP, LIFE - 750))
    facts = scene.due().done().snapshot.facts
    assert (facts.csr is None, facts.helper, facts.token, facts.key) == (False, None, None, None)
    again = Scene(scene.policy).until(Effect.CONFIGURE).snapshot
    assert configuration(again.facts) == f"{'4e' * 8}.{'5f' * 8}"


@pytest.mark.parametrize("certainty", [Certainty.NOT_SENT, Certainty.NOT_DELIVERED, Certainty.REFUSED])
def test_a_request_that_cannot_be_alive_makes_nobody_wait(certainty: Certainty):
    assert unanswered(Effect.NEW_CSR, certainty) is None


def test_a_new_generation_waits_too_before_it_makes_its_first_key():
    scene = interrupted().asks(Verb.REPROVISION).until(Effect.FETCH_INVENTORY).done()
    assert (scene.row, scene.state, scene.wait) == ("inventoried-not-yet", State.INVENTORIED, (DueKind.STEP, LIFE))
    scene.due()
    assert (scene.row, scene.doing) == ("step-again", Effect.NEW_CSR)
    assert scene.snapshot.doing is not None
    assert (scene.snapshot.doing.seq, scene.snapshot.doing.tries) == (scene.snapshot.seq, 1)


def test_a_new_generation_on_the_same_connection_has_its_proof_and_does_not_wait():
    scene = through(Effect.NEW_CSR).asks(Verb.REPROVISION)
    assert scene.snapshot.quiet is not None
    scene.snapshot = replace(scene.snapshot, quiet=replace(scene.snapshot.quiet, connection="c1"))
    assert scene.due().due().later(APART).done().snapshot.quiet is None
    assert scene.done().doing is Effect.NEW_CSR


def test_an_abandoned_request_is_alive_like_any_other_and_forgetting_the_node_forgets_it_not():
    scene = through(Effect.NEW_CSR).asks(Verb.FORGET)
    assert (scene.state, scene.snapshot.quiet) == (State.UNSEEN, Quiet(scene.now + LIFE, "", scene.now, ""))
    assert scene.hint().until(Effect.FETCH_INVENTORY).done().row == "inventoried-not-yet"


def test_a_key_that_heals_itself_waits_for_nothing_and_no_other_first_step_does():
    quiet = Quiet(NOW + LIFE, "", NOW, "")
    for features in choices():
        scene = Scene(Policy(features=features)).until(Effect.FETCH_INVENTORY)
        scene.snapshot = replace(scene.snapshot, quiet=quiet)
        waits = scene.done().row == "inventoried-not-yet"
        assert waits == (Feature.PKI in features)


def test_features_that_exclude_each_other_are_refused():
    with pytest.raises(ValueError, match="ed25519 and pki exclude each other"):
        Policy(features=frozenset(Feature))
