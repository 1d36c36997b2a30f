"""What the table changed is declared so that it can be believed: versions, names, and rows as they were."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from fsm.changes import CHANGES, FIELDS, Change, as_of, declared
from fsm.events import Trigger
from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.table import ROWS, VERSION

NAMES = {row.name for row in ROWS}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.version}-{change.row}")
def test_a_change_is_of_a_version_that_was_and_names_rows_of_today(change: Change):
    assert 2 <= change.version <= VERSION
    assert change.now
    assert change.now <= NAMES
    assert change.why
    assert change.row in NAMES or change.was is not None
    assert change.was is None or change.was.name == change.row


def test_a_field_that_rows_began_to_set_is_one_with_a_default_and_of_a_version_that_was():
    defaults = {field.name for field in fields(Snapshot) if field.default is not MISSING}
    assert set(FIELDS) <= defaults
    assert all(2 <= since <= VERSION for since in FIELDS.values())


def test_changes_stand_in_the_order_of_their_versions():
    assert [change.version for change in CHANGES] == sorted(change.version for change in CHANGES)


def test_every_version_says_what_it_changed():
    assert {change.version for change in CHANGES} | set(FIELDS.values()) == set(range(2, VERSION + 1))


def test_a_row_that_does_something_else_now_is_known_as_it_was():
    was = as_of(1, "interrupted", State.DISCOVERED, Trigger.FAILED)
    now = as_of(2, "interrupted", State.DISCOVERED, Trigger.FAILED)
    assert was is not None
    assert now is not None
    assert was is not now
    assert now in ROWS
    assert as_of(1, "interrupted", State.PROVISIONED, Trigger.FAILED) is None


def test_a_row_that_nothing_changed_is_todays():
    assert as_of(1, "admit", State.DISCOVERED, Trigger.DUE_ADMIT) in ROWS
    assert as_of(1, "admit", State.FAILED, Trigger.DUE_ADMIT) is None
    assert as_of(1, "known", State.DISCOVERED, Trigger.HINT_LISTED) is None, "what is ignored is in no history"


def test_a_difference_is_declared_for_older_rows_only():
    assert declared(1, "step-too-late", "look-first") is not None
    assert declared(2, "step-too-late", "look-first") is None
    assert declared(1, "step-too-late", "step-again") is None
    assert declared(1, "admit", "look-first") is None
