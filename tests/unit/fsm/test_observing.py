"""Observing: a node is read without its lock, and whatever comes, nothing else is done to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.effects import Effect, Feature
from fsm.events import Certainty, HintKind, Verb
from fsm.machine import Decision
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.states import State
from tests.unit.fsm.scenes import Scene
from usher.effects.observing import HARMLESS

OBSERVER = Policy(observe=True, features=frozenset())


def test_a_node_is_read_put_off_and_read_again_later():
    scene = Scene(OBSERVER).hint().due()
    assert scene.doing is Effect.FETCH_INVENTORY
    scene.done()
    assert (scene.row, scene.state, scene.snapshot.reason) == ("observed", State.DEFERRED, Reason.OBSERVED)
    assert scene.snapshot.facts.inventory is not None
    awaited = scene.snapshot.awaited
    assert awaited is not None
    assert OBSERVER.observe_delay * 3 // 4 <= awaited.span <= OBSERVER.observe_delay
    scene.due().due()
    assert (scene.doing, scene.snapshot.generation) == (Effect.FETCH_INVENTORY, 2)


def test_one_that_the_live_provisioner_took_ends_as_gone():
    scene = Scene(OBSERVER).hint().due().done().due()
    for _ in range(3):
        scene.due().fails(Certainty.NOT_DELIVERED, Reason.ABSENT)
        if scene.state is State.FAILED:
            scene.due()
    assert scene.state is State.GONE


@pytest.mark.parametrize("feature", list(Feature))
def test_an_observer_has_no_features(feature: Feature):
    with pytest.raises(ValueError, match="observes"):
        Policy(observe=True, features=frozenset({feature}))


STEPS = st.sampled_from(["hint", "due", "done", "later", *Certainty, *Verb, *HintKind])


@given(st.lists(STEPS, max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_nothing_is_opened_that_touches_a_node(steps: list[object]):
    scene = Scene(OBSERVER)
    for step in steps:
        if isinstance(step, HintKind):
            scene.hint(step)
        elif isinstance(step, Verb):
            scene.asks(step)
        elif step == "hint":
            scene.hint()
        elif step == "later":
            scene.later(3_600_000)
        elif step == "due":
            scene.due()
        elif scene.snapshot.open is not None:
            scene.done() if step == "done" else scene.fails(step)  # type: ignore[arg-type]
        if isinstance(scene.last, Decision) and scene.last.opens is not None:
            assert scene.last.opens.effect in HARMLESS
        assert scene.snapshot.sound()
        assert scene.state not in {State.INVENTORIED, State.ENROLLED, State.CONFIGURED, State.RESTARTED}
