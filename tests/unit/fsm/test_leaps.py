"""Leaps: what of a node is moved when the clock was set, and what stays what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.demand import Demand, Standing
from fsm.effects import Effect
from fsm.events import Ack, Certainty, Done, DueKind, Event, Hint, HintKind, Sent
from fsm.leaps import heard, moved
from fsm.snapshot import Awaited, Facts, Parting, Quiet, Snapshot, unseen
from tests.unit.fsm.scenes import NOW, through

HOUR = 3_600_000
QUIET = Quiet(NOW + 60_000, "c1", NOW, "")


def full() -> Snapshot:
    """A node of which everything is held that has a time."""
    return replace(
        through(Effect.CONFIGURE).snapshot,
        quiet=QUIET,
        pairing=QUIET,
        parting=Parting(NOW),
        facts=Facts(at=NOW),
        looked=NOW,
        awaited=Awaited(NOW + 5, DueKind.STEP, 5),
        demand=Demand(3, NOW, Standing.LOOKING),
        first=NOW,
        since=NOW,
        provisioned_at=NOW,
    )


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
def test_what_is_measured_is_moved_and_what_says_when_it_was_stays(leap: int):
    before = full()
    after = moved(before, leap)
    assert before.doing is not None
    assert after == replace(
        before,
        leaps=leap,
        quiet=replace(QUIET, until=QUIET.until + leap, since=NOW + leap),
        pairing=replace(QUIET, until=QUIET.until + leap, since=NOW + leap),
        parting=Parting(NOW + leap),
        facts=Facts(at=NOW + leap),
        looked=NOW + leap,
        awaited=Awaited(NOW + 5 + leap, DueKind.STEP, 5),
        demand=Demand(3, NOW + leap, Standing.LOOKING),
        doing=replace(before.doing, since=before.doing.since + leap),
    )
    assert moved(after, 0) == before


def test_what_never_was_stays_so():
    assert moved(unseen("a.example.net"), HOUR) == replace(unseen("a.example.net"), leaps=HOUR)


def test_nothing_is_made_where_no_clock_was_set():
    before = full()
    event = Event(NOW, bytes(16), Hint(HintKind.LISTED))
    assert moved(before, 0) is before
    assert heard(event) is event


def test_a_request_is_told_in_the_time_of_its_answer():
    identity = through(Effect.CONFIGURE).snapshot.effect_id()
    assert identity is not None
    body = Done(Effect.CONFIGURE, identity, Ack("done"), Sent(NOW, "c1"))
    event = Event(NOW + 100 + HOUR, bytes(16), body, leaps=HOUR)
    assert heard(event) == replace(event, body=replace(body, sent=Sent(NOW + HOUR, "c1", HOUR)))


def test_what_may_be_alive_after_a_jump_was_believed_is_waited_for():
    """Sent in the minute before: by the clock alone it would be dead an hour ago."""
    scene = through(Effect.CONFIGURE).fails(Certainty.UNKNOWN)
    quiet = scene.snapshot.quiet
    assert quiet is not None
    after = moved(scene.snapshot, HOUR).quiet
    assert after is not None
    assert (after.until - scene.now - HOUR) == (quiet.until - scene.now)
