"""Closed records: when, by whom and why usher holds nothing of a node any more but its history.

Rules:
1. It is read from the history: the last line is the one that closed the record, or the record is not closed.
2. Whoever closed it is told in the words that the history has: an operator, or usher because of keep_nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm.states import State
from usher.views.past import Past
from usher.views.text import visible, when


def closing(past: Sequence[Past], now: int) -> str:
    """One sentence, at `now` (milliseconds), of the newest part of a history; empty if the record is not closed."""
    last = past[-1] if past else None
    if last is None or last.target is not State.UNSEEN:
        return ""
    closed = f"Its record was closed {when(last.at, now)} by {visible(last.detail) or 'somebody'}"
    anew = f"as generation {last.generation + 1}"
    return f"{closed}; its history stays, and if it is seen again it begins anew, {anew}."
