"""Returns: who is damped and held, who never is, and what is forgotten when it was well meanwhile."""

from __future__ import annotations

import pytest

from fsm.events import Verb
from fsm.policy import MINUTE, SECOND, Policy
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import State
from tests.unit.fsm.scenes import NEW, Scene

HOUR = 60 * MINUTE


def back(scene: Scene, after: int) -> Scene:
    """It is provisioned, lives for so long, and is seen in provisioning mode again."""
    return scene.to(State.PROVISIONED).later(after).hint().done(NEW)


def span(snapshot: Snapshot) -> int:
    assert snapshot.awaited is not None
    return snapshot.awaited.span


def test_one_that_is_back_at_once_again_and_again_waits_longer_each_time_and_is_held():
    scene, spans = Scene(), []
    for returns in range(1, scene.policy.loops):
        back(scene, 10 * SECOND)
        assert (scene.row, scene.state, scene.snapshot.reason) == (
            "came-back-soon",
            State.REPROVISION,
            Reason.CAME_BACK,
        )
        assert scene.snapshot.returns == returns
        spans.append(span(scene.snapshot))
    back(scene, 10 * SECOND)
    assert (scene.row, scene.state, scene.snapshot.reason) == ("looping-soon", State.FAILED, Reason.LOOPING)
    assert scene.snapshot.held
    assert spans[0] == 0
    assert spans == sorted(spans)
    assert spans[-1] > 10 * spans[1]


def test_returns_of_both_kinds_make_one_row():
    scene = back(Scene(), 10 * SECOND).to(State.RESTARTED).due().done(NEW)
    assert (scene.row, scene.snapshot.returns) == ("came-back", 2)


@pytest.mark.parametrize("life", [MINUTE, 5 * MINUTE, 10 * HOUR])
def test_one_that_lived_for_minutes_is_never_damped_however_often_it_comes(life: int):
    scene = Scene()
    for _ in range(3 * scene.policy.loops):
        back(scene, life)
        assert (scene.row, scene.snapshot.reason) == ("back-in-provisioning", Reason.SEEN_AGAIN)
        assert (span(scene.snapshot), scene.snapshot.returns) == (0, 0)


def test_what_was_counted_is_over_when_it_was_well_for_long():
    scene = Scene()
    for _ in range(5):
        back(scene, SECOND)
    assert scene.snapshot.returns == 5
    back(scene, HOUR)
    assert (scene.snapshot.returns, span(scene.snapshot)) == (0, 0)
    back(scene, SECOND)
    assert (scene.snapshot.returns, span(scene.snapshot)) == (1, 0)


@pytest.mark.parametrize(("within", "held"), [(12 * HOUR, True), (0, False)])
def test_a_site_says_how_long_a_life_is_no_return(within: int, held: bool):
    scene = Scene(Policy(returns_within=within))
    for _ in range(scene.policy.loops):
        if scene.snapshot.held:
            break
        back(scene, 6 * HOUR if held else SECOND)
    assert scene.snapshot.held is held


def test_a_server_token_that_has_expired_is_why_it_is_back_and_damps_nothing():
    scene = Scene().to(State.PROVISIONED)
    token = scene.snapshot.facts.token
    assert token is not None
    scene.later(token.expires * SECOND - scene.now).hint().done(NEW)
    assert (scene.row, scene.snapshot.reason) == ("token-ended", Reason.SERVER_TOKEN_EXPIRED)
    assert (span(scene.snapshot), scene.snapshot.returns) == (0, 0)


def test_a_clock_that_went_back_makes_no_return_of_it():
    scene = back(Scene(), -HOUR)
    assert scene.row == "back-in-provisioning"


def test_an_operators_release_forgives_what_was_counted():
    scene = Scene(Policy(loops=2))
    back(back(scene, SECOND), SECOND)
    assert scene.snapshot.held
    scene.asks(Verb.RELEASE)
    assert (scene.state, scene.snapshot.returns) == (State.DISCOVERED, 0)
