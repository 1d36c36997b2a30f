"""The machine as the design tells it (§3): a test for each sentence, under the sentence's own words."""

from __future__ import annotations

import pytest

from fsm.demand import ON_DEMAND
from fsm.effects import Effect
from fsm.events import Certainty, DueKind, HintKind, Verb, Verdict
from fsm.machine import Decision, Rejected
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.snapshot import NO_LOOKS, NO_PARTING, NOTHING
from fsm.states import State
from tests.unit.fsm.scenes import GONE, KEY, NEW, OLD, Scene, helper, reached, through

LOOK_DELAY = 5_000


def test_a_phase_is_a_list_of_steps():
    scene, opened = Scene(), []
    while scene.state is not State.PROVISIONED:
        scene.go_on()
        if scene.doing and isinstance(scene.last, Decision) and scene.last.opens:
            opened.append(scene.doing)
    assert opened == [
        Effect.FETCH_JWT, Effect.FETCH_INVENTORY, Effect.NEW_KEY, Effect.RUN_HELPER, Effect.SIGN_TOKEN,
        Effect.CONFIGURE, Effect.RESTART, Effect.LOOK, Effect.LOOK,
    ]  # fmt: skip


def test_features_choose_steps_and_add_no_states():
    scene, opened = Scene(Policy(features=frozenset())), []
    for _ in range(3):
        scene.go_on()
        opened.append(scene.doing)
    assert opened == [None, Effect.FETCH_INVENTORY, Effect.RUN_HELPER]
    assert scene.done().doing is Effect.CONFIGURE


def test_a_node_that_is_seen_joins_the_waiting_room_and_is_admitted_when_its_turn_comes():
    scene = Scene().hint()
    assert scene.snapshot.waiting_for_admission
    assert scene.due().doing is Effect.FETCH_JWT


def test_a_new_generation_starts_from_the_beginning_and_nothing_is_kept():
    scene = through(Effect.RUN_HELPER).done(helper(Verdict.DEFER))
    assert scene.state is State.DEFERRED
    scene.due()
    assert (scene.state, scene.snapshot.generation, scene.row) == (State.DISCOVERED, 2, "begin-anew")
    assert (scene.snapshot.facts, scene.snapshot.doing) == (NOTHING, None)
    assert (scene.snapshot.parting, scene.snapshot.looks) == (NO_PARTING, NO_LOOKS)


def test_facts_are_no_older_than_facts_max_age_whenever_a_step_opens():
    scene = through(Effect.RUN_HELPER)
    scene.later(scene.policy.facts_max_age + 1).done()
    assert (scene.state, scene.snapshot.generation) == (State.DISCOVERED, 2)
    scene = through(Effect.RUN_HELPER)
    assert scene.later(scene.policy.facts_max_age).done().state is State.INVENTORIED


def test_the_first_look_is_due_5_s_after_the_acknowledgement():
    scene = reached(State.RESTARTED)
    assert scene.wait == (DueKind.LOOK, LOOK_DELAY)


def test_gone_counts_when_two_looks_5_s_apart_over_one_settled_connection_say_so():
    scene = reached(State.RESTARTED).due().done(GONE)
    assert (scene.state, scene.wait) == (State.RESTARTED, (DueKind.LOOK, LOOK_DELAY))
    scene.due().done(GONE)
    assert (scene.state, scene.snapshot.evidence) == (State.PROVISIONED, "left")


def test_gone_over_two_connections_counts_from_one_again():
    scene = reached(State.RESTARTED).due().done(GONE)
    scene.connection = "c2"
    assert scene.due().done(GONE).state is State.RESTARTED
    assert scene.due().done(GONE).state is State.PROVISIONED


@pytest.mark.parametrize("between", [Certainty.UNKNOWN])
def test_a_silence_between_two_looks_counts_from_one_again(between: Certainty):
    scene = reached(State.RESTARTED).due().done(GONE).due().fails(between)
    assert scene.due().done(GONE).state is State.RESTARTED
    assert scene.due().done(GONE).state is State.PROVISIONED


def test_same_process_restart_again_three_times_then_failed():
    scene = reached(State.RESTARTED)
    for _ in range(2):
        scene.due().done(OLD)
        assert (scene.state, scene.row) == (State.CONFIGURED, "restart-again")
        assert scene.due().doing is Effect.RESTART
        scene.done()
    scene.due().done(OLD)
    assert (scene.state, scene.snapshot.reason) == (State.FAILED, Reason.RESTART_WITHOUT_EFFECT)


def test_new_process_its_seed_and_token_are_deleted_so_it_is_provisioned_anew():
    scene = reached(State.RESTARTED).due().done(NEW)
    assert (scene.state, scene.snapshot.reason) == (State.REPROVISION, Reason.CAME_BACK)
    assert scene.wait == (DueKind.RETRY, 0)


