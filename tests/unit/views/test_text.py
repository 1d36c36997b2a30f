"""Text that a terminal can take, whatever a node said."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.views.text import (
    ELLIPSIS,
    ago,
    columns,
    cut,
    distance,
    fits,
    local,
    milliseconds,
    span,
    table,
    utc,
    visible,
    when,
)

AT = 1_763_674_535_123


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("web1.example.net", "web1.example.net"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\ttab", "two\\nlines\\ttab"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b2J", "\\x9b2J"),
        ("\ud800", "\\ud800"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_what_would_rule_the_terminal_is_made_visible(said, shown):
    assert visible(said) == shown


@given(st.text())
def test_whatever_is_shown_is_printable(said):
    assert visible(said).isprintable()


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (0, "0s"),
        (999, "0s"),
        (61_000, "1m 1s"),
        (3_600_000, "1h"),
        (90_061_000, "1d 1h"),
        (86_405_000, "1d"),
        (-5, "0s"),
    ],
)
def test_a_length_of_time_has_two_units(length, said):
    assert span(length) == said


@pytest.mark.parametrize(("said", "length"), [("90s", 90_000), ("1h30m", 5_400_000), (" 2D ", 172_800_000), ("0s", 0)])
def test_a_length_of_time_is_read(said, length):
    assert milliseconds(said) == length


@pytest.mark.parametrize("said", ["", "1", "h", "1x", "-1h", "1m1h", "1.5h", "9999999d"])
def test_what_is_no_length_of_time_is_refused(said):
    with pytest.raises(ValueError, match=rf"^{re.escape(said)}$"):
        milliseconds(said)


def test_times_say_zone_and_age():
    assert local(AT)[10] == "T"
    assert local(AT)[-6] in "+-"
    assert when(AT, AT + 65_000) == f"{local(AT)} (1m 5s ago)"
    assert distance(AT + 12_000, AT) == "in 12s"
    assert distance(AT + 900, AT) == "now"
    assert ago(AT, AT + 1000) == "1s ago"


def test_times_for_programs_are_utc_to_the_millisecond():
    assert utc(AT) == "2025-11-20T21:35:35.123Z"
    assert utc(0) is None


def test_a_time_that_no_calendar_has_is_still_shown():
    assert local(10**17) == utc(10**17) == f"{10**17} ms since 1970"


def test_a_table_is_aligned_and_not_cut_in_a_pipe():
    long = "x" * 300
    assert list(table(["NODE", "N"], [["a", "1"], [long, "22"]], None)) == [
        f"NODE{' ' * 296}  N", f"a{' ' * 299}  1", f"{long}  22",
    ]  # fmt: skip


def test_the_widest_column_is_cut_first():
    lines = list(table(["NODE", "REASON"], [["web1.example.net", "y" * 50]], 40))
    assert lines[1] == f"web1.example.net  {'y' * 21}{ELLIPSIS}"
    assert not fits(["NODE", "REASON"], [["web1.example.net", "y" * 50]], 40)
    assert fits(["NODE", "REASON"], [["web1.example.net", "y" * 22]], 40)


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=5), st.integers(40, 120))
def test_no_line_is_wider_than_the_terminal(rows, width):
    lines = list(table(["A", "B", "C"], rows, width))
    assert len(lines) == len(rows) + 1
    assert all(columns(line) <= width for line in lines)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=8), st.integers(2, 8))
def test_a_cut_text_is_exactly_that_wide(said, width):
    assert columns(cut(said, width)) == width


def test_wide_characters_take_two_columns():
    assert columns("東京") == 4
    assert cut("東京都庁", 4) == f"東{ELLIPSIS} "
