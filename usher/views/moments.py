"""Moments: a time as an operator types it, and how it is told when nothing is known of it.

Rules:
1. It is ISO 8601, in the local zone unless it names one, or a length of time: so long ago.
2. What is no time is refused with an example.
"""

from __future__ import annotations

import argparse
from datetime import datetime

from usher.views import common
from usher.views.text import milliseconds, visible


def moment(text: str) -> int:
    """Milliseconds since 1970; raises ArgumentTypeError."""
    try:
        return common.now() - milliseconds(text)
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(text.strip()).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        said = f"{visible(text)!r} is no time, such as 2026-11-30T02:15, 2026-11-30T02:15Z, or 90m for so long ago"
        raise argparse.ArgumentTypeError(said) from None
