"""A node that was told to leave long ago is looked for before its record says anything else."""

from __future__ import annotations

import pytest

from fsm.effects import Effect
from fsm.events import Certainty, DueKind, Sighting, Verdict
from fsm.states import State
from tests.unit.fsm.scenes import GONE, NEW, OLD, Scene, helper, through

LONG = 20 * 60 * 1000


def told_to_restart() -> Scene:
    """Nobody answered, and a look found it there: it is to be told again when quiet; then nobody did so for long."""
    return through(Effect.RESTART).fails(Certainty.UNKNOWN).due().done(OLD).later(LONG).due()


def told_to_shut_down() -> Scene:
    scene = through(Effect.RUN_HELPER).done(helper(Verdict.SHUTDOWN))
    return scene.fails(Certainty.UNKNOWN).due().done(OLD).later(LONG).due()


@pytest.mark.parametrize("scene", [told_to_restart, told_to_shut_down])
def test_it_is_looked_for(scene):
    told = scene()
    assert (told.row, told.doing, told.snapshot.generation) == ("look-first", Effect.LOOK, 1)


@pytest.mark.parametrize(
    ("scene", "facts", "row", "state"),
    [
        (told_to_restart, GONE, "found-gone", State.RESTARTED),
        (told_to_restart, NEW, "came-back", State.REPROVISION),
        (told_to_restart, OLD, "still-there", State.DISCOVERED),
        (told_to_shut_down, GONE, "retired", State.RETIRED),
        (told_to_shut_down, NEW, "shutdown-returned", State.REPROVISION),
        (told_to_shut_down, OLD, "still-there", State.DISCOVERED),
    ],
)
def test_the_look_decides(scene, facts: Sighting, row: str, state: State):
    told = scene().done(facts)
    assert (told.row, told.state) == (row, state)


def test_who_is_still_there_begins_anew_from_the_waiting_room():
    told = told_to_restart().done(OLD)
    assert told.snapshot.waiting_for_admission
    assert told.snapshot.generation == 2
    assert told.snapshot.failures == 0


def test_who_was_never_told_to_leave_is_not_looked_for():
    scene = through(Effect.RESTART).crash(started=False).later(LONG).due()
    assert scene.row == "step-too-late"


def test_while_facts_are_young_it_is_told_again():
    scene = through(Effect.RESTART).fails(Certainty.UNKNOWN).due().done(OLD)
    assert (scene.row, scene.wait[0]) == ("restart-again", DueKind.STEP)
    assert scene.due().doing is Effect.RESTART
