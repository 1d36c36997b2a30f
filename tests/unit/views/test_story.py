"""The story tells each situation in its own sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.effects import Effect
from fsm.events import Certainty, DueKind
from fsm.reasons import WHAT, Reason
from fsm.snapshot import Awaited, Doing, Quiet, Snapshot
from fsm.states import State
from store.views import FleetView
from usher.views.past import SAID, Ended, Past
from usher.views.story import arrival, story
from usher.views.text import local

NOW = 1_763_674_535_000
SINCE = NOW - 300_000
BASE = Snapshot("web1.example.net", State.FAILED, 3, 40, SINCE, SINCE, answered=True)


def doing(effect: Effect = Effect.RUN_HELPER, *, tries: int = 2, is_open: bool = True) -> Doing:
    return Doing(effect, 39, 40, 1, tries, SINCE, bytes(16), NOW - 4000, open=is_open)


def line(seq: int = 40, row: str = "fail", *, ended: Ended | None = None, detail: str = "", at: int = SINCE) -> Past:
    return Past(seq, at, 1, 3, seq, "failed", row, State.INVENTORIED, State.FAILED, ended, None, detail)


def refused(detail: str = "no such datacentre") -> Past:
    return line(ended=Ended(Effect.RUN_HELPER, 1, Certainty.REFUSED, Reason.HELPER_FAILED), detail=detail)


def test_a_failure_is_told_whole():
    snapshot = replace(
        BASE, reason=Reason.HELPER_FAILED, detail="no such datacentre", failures=3, failed_from=State.INVENTORIED,
        awaited=Awaited(NOW + 42_000, DueKind.RETRY, 60_000),
    )  # fmt: skip
    assert story(snapshot, [refused()], NOW).paragraph == (
        "web1.example.net is failed (it could not be provisioned; the reason and the time of the next try are held) "
        f"since {local(SINCE)} (5m ago), in generation 3. The row fail brought it there from inventoried: it cannot "
        f"go on: begin anew after a wait. What failed last is run_helper, which was refused {local(SINCE)} (5m ago): "
        'helper_failed (the helper ended with an error), in the words "no such datacentre". '
        "It has failed 3 times in a row. "
        f"Generation 4, which starts from the beginning, is due {local(NOW + 42_000)} (in 42s)."
    )


@pytest.mark.parametrize("certainty", Certainty)
def test_every_certainty_has_words(certainty):
    past = line(ended=Ended(Effect.RESTART, 1, certainty, Reason.NO_ANSWER))
    assert f"restart, which {SAID[certainty]} " in story(replace(BASE, reason=Reason.NO_ANSWER), [past], NOW).failed


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_said_in_its_own_words(reason):
    assert f"{reason.value} ({WHAT[reason]})" in story(replace(BASE, reason=reason), [], NOW).why


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_story(state):
    told = story(replace(BASE, state=state), [], NOW)
    assert told.where.startswith(f"web1.example.net is {state.value} (")
    assert len(told.awaited) > 10


def test_another_reason_than_the_last_failure_is_told_beside_it():
    told = story(replace(BASE, reason=Reason.QUARANTINED, detail="anna: disk errors"), [refused()], NOW)
    assert 'quarantined (an operator put it into quarantine), in the words "anna: disk errors"' in told.why
    assert "run_helper, which was refused" in told.failed


def test_what_is_under_way():
    told = story(replace(BASE, state=State.INVENTORIED, doing=doing()), [], NOW)
    assert told.awaited == (
        "Under way is run_helper (ask the site what the node's configuration shall be), try 2 of 3, "
        f"since {local(NOW - 4000)} (4s ago)."
    )


@pytest.mark.parametrize(
    ("state", "kind", "waits", "said"),
    [
        (State.INVENTORIED, DueKind.STEP, doing(is_open=False), "The next try of run_helper is due "),
        (State.CONFIGURED, DueKind.STEP, doing(Effect.RESTART, tries=0, is_open=False), "Restart is due "),
        (State.RESTARTED, DueKind.LOOK, None, "A look, which finds out where it is, is due "),
        (State.DEFERRED, DueKind.RETRY, None, "Generation 4, which starts from the beginning, is due "),
        (State.DISCOVERED, DueKind.RETRY, None, "Its place in the waiting room is due "),
    ],
)
def test_what_is_awaited(state, kind, waits, said):
    snapshot = replace(BASE, state=state, doing=waits, awaited=Awaited(NOW + 5000, kind, 5000))
    assert story(snapshot, [], NOW).awaited.startswith(said)


def test_what_is_overdue_says_so():
    snapshot = replace(BASE, awaited=Awaited(NOW - 60_000, DueKind.RETRY, 5000))
    assert story(snapshot, [], NOW).awaited.endswith(
        "It is overdue: usher is stopped, paused or busy, and usher status says which."
    )
    assert "overdue" not in story(snapshot, [], NOW - 55_000).awaited


def test_an_earlier_request_that_may_be_alive_is_named():
    snapshot = replace(
        BASE, state=State.CONFIGURED, doing=doing(Effect.RESTART, is_open=False),
        awaited=Awaited(NOW + 5000, DueKind.STEP, 5000), quiet=Quiet(NOW + 30_000, "", NOW, ""),
    )  # fmt: skip
    assert "may be alive until" in story(snapshot, [], NOW).awaited
    assert "alive" not in story(snapshot, [], NOW + 30_000).awaited


def test_a_held_node_names_the_command_that_releases_it():
    assert "usher nodes release NODE" in story(replace(BASE, held=True), [], NOW).awaited


def test_the_waiting_room():
    told = story(replace(BASE, state=State.DISCOVERED), [], NOW)
    assert told.awaited == "It is in the waiting room: no time is set, its turn comes when others are done."


@pytest.mark.parametrize(
    ("evidence", "said"), [("left", "two looks over one connection"), ("silence", "silence: it ack")]
)
def test_the_evidence_of_a_provisioned_node(evidence, said):
    told = story(replace(BASE, state=State.PROVISIONED, evidence=evidence, provisioned_at=SINCE), [refused()], NOW)
    assert said in told.evidence
    assert told.failed == ""


def test_what_came_of_a_wish_is_told_of_a_provisioned_node():
    there = replace(BASE, state=State.PROVISIONED, provisioned_at=SINCE - 1, reason=Reason.REFUSED, detail="not you")
    past = line(ended=Ended(Effect.SEND_RESTART, 1, Certainty.REFUSED, Reason.REFUSED), detail="not you")
    told = story(there, [past], NOW)
    assert told.failed.startswith("What failed last is send_restart, which was refused ")
    assert told.why == ""
    assert story(there, [], NOW).why.startswith("The last reason noted is refused ")
    done = story(replace(there, reason=Reason.ASKED, detail=""), [past], NOW)
    assert (done.failed, done.why) == ("", "The last reason noted is asked (an operator asked for it).")


def test_a_failure_before_it_was_provisioned_is_no_news():
    told = story(replace(BASE, state=State.REPROVISION, provisioned_at=SINCE + 1), [refused()], NOW)
    assert told.failed == ""


def test_the_row_that_led_here_is_the_last_one_that_moved():
    stays = replace(line(41, "missed-and-seen"), source=State.FAILED)
    assert arrival(BASE, [line(38, "absent"), line(40), stays]) == line(40)
    assert arrival(BASE, [stays]) is None


def test_without_its_history_a_failed_node_still_says_where():
    assert story(replace(BASE, failed_from=State.ENROLLED), [], NOW).brought == "It failed in enrolled."


def test_a_row_of_another_table_is_named_without_a_sentence():
    assert "(today's table has no such row)" in story(BASE, [line(row="from-the-future")], NOW).brought


def test_foreign_words_do_not_rule_the_terminal():
    told = story(replace(BASE, reason=Reason.HELPER_FAILED, detail="\x1b[2J"), [refused("\x1b[2J\n")], NOW)
    assert told.paragraph.isprintable()
    assert '"\\x1b[2J' in told.paragraph


def test_a_pause_is_told_to_whom_it_stops():
    pause = FleetView(1, 1, NOW - 60_000, "pause", "anna", "the broker is moved", None)
    waiting = replace(BASE, awaited=Awaited(NOW + 5000, DueKind.RETRY, 5000))
    told = story(waiting, [], NOW, pause).paused
    assert told.endswith('(1m ago) by anna, in the words "the broker is moved": it begins nothing.')
    assert story(replace(BASE, state=State.PROVISIONED), [], NOW, pause).paused == ""


def test_counts_are_told_in_one_sentence():
    told = story(replace(BASE, failures=1, returns=2), [], NOW)
    assert told.counts == "It has failed once, came back from the restart that it was told to make 2 times in a row."
