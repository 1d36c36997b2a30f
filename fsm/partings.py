"""Partings: the questions about a node of which nothing known may be acted on, since it is old or another led.

Rules:
1. One that was told to leave is looked for before anything else: it may be where it was sent, and then its record must
   say so.
2. Only if it is found where it was does it begin anew.
3. A docstring finishes the sentence "this row applies when ...", as in fsm.guards.
"""

from __future__ import annotations

from fsm.guards import Turn, facts_too_old, found_new_process, found_same_process, found_somebody
from fsm.snapshot import NOTHING


def was_told_to_leave(turn: Turn) -> bool:
    """A parting of this generation was sent"""
    return turn.snapshot.parting.count > 0


def nothing_begun(turn: Turn) -> bool:
    """This generation has learnt nothing, and nothing is under way"""
    snapshot = turn.snapshot
    return snapshot.open is None and snapshot.facts == NOTHING


def parted_long_ago(turn: Turn) -> bool:
    """A parting of this generation was sent, and what was learnt is older than facts_max_age"""
    return was_told_to_leave(turn) and facts_too_old(turn)


def there_long_after(turn: Turn) -> bool:
    """The look found the same process, partings are left, and what was learnt is older than facts_max_age"""
    there = found_somebody(turn) and not found_new_process(turn)
    return there and found_same_process(turn) and facts_too_old(turn)
