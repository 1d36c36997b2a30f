"""Lines of a bundle: a row as whoever has only the bundle can check it, and several journals as one.

Rules:
1. `envelope` is the very text that the link covers, `payload` the very text that its digest names.
2. Several journals are merged by time; within one the order is that of its commits, whatever its clock did.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

import orjson

from fsm.errors import UsherError
from store.chain import ENVELOPE, FLEET_ENVELOPE
from store.reader import Reader
from store.records import chained
from usher.audit.ranges import Range

_COLUMNS: Final = {"history": ENVELOPE.split(", "), "journal": FLEET_ENVELOPE.split(", ")}
Line = tuple[tuple[int, str, int], str]
"""What a line is sorted by, and its text."""


class PrunedError(UsherError):
    """History was pruned while it was read: ask again"""


def history(reader: Reader, of: Range, seen: Callable[[dict[str, Any]], None]) -> Iterator[Line]:
    """The rows of a range; `seen` is told of those that were asked for. Raises StoreError, PrunedError."""
    expected, latest = of.first, 0
    for row in chained(reader, "history", of.first - 1):
        if row["position"] > of.end:
            break
        if row["position"] != expected:
            raise PrunedError
        asked = row["position"] <= of.last
        if asked:
            seen(row)
        expected, latest = expected + 1, max(latest, row["at"])
        yield (latest, of.lineage, row["position"]), _line("history", of.lineage, row, asked=asked)


def journal(reader: Reader, of: Range, seen: Callable[[dict[str, Any]], None]) -> Iterator[Line]:
    """The whole journal of the fleet, as it was when the range was found."""
    latest = 0
    for row in chained(reader, "journal", 0):
        if row["position"] > of.entries:
            break
        seen(row)
        latest = max(latest, row["at"])
        yield (latest, of.lineage, row["position"]), _line("journal", of.lineage, row, asked=True)


def merged(journals: Iterable[Iterator[Line]]) -> Iterator[str]:
    """One after the other, by time."""
    return (text for _, text in heapq.merge(*journals, key=itemgetter(0)))


def _line(table: str, lineage: str, row: dict[str, Any], *, asked: bool) -> str:
    payload = row["payload"] if asked else None
    made = {
        "journal": lineage,
        "envelope": orjson.dumps([row[column] for column in _COLUMNS[table]]).decode(),
        "hash": row["hash"].hex(),
        "payload": payload.decode("utf-8", "replace") if payload is not None else None,
    }
    if not asked:
        made["only_for_the_proof"] = True
    return json.dumps(made, ensure_ascii=False) + "\n"
