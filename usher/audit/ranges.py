"""Ranges: which rows of a database lie in a span of time, and which checkpoint covers them.

Rules:
1. Rows are taken in the order of their commits, without a gap: from the first that is not before `since` to the last
   that is before `until`. A clock that was set back puts rows of other times between them, and they stay.
2. Rows after the last one, up to the checkpoint that covers it, belong to the proof: they are given without payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from store.checkpoints import Checkpoint
from store.reader import Reader
from store.records import Floor, Lineage, checkpoints, floors, lineages

_FIRST: Final = "SELECT min(position) AS found FROM history WHERE at >= ?"
_LAST: Final = "SELECT max(position) AS found FROM history WHERE at < ?"
_ENDS: Final = "SELECT min(at) AS began, max(at) AS ended, coalesce(max(position), 0) AS last FROM history"
_PREVIOUS: Final = "SELECT previous FROM history WHERE position = ?"


@dataclass(frozen=True, slots=True)
class Range:
    """Rows `first` to `last` are asked for (none if `last` is below), rows up to `end` are needed to prove them.

    `previous` is what the first is bound to, in hex. `covering` is the checkpoint that proves them, None if there is
    none yet: then those after `bound` are only bound to each other. `entries` is the end of the fleet's journal.
    """

    lineage: str
    first: int
    last: int
    end: int
    bound: int
    entries: int
    previous: str
    began: int | None
    ended: int | None
    covering: Checkpoint | None
    checkpoints: tuple[Checkpoint, ...]
    lineages: tuple[Lineage, ...]
    floor: Floor | None


def find(reader: Reader, since: int | None, until: int | None) -> Range:
    """The rows of that span (milliseconds, `until` not included); raises StoreError."""
    stored = list(checkpoints(reader))
    whole = reader.rows(_ENDS)[0]
    floor = (floors(reader) or (None,))[-1]
    least = floor.position if floor else 1
    first = _found(reader, _FIRST, since, least) if since is not None else least
    last = _found(reader, _LAST, until, least - 1) if until is not None else whole["last"]
    if since is not None and reader.rows(_FIRST, (since,))[0]["found"] is None:
        first = whole["last"] + 1
    first = min(max(first, least), last + 1)
    covering = next((each for each in stored if each.position >= last), None)
    end = covering.position if covering else last
    inside = [each for each in stored if first - 1 <= each.position <= end]
    bound = max((each.position for each in inside), default=first - 1)
    kept = tuple(each for each in stored if each in inside or each.successor)
    entries = reader.rows("SELECT coalesce(max(position), 0) AS last FROM journal")[0]["last"]
    return Range(
        reader.meta().lineage, first, last, end, bound, entries, _previous(reader, first, floor), whole["began"],
        whole["ended"], covering, kept, lineages(reader), floor,
    )  # fmt: skip


def _found(reader: Reader, query: str, at: int, otherwise: int) -> int:
    found = reader.rows(query, (at,))[0]["found"]
    return otherwise if found is None else int(found)


def _previous(reader: Reader, first: int, floor: Floor | None) -> str:
    rows = reader.rows(_PREVIOUS, (first,))
    if rows:
        return bytes(rows[0]["previous"]).hex()
    if floor is not None and first == floor.position:
        return floor.hash.hex()
    before = reader.rows("SELECT hash FROM history WHERE position = ?", (first - 1,))
    return bytes(before[0]["hash"]).hex() if before else bytes(32).hex()
