"""Moments: a time, or a place in a node's history, as people type it.

Rules:
1. A time without a zone is local, as everything that is shown to people is; a length of time means so long ago.
2. What cannot be read is refused with examples.
"""

from __future__ import annotations

import argparse
from datetime import datetime

from usher.views.common import now
from usher.views.text import milliseconds, visible

_SEQ = 9
"""Digits that a seq has at most; a time has other characters."""


def time(text: str) -> int:
    """A time in milliseconds since 1970: 2026-11-20T21:52:29, '2026-11-20 21:52', 2026-11-20, 2h (ago), or now."""
    if text.strip() == "now":
        return now()
    try:
        return now() - milliseconds(text)
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(text.strip()).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        said = f"{visible(text)!r} is no time, such as 2026-11-20T21:52:29, 2026-11-20T19:52:29Z or 2h (ago)"
        raise argparse.ArgumentTypeError(said) from None


def is_seq(text: str) -> bool:
    """Whether it is the number of a row."""
    return text.isascii() and text.isdigit() and len(text) <= _SEQ
