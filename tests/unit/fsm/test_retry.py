"""Waits grow, have a cap, and are spread by the entropy of the event."""

from __future__ import annotations

import pytest

from fsm.effects import SPECS, Effect
from fsm.events import Certainty, DueKind
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.retry import before_generation, before_try, spread
from fsm.states import State
from tests.unit.fsm.scenes import Scene, through

POLICY = Policy()
LEAST, MOST = bytes(16), bytes([255] * 16)


def test_a_wait_is_spread_between_three_quarters_and_the_whole():
    assert spread(1_024, LEAST) == 1_024
    assert 768 <= spread(1_024, MOST) < 1_024


def test_the_wait_before_a_try_grows_to_its_cap():
    waits = [before_try(POLICY, tries, LEAST) for tries in range(1, 20)]
    assert waits[:3] == [750, 1_500, 2_250]
    assert waits == sorted(waits)
    assert waits[-1] == POLICY.try_cap


def test_the_wait_before_a_generation_doubles_to_its_cap():
    waits = [before_generation(POLICY, failures, LEAST) for failures in (1, 2, 3, 7, 8, 9, 1_000_000)]
    assert waits == [5_000, 10_000, 20_000, 320_000, POLICY.retry_cap, POLICY.retry_cap, POLICY.retry_cap]


@pytest.mark.parametrize("effect", [Effect.FETCH_JWT, Effect.NEW_KEY, Effect.RUN_HELPER, Effect.CONFIGURE])
@pytest.mark.parametrize("certainty", [Certainty.UNKNOWN, Certainty.REFUSED, Certainty.INVALID])
def test_a_step_is_tried_as_often_as_its_effect_says_and_then_the_node_fails(effect: Effect, certainty: Certainty):
    scene = through(effect)
    for tries in range(1, SPECS[effect].tries):
        scene.fails(certainty)
        assert scene.wait == (DueKind.STEP, before_try(POLICY, tries, LEAST))
        assert scene.due().doing is effect
    assert scene.fails(certainty).state is State.FAILED


def test_what_trying_again_cannot_help_fails_at_once():
    scene = through(Effect.FETCH_JWT).fails(Certainty.REFUSED, Reason.WRONG_TOKEN, transient=False)
    assert (scene.state, scene.snapshot.reason) == (State.FAILED, Reason.WRONG_TOKEN)


def test_a_transient_failure_is_never_final():
    scene = Scene()
    for failures in range(1, 40):
        scene.until(Effect.FETCH_JWT).fails(Certainty.REFUSED, transient=False)
        assert scene.snapshot.failures == failures
        assert scene.wait == (DueKind.RETRY, before_generation(POLICY, failures, LEAST))
        assert scene.wait[1] <= POLICY.retry_cap


def test_the_wait_after_a_failure_begins_anew_once_it_was_provisioned():
    scene = through(Effect.NEW_KEY).fails(Certainty.REFUSED, transient=False).to(State.PROVISIONED)
    assert scene.snapshot.failures == 0
