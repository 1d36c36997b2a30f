"""An election won after another led: each unfinished node begins anew, but for those that were told to leave."""

from __future__ import annotations

import pytest

from fsm.effects import Effect
from fsm.events import Certainty, Verb, Verdict
from fsm.machine import Rejected
from fsm.snapshot import NOTHING
from fsm.states import ENDS, WAITING, State
from tests.unit.fsm.scenes import GONE, OLD, X509, Scene, helper, through


@pytest.mark.parametrize(
    "effect", [Effect.FETCH_INVENTORY, Effect.NEW_KEY, Effect.RUN_HELPER, Effect.SIGN_TOKEN, Effect.CONFIGURE]
)
def test_an_unfinished_node_begins_anew(effect: Effect):
    scene = through(effect)
    generation = scene.snapshot.generation
    scene.asks(Verb.TAKEOVER)
    assert (scene.row, scene.state, scene.snapshot.generation) == ("taken-over", State.DISCOVERED, generation + 1)
    assert (scene.snapshot.facts, scene.snapshot.doing, scene.snapshot.awaited) == (NOTHING, None, None)


def test_one_that_is_being_configured_waits_until_the_request_of_the_old_epoch_is_dead():
    scene = through(Effect.NEW_KEY).until(Effect.CONFIGURE)
    scene.crash().asks(Verb.TAKEOVER)
    assert scene.row == "taken-over"
    assert scene.snapshot.quiet is not None
    scene.until(Effect.RUN_HELPER).done().done()
    assert scene.row == "enrolled-not-yet"


def test_an_x509_node_makes_no_other_key_while_the_old_request_may_live():
    scene = Scene(X509).until(Effect.NEW_CSR)
    scene.crash().asks(Verb.TAKEOVER)
    scene.until(Effect.FETCH_INVENTORY).done()
    assert scene.row == "inventoried-not-yet"


def test_one_that_nothing_was_done_to_stays_where_it_is():
    scene = Scene().hint()
    scene.asks(Verb.TAKEOVER)
    assert isinstance(scene.last, Rejected)
    assert scene.snapshot.waiting_for_admission


@pytest.mark.parametrize("certainty", [None, Certainty.UNKNOWN])
def test_one_that_was_told_to_restart_is_looked_for_and_its_record_says_where_it_is(certainty: Certainty | None):
    scene = through(Effect.CONFIGURE).done()
    if certainty is None:
        scene.done()
    else:
        scene.fails(certainty)
    generation = scene.snapshot.generation
    scene.asks(Verb.TAKEOVER)
    assert isinstance(scene.last, Rejected)
    scene.due().done(GONE).due().done(GONE)
    assert (scene.state, scene.snapshot.generation) == (State.PROVISIONED, generation)


def test_a_restart_that_was_under_way_is_interrupted_and_looked_for():
    scene = through(Effect.CONFIGURE).done()
    assert scene.doing is Effect.RESTART
    scene.crash()
    assert scene.row == "restart-unknown"
    scene.asks(Verb.TAKEOVER)
    assert isinstance(scene.last, Rejected)
    assert scene.due().doing is Effect.LOOK


def test_one_that_did_not_leave_is_told_again():
    scene = through(Effect.CONFIGURE).done().done().asks(Verb.TAKEOVER).due().done(OLD)
    assert scene.row == "restart-again"


@pytest.mark.parametrize(
    "scene",
    [
        Scene().to(State.PROVISIONED),
        through(Effect.RUN_HELPER).done(helper(Verdict.DEFER)),
        Scene().hint().due().fails(Certainty.NOT_DELIVERED),
        through(Effect.NEW_KEY).asks(Verb.QUARANTINE),
        through(Effect.NEW_KEY).asks(Verb.REPROVISION),
        Scene(),
    ],
    ids=lambda scene: scene.state.value,
)
def test_what_is_at_rest_or_begins_anew_in_any_case_stays(scene: Scene):
    before = scene.snapshot
    assert before.state in ENDS | WAITING | {State.UNSEEN}
    scene.asks(Verb.TAKEOVER)
    assert isinstance(scene.last, Rejected)
    assert scene.snapshot == before
