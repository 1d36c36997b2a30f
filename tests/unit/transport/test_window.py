"""The sliding window of a discovery."""

from __future__ import annotations

from transport.discovery import LONGEST, QUIET, Window


def test_a_cycle_ends_a_little_after_the_last_answer():
    window = Window(100.0)
    assert window.until == 100.0 + LONGEST
    window.answered(100.1)
    assert window.until == 100.1 + QUIET
    window.answered(100.3)
    assert window.until == 100.3 + QUIET


def test_a_cycle_has_an_end_however_many_answer():
    window = Window(100.0)
    window.answered(100.0 + LONGEST - 0.01)
    assert window.until == 100.0 + LONGEST
