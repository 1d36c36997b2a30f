"""The audit: whether anything that was committed has been changed since.

Rules:
1. It reads row after row in the order of the commits, a page at a time, and names the first row that is wrong.
2. It trusts nothing that it can compute: links, digests, positions, the sequence of each node, the last row of each.
3. A payload that was deleted is no fault: its digest is part of the link.
4. A row has the lineage that `lineages` has for its position; the last of them is the database's own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from store.chain import ENVELOPE, FLEET_ENVELOPE, START, digest, link
from store.reader import Reader, open_reader

_PAGE: Final = 1000
_AGE: Final = "fleet_position, why"
"""Each lineage but the first ('made') begins with an entry of the journal of the fleet."""
_LAST_LINEAGE: Final = "SELECT lineage FROM lineages ORDER BY fleet_position DESC, why DESC LIMIT 1"
_HEADS: Final = """
SELECT n.node AS node, n.seq AS seq FROM nodes n
WHERE n.seq IS NOT (SELECT max(h.seq) FROM history h WHERE h.node = n.node)
UNION ALL
SELECT h.node, max(h.seq) FROM history h WHERE h.node NOT IN (SELECT node FROM nodes) GROUP BY h.node
ORDER BY 1 LIMIT 1
"""
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

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None


def audit(path: Path) -> Verdict:
    """Check the whole database at `path`; raises StoreError if it cannot be read."""
    with open_reader(path) as reader:
        return verify(reader)


def verify(reader: Reader) -> Verdict:
    """Walk both chains, then compare each node with its last row; the first fault ends the walk."""
    seqs: dict[str, int] = {}
    rows, head, fault = _walk(reader, "history", ENVELOPE, seqs)
    fleet_rows = 0
    if fault is None:
        fleet_rows, _, fault = _walk(reader, "journal", FLEET_ENVELOPE, None)
    if fault is None:
        fault = _heads(reader) or _lineage(reader)
    named = reader.rows(_POLICIES)
    return Verdict(rows, fleet_rows, len(seqs), head.hex(), fault, named[0]["policy"] if named else None)


def _walk(reader: Reader, table: str, columns: str, seqs: dict[str, int] | None) -> tuple[int, bytes, Fault | None]:
    """How many rows verify, the last link, and the first fault."""
    lineages = _lineages(reader, table)
    position, previous = _floor(reader) if seqs is not None else (0, START)
    count, floored = 0, position > 0
    for row in _rows(reader, table, columns, position):
        lineage = _at(lineages, row["position"])
        what = _wrong(row, columns, lineage, position + 1, previous) or _gap(row, seqs, floored)
        if what:
            return count, previous, Fault(table, row["position"], row.get("node", ""), row.get("seq", 0), what)
        position, previous = row["position"], row["hash"]
        count += 1
    return count, previous, None


def _lineages(reader: Reader, table: str) -> list[tuple[int, str]]:
    """From which position of a chain on which lineage is the rows', in order."""
    first = "position" if table == "history" else "fleet_position"
    query = f"SELECT {first} AS first, lineage FROM lineages ORDER BY {_AGE}"  # noqa: S608 constants of this room
    return [(row["first"], row["lineage"]) for row in reader.rows(query)]


def _at(lineages: list[tuple[int, str]], position: int) -> str:
    found = bisect_right(lineages, position, key=itemgetter(0))
    return lineages[found - 1][1] if found else ""


def _lineage(reader: Reader) -> Fault | None:
    """A database whose own lineage is not the last that it notes."""
    noted, own = reader.rows(_LAST_LINEAGE), reader.meta().lineage
    if noted and noted[0]["lineage"] == own:
        return None
    return Fault("meta", 0, "", 0, f"its lineage {own} is not the last that it notes")


def _floor(reader: Reader) -> tuple[int, bytes]:
    """Below which position rows may be missing, and the link there; who signed it is not looked at here."""
    floors = reader.rows("SELECT position, hash FROM floor ORDER BY position DESC LIMIT 1")
    return (floors[0]["position"] - 1, floors[0]["hash"]) if floors else (0, START)


def _rows(reader: Reader, table: str, columns: str, after: int) -> Iterator[dict[str, Any]]:
    what = f"SELECT {columns}, previous, hash, payload FROM {table}"  # noqa: S608 constants of this room
    query = f"{what} WHERE position > ? ORDER BY position LIMIT ?"
    while page := reader.rows(query, (after, _PAGE)):
        yield from page
        after = page[-1]["position"]


def _wrong(row: dict[str, Any], columns: str, lineage: str, position: int, previous: bytes) -> str:
    """What is wrong with a row, given the one before it; empty if nothing is."""
    envelope = [row[column] for column in columns.split(", ")]
    if row["position"] != position:
        return f"the row at position {position} is missing"
    if row["lineage"] != lineage:
        return "it is of another database"
    if row["previous"] != previous:
        return "it is not bound to the row before it"
    if row["hash"] != link(previous, envelope):
        return "its envelope was changed"
    if row["payload"] is not None and digest(row["payload"]) != row["digest"]:
        return "its payload was changed"
    return ""


def _gap(row: dict[str, Any], seqs: dict[str, int] | None, floored: bool) -> str:
    """Sequences of a node are dense; above a floor they begin where its base ends, which is not looked at here."""
    if seqs is None:
        return ""
    last, seqs[row["node"]] = seqs.get(row["node"]), row["seq"]
    expected = last + 1 if last is not None else row["seq"] if floored else 1
    return "" if row["seq"] == expected else f"row {expected} of its node is missing"


def _heads(reader: Reader) -> Fault | None:
    """A node whose row is not at the last row of its history."""
    found = reader.rows(_HEADS)
    if not found:
        return None
    return Fault("nodes", 0, found[0]["node"], found[0]["seq"], "it is not where its history ends")
