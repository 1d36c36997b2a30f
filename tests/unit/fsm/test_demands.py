"""What operators ask of nodes in the fleet, as the table has it: sent once, and looked for when in doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.codec import decode_snapshot, encode_snapshot
from fsm.demand import Demand, Standing
from fsm.demands import LEAVING
from fsm.effects import Effect
from fsm.events import Certainty, Done, DueKind, HintKind, JwtFacts, Sighting, Verb
from fsm.machine import Rejected
from fsm.reasons import Reason
from fsm.snapshot import NOTHING
from fsm.states import State
from tests.unit.fsm.scenes import GONE, NEW, OLD, Scene, reached, through

PLAN = 7
DEMANDS = [Verb.REPROVISION, Verb.RESTART, Verb.SHUTDOWN]
SENT = {
    Verb.REPROVISION: Effect.SEND_REPROVISION,
    Verb.RESTART: Effect.SEND_RESTART,
    Verb.SHUTDOWN: Effect.SEND_SHUTDOWN,
}
UNCERTAIN = [Certainty.UNKNOWN, Certainty.INTERRUPTED, Certainty.INVALID]


def asked(verb: Verb = Verb.REPROVISION) -> Scene:
    return reached(State.PROVISIONED).later(3_600_000).asks(verb, PLAN)


def standing(scene: Scene) -> Standing | None:
    return scene.snapshot.demand.standing if scene.snapshot.demand else None


@pytest.mark.parametrize("verb", DEMANDS)
def test_what_is_asked_is_noted_before_it_is_sent(verb: Verb):
    scene = asked(verb)
    assert (scene.state, scene.doing) == (State.PROVISIONED, SENT[verb])
    assert scene.snapshot.demand == Demand(PLAN, scene.now, Standing.SENDING, SENT[verb])
    assert (scene.snapshot.reason, scene.snapshot.detail) == (Reason.ASKED, "root: because")


def test_a_node_that_says_that_it_goes_is_awaited_in_provisioning_when_it_has_left():
    scene = asked().done()
    assert (scene.state, scene.row, scene.wait) == (State.REPROVISION, "reprovision-sent", (DueKind.RETRY, LEAVING))
    assert standing(scene) is Standing.DONE
    scene.due()
    assert (scene.state, scene.snapshot.generation, scene.snapshot.facts) == (State.DISCOVERED, 2, NOTHING)
    assert standing(scene) is Standing.DONE


def test_a_restart_leaves_it_provisioned_and_a_shutdown_retires_it():
    assert (asked(Verb.RESTART).done().row, asked(Verb.SHUTDOWN).done().state) == ("restart-sent", State.RETIRED)
    assert asked(Verb.RESTART).done().state is State.PROVISIONED


@pytest.mark.parametrize(
    ("certainty", "reason", "now"),
    [
        (Certainty.NOT_SENT, Reason.FLEET_CLOSED, Standing.NOT_SENT),
        (Certainty.NOT_DELIVERED, Reason.ABSENT, Standing.ABSENT),
        (Certainty.REFUSED, Reason.WRONG_TOKEN, Standing.REFUSED),
    ],
)
@pytest.mark.parametrize("verb", DEMANDS)
def test_what_is_known_not_to_have_happened_leaves_it_provisioned_and_may_be_asked_anew(
    verb: Verb, certainty: Certainty, reason: Reason, now: Standing
):
    scene = asked(verb).fails(certainty, reason)
    assert (scene.state, scene.row, standing(scene)) == (State.PROVISIONED, "demand-failed", now)
    assert scene.snapshot.reason is reason
    assert scene.asks(verb, PLAN).doing is SENT[verb]


@pytest.mark.parametrize("certainty", UNCERTAIN)
@pytest.mark.parametrize("verb", DEMANDS)
def test_what_may_have_happened_is_looked_for_in_the_fleet_and_never_sent_again(verb: Verb, certainty: Certainty):
    scene = asked(verb).fails(certainty)
    assert (scene.row, scene.wait, standing(scene)) == ("demand-unknown", (DueKind.LOOK, LEAVING), Standing.LOOKING)
    assert isinstance(scene.asks(verb, PLAN).last, Rejected)
    assert scene.row == "asked-before"
    assert scene.due().doing is Effect.LOOK_IN_FLEET


@pytest.mark.parametrize("verb", DEMANDS)
def test_killed_between_intent_and_answer_it_is_looked_for(verb: Verb):
    assert asked(verb).crash().row == "demand-unknown"
    scene = asked(verb).crash(started=False)
    assert (scene.row, standing(scene)) == ("demand-failed", Standing.NOT_SENT)


def test_gone_from_the_fleet_and_back_in_provisioning_is_what_was_asked():
    scene = asked().fails(Certainty.UNKNOWN).due().done(GONE)
    assert (scene.row, scene.doing) == ("left-the-fleet", Effect.LOOK)
    scene.done(NEW)
    assert (scene.row, scene.state, standing(scene)) == ("returned-as-asked", State.REPROVISION, Standing.DONE)
    assert scene.snapshot.reason is Reason.ASKED


def test_neither_in_the_fleet_nor_in_provisioning_stays_unknown():
    scene = asked().fails(Certainty.UNKNOWN).due().done(GONE).done(GONE)
    assert (scene.row, scene.state, standing(scene)) == ("looked-for-in-vain", State.PROVISIONED, Standing.UNKNOWN)
    assert scene.asks(Verb.REPROVISION, PLAN).row == "asked-before"


def test_gone_after_a_shutdown_is_retired():
    scene = asked(Verb.SHUTDOWN).fails(Certainty.UNKNOWN).due().done(GONE)
    assert (scene.row, scene.state) == ("left-at-its-shutdown", State.RETIRED)


def test_a_new_process_in_the_fleet_has_restarted():
    scene = asked(Verb.RESTART).fails(Certainty.UNKNOWN).due().done(NEW)
    assert (scene.row, scene.state, standing(scene)) == ("restarted-in-fleet", State.PROVISIONED, Standing.DONE)


@pytest.mark.parametrize("verb", [Verb.REPROVISION, Verb.SHUTDOWN])
def test_a_new_process_in_the_fleet_is_not_what_was_to_leave_it(verb: Verb):
    scene = asked(verb).fails(Certainty.UNKNOWN).due().done(NEW)
    assert scene.row == "there-not-yet"
    scene.due().done(NEW)
    assert (scene.row, standing(scene)) == ("no-effect", Standing.NO_EFFECT)


def test_the_same_process_proves_nothing_while_the_request_may_be_alive():
    scene = asked().fails(Certainty.UNKNOWN).due().done(OLD)
    assert (scene.row, standing(scene)) == ("there-not-yet", Standing.LOOKING)
    assert scene.wait == (DueKind.LOOK, scene.policy.request_life)
    scene.due().done(OLD)
    assert (scene.row, standing(scene)) == ("no-effect", Standing.NO_EFFECT)
    assert scene.asks(Verb.REPROVISION, PLAN).doing is Effect.SEND_REPROVISION


def test_a_look_that_was_not_made_is_made_later_and_one_in_vain_is_the_last():
    scene = asked().fails(Certainty.UNKNOWN).due().fails(Certainty.NOT_SENT, Reason.DISCONNECTED)
    assert scene.row == "look-for-it-later"
    scene.due().fails(Certainty.UNKNOWN)
    assert (scene.row, scene.state, standing(scene)) == ("found-by-nobody", State.PROVISIONED, Standing.UNKNOWN)
    closed = asked().fails(Certainty.UNKNOWN).due().fails(Certainty.NOT_SENT, Reason.FLEET_CLOSED, transient=False)
    assert closed.row == "found-by-nobody"


def without_default() -> Scene:
    scene = through(Effect.FETCH_JWT)
    scene.done(JwtFacts("1b" * 32, "jti", provisions_by_default=False))
    return scene.to(State.PROVISIONED)


def test_a_node_whose_token_lacks_chpd_is_sent_nothing_unless_the_operator_insists():
    scene = without_default().asks(Verb.REPROVISION)
    assert (scene.row, scene.doing) == ("stays-away", None)
    assert scene.asks(Verb.REPROVISION, force=True).doing is Effect.SEND_REPROVISION
    assert without_default().asks(Verb.RESTART).doing is Effect.SEND_RESTART


def test_a_token_that_was_never_seen_is_said_and_needs_insisting_too():
    scene = reached(State.PROVISIONED)
    scene.snapshot = replace(scene.snapshot, facts=replace(scene.snapshot.facts, jwt=None))
    assert scene.asks(Verb.REPROVISION).row == "may-stay-away"
    assert scene.asks(Verb.REPROVISION, force=True).doing is Effect.SEND_REPROVISION


@pytest.mark.parametrize("verb", DEMANDS)
def test_what_is_under_way_is_not_disturbed(verb: Verb):
    scene = reached(State.PROVISIONED).later(3_600_000).hint(HintKind.LISTED)
    assert scene.doing is Effect.LOOK
    assert scene.asks(verb, PLAN).row == "busy"


@pytest.mark.parametrize("verb", DEMANDS)
def test_nothing_is_sent_while_an_earlier_request_may_be_alive(verb: Verb):
    scene = asked(Verb.SHUTDOWN).fails(Certainty.UNKNOWN).asks(Verb.QUARANTINE).asks(Verb.RELEASE)
    assert scene.state is State.PROVISIONED
    assert scene.asks(verb, PLAN + 1).row == "not-quiet"
    assert scene.later(scene.policy.request_life).asks(verb, PLAN + 1).doing is SENT[verb]


@pytest.mark.parametrize("state", sorted(set(State) - {State.UNSEEN, State.PROVISIONED, State.RETIRED, State.GONE}))
def test_what_is_not_in_the_fleet_is_sent_nothing_and_begins_anew(state: State):
    if state in {State.DEFERRED, State.FAILED, State.REPROVISION}:
        scene = reached(State.DISCOVERED)
        scene.snapshot = replace(scene.snapshot, state=state)
    else:
        scene = reached(state)
    assert scene.asks(Verb.RESTART, PLAN).row == "not-in-the-fleet"
    scene.asks(Verb.REPROVISION, PLAN)
    assert (scene.state, scene.doing, standing(scene)) == (State.REPROVISION, None, Standing.DONE)
    assert scene.asks(Verb.REPROVISION, PLAN).row == "asked-before"
    assert scene.asks(Verb.REPROVISION, PLAN + 1).row == "asked-to-reprovision"


def test_an_unknown_node_is_not_known():
    assert Scene().asks(Verb.SHUTDOWN).row == "unknown-node"


def test_a_forged_hint_brings_no_look_between_a_demand_and_its_answer():
    assert asked().hint().row == "looked-lately"


def test_a_late_answer_of_a_demand_that_was_given_up_changes_nothing():
    scene = asked()
    identity = scene.snapshot.effect_id()
    assert identity is not None
    scene.asks(Verb.QUARANTINE)
    before = scene.snapshot
    scene.post(Done(Effect.SEND_REPROVISION, identity, scene.usual(Effect.SEND_REPROVISION), scene.sent()))
    assert (isinstance(scene.last, Rejected), scene.snapshot) == (True, before)


def test_a_demand_is_stored_and_read_back_and_a_closed_record_has_none():
    scene = asked().fails(Certainty.UNKNOWN)
    assert decode_snapshot(encode_snapshot(scene.snapshot)) == scene.snapshot
    here = reached(State.CONFIGURED).asks(Verb.REPROVISION, PLAN)
    assert decode_snapshot(encode_snapshot(here.snapshot)) == here.snapshot
    assert scene.asks(Verb.FORGET).snapshot.demand is None


def test_a_sighting_without_a_demand_is_what_it_always_was():
    scene = reached(State.PROVISIONED).later(3_600_000).hint().done(Sighting(present=True, age=1))
    assert scene.row == "back-in-provisioning"
