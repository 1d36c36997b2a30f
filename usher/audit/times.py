"""Times as the audit's commands take them: a date, a time, or how long ago.

Rules:
1. Without a zone a time is local, as the views print it; a date alone is its first moment.
2. What cannot be read is refused with examples.
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime

from usher.views.text import milliseconds, visible


def moment(text: str) -> int:
    """Milliseconds since 1970 of `2026-11-30`, `2026-11-30T14:00Z`, `90d` (ago) or `now`; argparse's error."""
    said = text.strip()
    if said == "now":
        return time.time_ns() // 1_000_000
    try:
        return time.time_ns() // 1_000_000 - milliseconds(said)
    except ValueError:
        pass
    try:
        return round(datetime.fromisoformat(said).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        said = f"{visible(text)!r:.60} is no time: write 2026-11-30, 2026-11-30T14:00Z, or 90d (ago)"
        raise argparse.ArgumentTypeError(said) from None
