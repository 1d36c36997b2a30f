"""The audit: whether anything that was committed has been changed since.

Rules:
1. It reads row after row in the order of the commits, a page at a time, and names the first row that is wrong.
2. It trusts nothing that it can compute: links, digests, positions, the sequence of each node, the last row of each.
3. A payload that was deleted is no fault: its digest is part of the link.
4. A row has the lineage that `lineages` has for its position; the last of them is the database's own.
5. Above a floor a node's rows follow its base. Who signed the floor is not looked at here (usher.audit.verify).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from store.chain import ENVELOPE, FLEET_ENVELOPE, START, digest, link
from store.reader import Reader, open_reader
from store.records import Floor, bases, chained, floors, lineages

_ANEW: Final = 3
"""Walks at most: one that history was pruned under begins again."""
_LAST_SEQ: Final = """
coalesce(
  (SELECT max(h.seq) FROM history h WHERE h.node = n.node),
  (SELECT b.seq FROM floor_bases b WHERE b.node = n.node ORDER BY b.position DESC LIMIT 1)
)
"""
_HEADS: Final = f"""
SELECT n.node AS node, n.seq AS seq FROM nodes n WHERE n.seq IS NOT {_LAST_SEQ}
UNION ALL
SELECT h.node, max(h.seq) FROM history h WHERE h.node NOT IN (SELECT node FROM nodes) GROUP BY h.node
ORDER BY 1 LIMIT 1
"""  # noqa: S608 constants
_POLICIES: Final = """
SELECT position, node, seq, policy FROM history WHERE policy NOT IN (SELECT hash FROM policies) ORDER BY 1 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that is wrong: in which table, where, of which node, and what is wrong with it."""

    table: str
    position: int
    node: str
    seq: int
    what: str

    def __str__(self) -> str:
        """One line for a person."""
        of = f" (node {self.node}, row {self.seq})" if self.node else ""
        return f"{self.table} position {self.position}{of}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was checked, and the first fault; None means that everything verifies. `head` is the last link, in hex."""

    rows: int
    fleet_rows: int
    nodes: int
    head: str
    fault: Fault | None
    unknown_policy: str | None = None
    floor: Floor | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None


def audit(path: Path) -> Verdict:
    """Check the whole database at `path`; raises StoreError if it cannot be read."""
    with open_reader(path) as reader:
        return verify(reader)


Watch = Callable[[str, dict[str, Any]], None]
"""Told of each row that verifies: its table, and its columns."""


def verify(reader: Reader, watch: Callable[[], Watch] | None = None) -> Verdict:
    """Walk both chains, then compare each node with its last row; the first fault ends the walk.

    `watch` makes who is told of each row; it is made anew if the walk begins again, since history was pruned meanwhile.
    """
    for _ in range(_ANEW):
        floor = _floor(reader)
        verdict = _verify(reader, floor, watch() if watch else None)
        if verdict.sound or _floor(reader) == floor:
            break
    return verdict


def _verify(reader: Reader, floor: Floor | None, watch: Watch | None) -> Verdict:
    seqs = {base.node: base.seq for base in bases(reader, floor)} if floor is not None else {}
    start = (floor.position - 1, floor.hash) if floor is not None else (0, START)
    rows, head, fault = _walk(reader, "history", ENVELOPE, start, seqs, watch)
    fleet_rows = 0
    if fault is None:
        fleet_rows, _, fault = _walk(reader, "journal", FLEET_ENVELOPE, (0, START), None, watch)
    if fault is None:
        fault = _heads(reader) or _lineage(reader)
    named = reader.rows(_POLICIES)
    return Verdict(rows, fleet_rows, len(seqs), head.hex(), fault, named[0]["policy"] if named else None, floor)


def _walk(
    reader: Reader,
    table: str,
    columns: str,
    start: tuple[int, bytes],
    seqs: dict[str, int] | None,
    watch: Watch | None,
) -> tuple[int, bytes, Fault | None]:
    """How many rows verify, the last link, and the first fault."""
    known = _lineages(reader, table)
    (position, previous), names, count = start, columns.split(", "), 0
    for row in chained(reader, table, position):
        lineage = _at(known, row["position"])
        what = _wrong(row, names, lineage, position + 1, previous) or _gap(row, seqs)
        if what:
            return count, previous, Fault(table, row["position"], row.get("node", ""), row.get("seq", 0), what)
        position, previous = row["position"], row["hash"]
        count += 1
        if watch is not None:
            watch(table, row)
    return count, previous, None


def _lineages(reader: Reader, table: str) -> list[tuple[int, str]]:
    """From which position of a chain on which lineage is the rows', in order."""
    history = table == "history"
    return [(each.position if history else each.fleet_position, each.lineage) for each in lineages(reader)]


def _at(lineages: list[tuple[int, str]], position: int) -> str:
    found = bisect_right(lineages, position, key=itemgetter(0))
    return lineages[found - 1][1] if found else ""


def _lineage(reader: Reader) -> Fault | None:
    """A database whose own lineage is not the last that it notes."""
    noted, own = lineages(reader), reader.meta().lineage
    if noted and noted[-1].lineage == own:
        return None
    return Fault("meta", 0, "", 0, f"its lineage {own} is not the last that it notes")


def _floor(reader: Reader) -> Floor | None:
    """Below which position rows may be missing, and the link there."""
    found = floors(reader)
    return found[-1] if found else None


def _wrong(row: dict[str, Any], columns: list[str], lineage: str, position: int, previous: bytes) -> str:
    """What is wrong with a row, given the one before it; empty if nothing is."""
    envelope = [row[column] for column in columns]
    if row["position"] != position:
        return f"the row at position {position} is missing"
    if row["lineage"] != lineage:
        return "it is of another database"
    if row["previous"] != previous:
        return "it is not bound to the row before it"
    try:
        return _unbound(row, envelope, previous)
    except TypeError:  # bytes where a text was, or a text where bytes were
        return "it was changed: a column holds another kind of value"


def _unbound(row: dict[str, Any], envelope: list[Any], previous: bytes) -> str:
    if row["hash"] != link(previous, envelope):
        return "its envelope was changed"
    if row["payload"] is not None and digest(row["payload"]) != row["digest"]:
        return "its payload was changed"
    return ""


def _gap(row: dict[str, Any], seqs: dict[str, int] | None) -> str:
    """Sequences of a node are dense."""
    if seqs is None:
        return ""
    expected = seqs.get(row["node"], 0) + 1
    seqs[row["node"]] = row["seq"]
    return "" if row["seq"] == expected else f"row {expected} of its node is missing"


def _heads(reader: Reader) -> Fault | None:
    """A node whose row is not at the last row of its history."""
    found = reader.rows(_HEADS)
    if not found:
        return None
    return Fault("nodes", 0, found[0]["node"], found[0]["seq"], "it is not where its history ends")
