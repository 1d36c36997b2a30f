"""Durations as the older program and Go read them (wire/provisioning.md §3.2).

Rules:
1. One number with one of `w W d D M Y y` is whole hours, cut, with a month of 30 and a year of 365 days.
2. Anything else is a Go duration: numbers with `h m s ms us µs ns`, as in `1h30m`.
3. The result is seconds; what it may be is its setting's affair.
"""

from __future__ import annotations

import re
from typing import Final

_HOUR: Final = 3600
_LONG: Final = {"w": 7 * 24, "d": 24, "y": 365 * 24}
_MONTH: Final = 30 * 24
_GO: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_NUMBER: Final = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_LONG_FORM: Final = re.compile(rf"([+-]?{_NUMBER})([wWdDMYy])", re.ASCII)
_GO_FORM: Final = re.compile(rf"([+-]?)((?:{_NUMBER}(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_GO_PIECE: Final = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NOTHING: Final = frozenset({"0", "+0", "-0"})
"""What Go reads without a unit."""
_LONGEST: Final = 290 * 365 * 24 * _HOUR
"""Go's durations end a little beyond 292 years."""


def parse_duration(text: str) -> float:
    """Seconds; nothing at all is 0, as the older program has it. Raises ValueError that says what is wrong."""
    text = text.strip()
    seconds = _parse(text) if text else 0.0
    if abs(seconds) > _LONGEST:
        raise ValueError("it is longer than Go's durations can be")
    return seconds


def _parse(text: str) -> float:
    long = _LONG_FORM.fullmatch(text)
    if long:
        hours = _MONTH if long[2] == "M" else _LONG[long[2].lower()]
        return float(int(float(long[1]) * hours) * _HOUR)
    go = _GO_FORM.fullmatch(text)
    if go:
        seconds = sum(float(number) * _GO[unit] for number, unit in _GO_PIECE.findall(go[2]))
        return -seconds if go[1] == "-" else seconds
    if text in _NOTHING:
        return 0.0
    if re.fullmatch(rf"[+-]?{_NUMBER}", text):
        raise ValueError("it has no unit")
    raise ValueError("it is not a duration")