def test_a_loop_backs_off_longer_each_time_and_is_held_in_the_end():
    scene, waits = Scene(), []
    while not scene.snapshot.held:
        scene.to(State.RESTARTED).due().done(NEW)
        waits.append(scene.wait[1] if scene.snapshot.awaited else -1)
    assert waits == [0, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000, -1]
    assert scene.snapshot.reason is Reason.LOOPING


def test_silent_n_times_after_an_acknowledged_restart_is_provisioned_with_the_evidence_silence():
    scene = reached(State.RESTARTED)
    for _ in range(3):
        assert scene.state is State.RESTARTED
        scene.due().fails(Certainty.UNKNOWN)
    assert (scene.state, scene.snapshot.evidence) == (State.PROVISIONED, "silence")


def test_silent_under_strict_is_failed_no_answer():
    scene = Scene(Policy(strict=True)).to(State.RESTARTED)
    for _ in range(3):
        scene.due().fails(Certainty.UNKNOWN)
    assert (scene.state, scene.snapshot.reason) == (State.FAILED, Reason.NO_ANSWER)


def test_silent_without_an_acknowledgement_is_failed_no_answer():
    scene = through(Effect.RESTART).fails(Certainty.UNKNOWN)
    for _ in range(3):
        scene.due().fails(Certainty.UNKNOWN)
    assert (scene.state, scene.snapshot.reason) == (State.FAILED, Reason.NO_ANSWER)


def test_a_restart_that_was_refused_because_the_configuration_keeps_provisioning_on_is_failed():
    refused = (Certainty.REFUSED, Reason.CONFIG_KEEPS_PROVISIONING)
    scene = through(Effect.RESTART).fails(*refused, transient=False)
    assert (scene.state, scene.snapshot.reason) == (State.FAILED, Reason.CONFIG_KEEPS_PROVISIONING)


@pytest.mark.parametrize(
    ("seen", "state"), [(GONE, State.RESTARTED), (NEW, State.REPROVISION), (OLD, State.CONFIGURED)]
)
@pytest.mark.parametrize("certainty", [Certainty.UNKNOWN, Certainty.INTERRUPTED, Certainty.INVALID])
def test_a_restart_without_an_answer_is_looked_for(certainty: Certainty, seen: object, state: State):
    scene = through(Effect.RESTART).fails(certainty)
    assert (scene.state, scene.wait) == (State.CONFIGURED, (DueKind.LOOK, LOOK_DELAY))
    assert scene.due().doing is Effect.LOOK
    assert scene.done(seen).state is state  # type: ignore[arg-type]


def test_an_unanswered_restart_is_sent_again_only_when_quiet():
    scene = through(Effect.RESTART)
    sent = scene.now
    scene.fails(Certainty.UNKNOWN).due().done(OLD).due()
    assert scene.doing is Effect.RESTART
    assert scene.now == sent + scene.policy.request_life


def test_provisioned_and_a_hint_one_look_rate_limited():
    scene = reached(State.PROVISIONED).later(1).hint(HintKind.STARTUP)
    assert scene.doing is Effect.LOOK
    assert scene.hint(HintKind.STARTUP).row == "looked-lately"
    scene.done(GONE).later(scene.policy.look_interval - 1).hint()
    assert (scene.doing, scene.row) == (None, "looked-lately")
    assert scene.later(1).hint().doing is Effect.LOOK


def test_provisioned_and_there_is_reprovision_and_no_loop():
    scene = reached(State.PROVISIONED).later(60_000).hint().done(NEW)
    assert (scene.state, scene.snapshot.reason) == (State.REPROVISION, Reason.SEEN_AGAIN)
    assert scene.snapshot.returns == 0


@pytest.mark.parametrize("certainty", [Certainty.UNKNOWN, Certainty.NOT_SENT, Certainty.INTERRUPTED])
def test_provisioned_and_silent_stays(certainty: Certainty):
    assert reached(State.PROVISIONED).hint().fails(certainty).state is State.PROVISIONED


@pytest.mark.parametrize(("reason", "wait"), [(Reason.ABSENT, 5_000), (Reason.NO_ANSWER, 5_000)])
def test_in_failed_absent_or_no_answer_a_hint_sets_due_to_now_plus_5_s(reason: Reason, wait: int):
    scene = through(Effect.NEW_KEY)
    scene.policy = Policy(retry_delay=400_000)
    certainty = Certainty.NOT_DELIVERED if reason is Reason.ABSENT else Certainty.UNKNOWN
    scene.fails(certainty, reason, transient=False)
    assert scene.wait == (DueKind.RETRY, 400_000)
    assert scene.hint().wait == (DueKind.RETRY, wait)
    assert scene.later(1_000).hint().row == "known"


def test_elsewhere_a_hint_changes_no_due_time():
    scene = through(Effect.NEW_KEY).fails(Certainty.REFUSED, Reason.REFUSED, transient=False)
    before = scene.snapshot
    assert isinstance(scene.hint(HintKind.STARTUP).last, Rejected)
    assert scene.snapshot == before


