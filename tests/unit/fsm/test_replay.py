"""Replay of one node: what agrees, what is declared, what cannot be decided any more, and what diverges."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from fsm.codec import encode_payload
from fsm.effects import Effect
from fsm.events import Certainty, Event, JwtFacts, Operator, Verb
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.replay import LOST, REMOVED, Judged, Recorded, Step, Walk, asked, ending
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from fsm.table import VERSION
from tests.fakes.recorded import Journal

DONE = 5
"""A row in the middle of a life."""


def life() -> Journal:
    """A node that is provisioned."""
    journal = Journal()
    journal.to(State.PROVISIONED)
    return journal


def stepped(rows: list[Recorded], journal: Journal, base: Snapshot | None = None) -> list[Step]:
    walk = Walk(base or unseen(journal.snapshot.node), {journal.policy.hash: journal.policy})
    return [walk.step(row) for row in rows]


def judged(steps: list[Step]) -> list[Judged]:
    return [step.judged for step in steps]


def changed(rows: list[Recorded], place: int, **fields: object) -> list[Recorded]:
    return [row._replace(**fields) if number == place else row for number, row in enumerate(rows)]  # type: ignore[arg-type]


def test_a_life_agrees_step_by_step_and_leads_to_what_is_held():
    journal = life()
    steps = stepped(journal.rows, journal)
    assert set(judged(steps)) == {Judged.AGREES}
    assert [step.after for step in steps] == journal.snapshots
    assert all(step.turn is not None and step.event is not None for step in steps)
    assert ending(journal.snapshots[-1], journal.snapshot) == ""


def test_a_walk_goes_on_from_a_base():
    journal = life()
    steps = stepped(journal.rows[DONE:], journal, base=journal.snapshots[DONE - 1])
    assert set(judged(steps)) == {Judged.AGREES}
    assert steps[-1].after == journal.snapshot


def test_a_step_tells_what_each_guard_said_in_the_order_of_the_cell():
    journal = Journal()
    journal.until(Effect.RUN_HELPER).fails(Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)
    turn = stepped(journal.rows, journal)[-1].turn
    assert turn is not None
    found = list(asked(turn))
    assert [one.applies for one in found] == [False] * (len(found) - 1) + [True]
    assert (found[0].row.name, found[-1].row.name) == ("lock-held", "fail")
    assert found[-1].row.guard is None


WRONG: list[tuple[dict[str, object], str]] = [
    ({"row": "read-on"}, "it says read-on on"),
    ({"target": "failed"}, "to failed in generation 1"),
    ({"source": "gone"}, "from gone to"),
    ({"generation": 7}, "in generation 7"),
    ({"opened": "restart"}, "opening restart"),
    ({"tries": 9}, "try 9"),
    ({"first": 9}, "first opened by row 9"),
    ({"event": "failed"}, "on failed from"),
    ({"at": 1}, "it is of 1 (ms since 1970), and its event is of"),
    ({"payload": b'{"event":{}}'}, "its payload was changed"),
]


@pytest.mark.parametrize(("fields", "said"), WRONG, ids=lambda each: str(each)[:30])
def test_a_row_that_was_edited_diverges_and_says_what_it_says_and_what_is_decided(fields: dict[str, object], said: str):
    journal = life()
    steps = stepped(changed(journal.rows, DONE, **fields), journal)
    assert judged(steps)[:DONE] == [Judged.AGREES] * DONE
    assert steps[DONE].judged is Judged.DIVERGES
    assert said in steps[DONE].why


def test_a_walk_goes_on_after_a_row_that_diverges_where_the_record_can_be_followed():
    journal = life()
    steps = stepped(changed(journal.rows, DONE, tries=9), journal)
    assert judged(steps)[DONE + 1 :] == [Judged.AGREES] * (len(steps) - DONE - 1)


def test_an_event_that_changes_nothing_today_diverges():
    journal = life()
    event = Event(journal.now, bytes(16), Operator(Verb.RELEASE, "anna", "because"), 1)
    payload = encode_payload(event, "")
    row = journal.rows[-1]._replace(
        seq=len(journal.rows) + 1, payload=payload, digest=sha256(payload).hexdigest(), event="operator_release"
    )
    (step,) = stepped([row], journal, base=journal.snapshot)
    assert step.judged is Judged.DIVERGES
    assert step.why.endswith("and today its event changes nothing: it is not held")


def test_a_row_that_is_missing_is_named_and_what_depends_on_it_is_not_guessed():
    journal = life()
    rows = journal.rows
    steps = stepped([*rows[:3], *rows[5:]], journal)
    assert steps[3].judged is Judged.DIVERGES
    assert steps[3].why == "rows 4 to 5 are missing before it: the history was cut"
    assert {(step.judged, step.why) for step in steps[4:]} == {(Judged.UNDECIDED, LOST)}
    assert all(step.event is not None for step in steps)
    assert "row 1 is missing" in stepped(rows[1:], journal)[0].why


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"payload": None}, REMOVED),
        ({"table": VERSION + 1}, f"it is of version {VERSION + 1} of the table, this usher has {VERSION}"),
        ({"policy": "0123456789abcdef"}, "its policy 0123456789abcdef is not held, or is of another usher"),
    ],
)
def test_what_cannot_be_decided_any_more_says_why_and_so_does_what_depends_on_it(fields: dict[str, object], said: str):
    journal = life()
    steps = stepped(changed(journal.rows, DONE, **fields), journal)
    assert (steps[DONE].judged, steps[DONE].why) == (Judged.UNDECIDED, said)
    assert {(step.judged, step.why) for step in steps[DONE + 1 :]} == {(Judged.UNDECIDED, LOST)}


def test_an_event_of_a_newer_usher_is_no_fault_and_garbage_is_one():
    journal = life()
    for payload, how in ((b'{"event":{"v":99}}', Judged.UNDECIDED), (b'{"event":{"v":1,"x":2}}', Judged.DIVERGES)):
        digest = sha256(payload).hexdigest()
        assert stepped(changed(journal.rows, DONE, payload=payload, digest=digest), journal)[DONE].judged is how


def test_a_row_of_an_earlier_table_may_differ_only_where_that_is_declared():
    """Our own end left a step unsent: version 1 waited before it sent it, and the record goes on from there."""
    journal = Journal(Policy(outage_delay=60_000))
    journal.until(Effect.FETCH_JWT).crash(started=False)
    now = journal.rows[-1]
    assert stepped(journal.rows, journal)[-1].judged is Judged.AGREES
    earlier = [row._replace(table=1) for row in journal.rows]
    last = stepped(earlier, journal)[-1]
    assert (now.row, last.judged) == ("interrupted", Judged.DECLARED)
    assert last.why.startswith("today interrupted fires: a step that our own end left unsent is due at once")
    assert last.after is not None
    assert last.after.awaited is not None
    assert last.after.awaited.span > 0
    renamed = [*earlier[:-1], earlier[-1]._replace(row="try-again")]
    assert stepped(renamed, journal)[-1].judged is Judged.DIVERGES


def test_a_row_of_an_earlier_table_leaves_what_it_did_not_know_of_as_it_was():
    """Which token let us in is noted since version 2 of the table."""
    journal = Journal()
    journal.until(Effect.FETCH_JWT).done(JwtFacts("1b" * 32, "jti", provisions_by_default=True, let_in="0a1b2c3d"))
    told = [stepped(rows, journal)[-1] for rows in (journal.rows, [row._replace(table=1) for row in journal.rows])]
    assert [step.judged for step in told] == [Judged.AGREES] * 2
    assert [step.after and step.after.let_in for step in told] == ["0a1b2c3d", ""]


def test_an_ending_names_the_fields_that_differ():
    journal = life()
    reached = journal.snapshot
    assert ending(reached, replace(reached, failures=3, evidence="silence")) == (
        "what is held of it is not what its history leads to (failures, evidence)"
    )
    ends = f"its history ends with row {reached.seq}, and what is held of it is of row 99"
    assert ending(reached, replace(reached, seq=99)) == ends
    assert ending(reached, None) == "nothing is held of it, and it has a history"


def test_what_was_cut_when_it_was_stored_is_no_difference():
    journal = life()
    long = replace(journal.snapshot, detail="x" * 500)
    assert ending(long, replace(long, detail="x" * 32)) == ""
