"""Words: sizes and times as the answers of `usher db` say them.

Rules:
1. Pure functions of plain values.
2. A size is in units of 1000, with one digit after the point.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ("kB", "MB", "GB", "TB")


def size(count: int) -> str:
    """A number of bytes for a person."""
    value, unit = float(count), "bytes"
    for following in _UNITS:
        if value < 1000:
            break
        value, unit = value / 1000, following
    return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def when(at: int) -> str:
    """A time (milliseconds since 1970) in UTC, to the second."""
    return datetime.fromtimestamp(at // 1000, UTC).isoformat()