@pytest.mark.parametrize("effect", [Effect.FETCH_JWT, Effect.NEW_KEY, Effect.CONFIGURE])
def test_could_not_obtain_provisioning_lock_in_whichever_phase(effect: Effect):
    scene = through(effect).fails(Certainty.REFUSED, Reason.LOCK_HELD)
    assert (scene.state, scene.snapshot.generation) == (State.DISCOVERED, 2)
    assert (scene.wait, scene.snapshot.failures) == ((DueKind.RETRY, 120_000), 0)
    assert scene.due().snapshot.waiting_for_admission


@pytest.mark.parametrize(
    "state", [State.DISCOVERED, State.ENROLLED, State.RESTARTED, State.DEFERRED, State.REPROVISION]
)
def test_two_machines_have_one_name_failed_held(state: State):
    scene = {
        State.DEFERRED: lambda: through(Effect.RUN_HELPER).done(helper(Verdict.DEFER)),
        State.REPROVISION: lambda: reached(State.RESTARTED).due().done(NEW),
    }.get(state, lambda: reached(state))()
    scene.hint(HintKind.SECOND_ANSWER)
    assert (scene.state, scene.snapshot.reason, scene.snapshot.held) == (State.FAILED, Reason.DUPLICATE_IDENTITY, True)
    assert (scene.doing, scene.snapshot.awaited) == (None, None)


def test_retired_when_a_look_10_s_after_the_acknowledged_shutdown_finds_it_gone():
    scene = through(Effect.RUN_HELPER).done(helper(Verdict.SHUTDOWN))
    assert scene.doing is Effect.SHUTDOWN
    assert scene.done().wait == (DueKind.LOOK, 10_000)
    assert scene.due().later(scene.policy.facts_max_age).done(GONE).state is State.RETIRED


def test_not_there_is_failed_absent_first_and_gone_the_third_time():
    scene = through(Effect.NEW_KEY)
    assert scene.fails(Certainty.NOT_DELIVERED, Reason.ABSENT).state is State.FAILED
    assert scene.due().due().fails(Certainty.NOT_DELIVERED, Reason.ABSENT).state is State.FAILED
    assert scene.due().due().fails(Certainty.NOT_DELIVERED, Reason.ABSENT).state is State.GONE


def test_a_node_that_never_answered_is_gone_at_once():
    assert through(Effect.FETCH_JWT).fails(Certainty.NOT_DELIVERED, Reason.ABSENT).state is State.GONE


@pytest.mark.parametrize("kind", [HintKind.STARTUP, HintKind.LISTED, HintKind.REGISTRATION])
def test_an_end_lasts_until_a_hint(kind: HintKind):
    scene = through(Effect.FETCH_JWT).fails(Certainty.NOT_DELIVERED, Reason.ABSENT)
    assert scene.hint(kind).snapshot.waiting_for_admission


@pytest.mark.parametrize("certainty", [Certainty.NOT_SENT, Certainty.INTERRUPTED])
@pytest.mark.parametrize("effect", sorted(set(Effect) - {Effect.SHUTDOWN, Effect.RESTART} - ON_DEMAND))
def test_an_outage_or_our_own_crash_costs_no_try(certainty: Certainty, effect: Effect):
    scene = through(effect)
    for _ in range(10):
        scene.fails(certainty, Reason.DISCONNECTED).due()
        if effect is Effect.NEW_CSR and certainty is Certainty.INTERRUPTED:
            assert (scene.row, scene.wait) == ("step-not-yet", (DueKind.STEP, 60_000))
            scene.due()
        if effect is Effect.EXCHANGE_KEY and certainty is Certainty.INTERRUPTED:
            assert (scene.row, scene.wait) == ("exchange-later", (DueKind.STEP, 60_000))
            scene.due()
        assert scene.doing is effect
    assert scene.snapshot.doing is not None
    assert scene.snapshot.doing.tries == 1
    assert scene.snapshot.failures == 0


def test_a_row_that_leaves_a_phase_abandons_the_open_effect():
    scene = through(Effect.CONFIGURE).asks(Verb.QUARANTINE)
    assert isinstance(scene.last, Decision)
    assert scene.last.closes is not None
    assert scene.last.closes.abandoned
    assert scene.doing is None


def test_what_survives_a_generation():
    scene = reached(State.PROVISIONED).hint().done(NEW).due()
    assert scene.snapshot.generation == 2
    assert (scene.snapshot.previous_key, scene.snapshot.previous_token) == (KEY, "token")
    assert scene.snapshot.provisioned_at > 0


@pytest.mark.parametrize("started", [False, True])
def test_recovery_closes_every_open_effect_and_the_table_opens_it_again_under_the_new_epoch(started: bool):
    scene = through(Effect.SIGN_TOKEN)
    before = scene.snapshot.doing
    scene.crash(started=started).due()
    after = scene.snapshot.doing
    assert before is not None
    assert after is not None
    assert (after.effect, after.seq, after.entropy) == (before.effect, before.seq, before.entropy)
    assert (after.epoch, after.open, after.tries) == (2, True, 1)
