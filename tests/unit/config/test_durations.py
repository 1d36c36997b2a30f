"""Durations in both syntaxes."""

from __future__ import annotations

import pytest

from usher.config.durations import parse_duration

HOUR = 3600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("1m", 60),
        (" 90s ", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("100ms", 0.1),
        ("1h1m1s1ms", 3661.001),
        ("-5m", -300),
        ("2d", 48 * HOUR),
        ("2D", 48 * HOUR),
        ("1.5d", 36 * HOUR),
        ("0.1d", 2 * HOUR),
        ("1w", 168 * HOUR),
        ("1M", 720 * HOUR),
        ("1y", 8760 * HOUR),
        ("1Y", 8760 * HOUR),
    ],
)
def test_a_duration_is_seconds(text: str, seconds: float):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10", "it has no unit"),
        ("1x", "it is not a duration"),
        ("m", "it is not a duration"),
        ("1d2h", "it is not a duration"),
        ("1S", "it is not a duration"),
        ("infy", "it is not a duration"),
        ("1 m", "it is not a duration"),
        ("1000y", "longer than Go's durations"),
    ],
)
def test_what_is_none_says_so(text: str, what: str):
    with pytest.raises(ValueError, match=what):
        parse_duration(text)
