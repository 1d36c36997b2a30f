"""Parts of a bundle that are made from its rows: who asked for what, which policies, the machine, what is missing.

Rules:
1. Each is made from the rows that are in the bundle, or says from what else.
2. The table is that of the usher that exports; rows of other versions of it are counted, and said to be without theirs.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from diagrams import mermaid
from diagrams.model import draw
from fsm.codec import MalformedError, decode_payload, decode_snapshot
from fsm.events import Operator
from fsm.rows import Row
from fsm.table import ROWS, VERSION
from store.reader import Reader
from usher.audit.ranges import Range
from usher.views.text import utc

_SHOWN: Final = 100
"""Positions of rows without payload that are listed."""
_COUNTS: Final = """
SELECT target AS state, count(*) AS nodes FROM (
  SELECT node, target, max(seq) FROM history WHERE position <= ? GROUP BY node
) GROUP BY target
"""
"""Of a node the target is that of the row with max(seq): SQLite promises that for a bare column beside one max()."""
_BELOW: Final = """
SELECT body FROM floor_bases b WHERE b.position = ?
  AND NOT EXISTS (SELECT 1 FROM history h WHERE h.node = b.node AND h.position <= ?)
"""


@dataclass(slots=True)
class Passing:
    """What is noted of the rows of one journal as they pass."""

    lineage: str
    operators: list[dict[str, Any]] = field(default_factory=list)
    policies: set[str] = field(default_factory=set)
    tables: Counter[int] = field(default_factory=Counter)
    removed: int = 0
    removed_at: list[int] = field(default_factory=list)
    backwards: list[int] = field(default_factory=list)
    latest: dict[str, int] = field(default_factory=dict)

    def row(self, row: dict[str, Any]) -> None:
        """A row of history."""
        self.policies.add(row["policy"])
        self.tables[row["table_version"]] += 1
        if row["at"] < self.latest.get(row["node"], 0):
            self.backwards.append(row["position"])
        self.latest[row["node"]] = row["at"]
        if row["payload"] is None:
            self.removed += 1
            self.removed_at += [row["position"]] if len(self.removed_at) < _SHOWN else []
        elif row["event"].startswith("operator_"):
            self._operator(row)

    def entry(self, row: dict[str, Any]) -> None:
        """An entry of the fleet's journal."""
        self.operators.append(
            {
                "at": utc(row["at"]),
                "journal": self.lineage,
                "entry": row["position"],
                "what": row["kind"],
                "name": row["name"],
                "reason": row["reason"],
            }
        )

    def _operator(self, row: dict[str, Any]) -> None:
        try:
            body = decode_payload(row["payload"])[0].body
        except MalformedError:
            return
        if isinstance(body, Operator):
            told = {"at": utc(row["at"]), "journal": self.lineage, "row": row["position"], "node": row["node"]}
            self.operators.append(
                told | {"what": body.verb.value, "name": body.name, "reason": body.reason, "moved": _moved(row)}
            )


def _moved(row: dict[str, Any]) -> str:
    return f"{row['source']} -> {row['target']}"


def table() -> str:
    """The machine that is in force: each row with its sentence, as JSON."""
    return json.dumps({"table_version": VERSION, "rows": [_row(row) for row in ROWS]}, indent=1) + "\n"


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "sources": sorted(source.value for source in row.sources),
        "event": row.trigger.value,
        "guard": row.question,
        "target": row.target.value if row.target else None,
        "opens": str(row.opens) if row.opens else None,
        "sentence": row.why,
    }


def diagram() -> str:
    """The machine as a picture: Mermaid."""
    return mermaid.render(draw(full=True))


def policies(reader: Reader, passing: Passing) -> list[str]:
    """A line for each policy that rows name; one that is not held says so."""
    lines = []
    for hashed in sorted(passing.policies):
        document = reader.policy(hashed)
        held = document.decode("utf-8", "replace") if document is not None else None
        lines.append(json.dumps({"journal": passing.lineage, "hash": hashed, "document": held}) + "\n")
    return lines


def counts(reader: Reader, of: Range) -> dict[str, int]:
    """How many nodes are in each state after the last row that was asked for."""
    found: Counter[str] = Counter({row["state"]: row["nodes"] for row in reader.rows(_COUNTS, (of.last,))})
    if of.floor is not None:
        for row in reader.rows(_BELOW, (of.floor.position, of.last)):
            found[decode_snapshot(row["body"]).state.value] += 1
    return dict(sorted(found.items()))
