"""Clocks: what can be measured, how well, and from when on it matters."""

from __future__ import annotations

import pytest

from usher.preflight.clocks import Reading, broker_time, clock_checks, reading
from usher.preflight.verdicts import Verdict


def test_a_clock_is_compared_with_the_middle_of_question_and_answer():
    assert reading(105.0, 100.0, 102.0) == Reading(ahead=4.0, doubt=1.0)
    assert reading(99.0, 100.0, 100.0) == Reading(ahead=-1.0, doubt=0.0)


@pytest.mark.parametrize(
    ("payload", "time"),
    [
        (b'{"server":{"time":"2026-11-21T01:44:10.494381547Z"}}', 1795225450.494381),
        (b'{"server":{"time":"2026-11-21T01:44:10Z"}}', 1795225450.0),
        (b'{"server":{"time":5}}', None),
        (b'{"server":{}}', None),
        (b'{"server":[]}', None),
        (b"[]", None),
        (b"\xff", None),
        (b"", None),
        (b'{"server":{"time":"yesterday"}}', None),
    ],
)
def test_the_broker_says_its_time_or_does_not(payload, time):
    assert broker_time(payload) == time


@pytest.mark.parametrize(
    ("ahead", "doubt", "verdict"),
    [
        (0.0, 0.1, Verdict.OK),
        (-1.9, 0.0, Verdict.OK),
        (2.5, 1.0, Verdict.OK),
        (5.0, 0.1, Verdict.WARNING),
        (-29.0, 0.1, Verdict.WARNING),
        (31.0, 2.0, Verdict.WARNING),
        (-40.0, 0.1, Verdict.WRONG),
    ],
)
def test_what_a_difference_means(ahead, doubt, verdict):
    (check,) = clock_checks(Reading(ahead, doubt), ())
    assert check.verdict is verdict
    assert ("behind" if ahead <= 0 else "ahead of") in check.what


def test_the_worst_node_speaks_for_all():
    (check,) = clock_checks(None, [Reading(1.0, 0.1), Reading(-50.0, 0.1), Reading(3.0, 0.1)])
    assert (check.verdict, "worst of 3 nodes is 50.0s behind" in check.what) == (Verdict.WRONG, True)


def test_who_says_no_time_is_not_guessed_at():
    (check,) = clock_checks(None, ())
    assert "could not be compared" in check.what
