"""The search is worth its time: each fault planted in the table is found, with the invariant that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fsm import waits as wait
from fsm.actions import Action, abandon, settle
from fsm.effects import Effect
from fsm.events import Certainty, Done, Event, Failed, Sighting
from fsm.guards import Guard, Turn, found_gone
from fsm.machine import Decision, Rejected, apply
from fsm.policy import Policy
from fsm.rows import Opens, Row
from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.table import ROWS
from fsm.waits import Changes
from tests.model.interpreter import Decider, cells, first, interpret
from tests.model.search import Found, search
from tests.model.usher import Rules

Rows = tuple[Row, ...]


def without(name: str) -> Rows:
    """The table with a row removed."""
    assert any(row.name == name for row in ROWS)
    return tuple(row for row in ROWS if row.name != name)


def ignored(name: str) -> Rows:
    """The table with a row that changes nothing any more."""
    return changed(name, lambda row: replace(row, ignored=True))


def changed(name: str, change: Callable[[Row], Row]) -> Rows:
    """The table with a row changed."""
    assert any(row.name == name for row in ROWS)
    return tuple(change(row) if row.name == name else row for row in ROWS)


def guarded(name: str, guard: Guard | None) -> Rows:
    """The table with another question in a row."""
    return changed(name, lambda row: replace(row, guard=guard))


def doing(name: str, *actions: Action) -> Rows:
    """The table with other actions in a row."""
    return changed(name, lambda row: replace(row, actions=actions))


def swapped(old: Action, new: Action) -> Rows:
    """The table with one action in the place of another, everywhere."""
    return tuple(replace(row, actions=tuple(new if a is old else a for a in row.actions)) for row in ROWS)


def never(_: Turn) -> bool:
    """No"""
    return False


def gone_before(turn: Turn) -> bool:
    """Gone now and before, over whichever connection"""
    return found_gone(turn) and turn.snapshot.looks.gone > 0


def anything_waiting(turn: Turn) -> bool:
    """It waits for any due time"""
    return turn.snapshot.awaited is not None


def restart_instead(row: Row) -> Row:
    """Whatever had no answer is taken as done, and the node is restarted"""
    return replace(row, target=State.CONFIGURED, actions=(settle,), opens=Effect.RESTART)


def look_at_once(turn: Turn, changes: Changes) -> None:
    """The next look is due at once"""
    wait.wait_to_look(turn, changes)
    changes["awaited"] = replace(changes["awaited"], at=turn.event.at + 1)


def settle_on_sight(turn: Turn, changes: Changes) -> None:
    """Whoever answers a look proves that nothing is alive"""
    settle(turn, changes)
    if isinstance(turn.event.body, Done) and isinstance(turn.event.body.facts, Sighting):
        changes["quiet"] = None


def settle_and_trust_crashes(turn: Turn, changes: Changes) -> None:
    """What a crash interrupted is taken as not sent"""
    settle(turn, changes)
    if isinstance(turn.event.body, Failed) and turn.event.body.certainty is Certainty.INTERRUPTED:
        changes["quiet"] = turn.snapshot.quiet


def settle_without_quiet(turn: Turn, changes: Changes) -> None:
    """Nothing is ever awaited to be quiet"""
    settle(turn, changes)
    changes["quiet"] = None


def abandon_and_forget(turn: Turn, changes: Changes) -> None:
    """What was given up is taken as dead"""
    abandon(turn, changes)
    changes["quiet"] = turn.snapshot.quiet


def no_one_rule(snapshot: Snapshot, event: Event, policy: Policy) -> Decision | Rejected:
    """A machine that takes every outcome, whichever effect it is of."""
    turn = Turn(snapshot, event, policy)
    row = first(cells(ROWS), turn)
    return Rejected(row.why, row) if row.ignored else apply(row, turn)


def no_recovery(snapshot: Snapshot, event: Event, policy: Policy) -> Decision | Rejected:
    """A machine that keeps an interrupted effect open over a start."""
    if isinstance(event.body, Failed) and event.body.certainty is Certainty.INTERRUPTED:
        return Rejected("it will answer yet")
    return interpret(ROWS)(snapshot, event, policy)


PLANTED: list[tuple[str, Decider | Rows, int, bool, str]] = [
    ("a hurried step does not wait until quiet", without("step-not-yet"), 2, True, "(7)"),
    ("enrolling never waits until quiet", guarded("enrolled-not-yet", never), 2, False, "(7)"),
    ("nothing is ever quiet", swapped(settle, settle_without_quiet), 2, False, "(7)"),
    ("a sighting proves everything over", swapped(settle, settle_on_sight), 2, False, "(7)"),
    ("an interrupted request is taken as dead", swapped(settle, settle_and_trust_crashes), 2, False, "(7)"),
    ("an abandoned request is taken as dead", swapped(abandon, abandon_and_forget), 2, True, "(7)"),
    ("one look is enough", guarded("gone", found_gone), 0, False, "(5)"),
    ("two looks at once", swapped(wait.wait_to_look, look_at_once), 1, False, "(5)"),
    ("gone over two connections", guarded("gone", gone_before), 1, False, "(5)"),
    ("an operator hurries a look", guarded("asked-to-hurry", anything_waiting), 1, True, "(5)"),
    ("one silence is enough", without("look-in-vain"), 1, False, "(5)"),
    ("silence after configure is taken as its answer", changed("try-again", restart_instead), 1, False, "(5)"),
    ("came back, and nothing is due", doing("came-back", settle), 1, False, "(9)"),
    ("held, and something is due", doing("quarantine", wait.retry_at_once), 1, True, "(9)"),
    ("a token for every try", changed("step-again", lambda row: replace(row, opens=Opens.ANEW)), 1, False, "(12)"),
    ("an outcome that comes twice is taken twice", no_one_rule, 0, False, "(3)"),
    ("an effect of an older epoch is sent", no_recovery, 1, False, "(8)"),
    ("a hint about a provisioned node is ignored", ignored("seen-again"), 1, False, "circle"),
    ("a node that had left is never seen again", ignored("back-again"), 2, False, "circle"),
    ("an unanswered restart is sent blindly again", without("restart-unknown"), 2, False, "after our restart"),
    ("the 503 of a second restart says nothing", without("restarted-unseen"), 2, False, "after our restart"),
]  # fmt: skip


def finding(decide: Decider, faults: int, *, wide: bool) -> str:
    """What the search says of a machine: the first line of what it found, or how its lives end."""
    try:
        result = search(Rules(decide), faults=faults, wide=wide, most=50_000)
    except Found as found:
        return str(found).splitlines()[0]
    return "; ".join(result.ends)


@pytest.mark.parametrize(("planted", "faults", "wide", "says"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_the_search_finds_a_planted_fault(planted: Decider | Rows, faults: int, wide: bool, says: str):
    decide = interpret(planted) if isinstance(planted, tuple) else planted
    assert says in finding(decide, faults, wide=wide)


@pytest.mark.parametrize("wide", [False, True])
def test_the_search_finds_nothing_in_the_table_as_it_is(wide: bool):
    assert not {"(", "circle", "after our restart"} & set(finding(interpret(ROWS), 1, wide=wide).split())
