"""`usher replay --verify`: whether what was recorded leads to what is held, decided again by today's table.

Rules:
1. It ends at the first step that diverges, and names node, row, what was recorded and what is decided today.
2. What cannot be decided any more is counted by its reason, and so is what an earlier table decided otherwise where
   today's declares that: neither is a fault.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from fsm.table import VERSION
from store.folding import Folded, open_past
from usher.views import common
from usher.views.book import open_book
from usher.views.text import visible

WRONG: Final = 1


def run(args: argparse.Namespace) -> int:
    """Verify one node, or all; answers 1 for a difference that is not declared."""
    found: list[Folded] = []
    code = common.guarded(lambda: found.append(_verified(args)))
    return code or (WRONG if found[0].fault is not None else 0)


def _verified(args: argparse.Namespace) -> Folded:
    path = common.database(args)
    if args.node is not None:
        with open_book(path) as book:
            common.known(book, args.node)
    with open_past(path) as past:
        folded = past.fold(_working) if args.node is None else past.fold_node(args.node)
    if args.json:
        common.answer(document(folded))
    else:
        common.say(lines(folded, args.node))
    return folded


def _working(rows: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"usher: {rows} rows\n")


def lines(folded: Folded, node: str | None) -> list[str]:
    """For a person."""
    if folded.fault is not None:
        said = [
            f"differs: {visible(str(folded.fault))}",
            f"(the {folded.rows} rows before it are as they were decided)",
        ]
        return [*said, "next: usher db check"]
    who = f"{folded.nodes} nodes" if node is None else visible(node)
    said = [f"{who}: {folded.rows} rows of history were decided again and lead to what is held"]
    if folded.declared:
        said.append(f"{folded.declared} of them are decided otherwise by today's table ({VERSION}), which declares it")
    for why, count in folded.undecided.most_common():
        said.append(f"{count} rows cannot be decided again: {visible(why)}")
    if folded.left_alone and node is None:
        said.append(f"{folded.left_alone} nodes were therefore not compared with what is held")
    return said


def document(folded: Folded) -> dict[str, Any]:
    """For programs."""
    fault = folded.fault
    return {
        "agrees": fault is None,
        "fault": None if fault is None else {"node": fault.node, "seq": fault.seq, "what": fault.what},
        "table": VERSION,
        "nodes": folded.nodes,
        "nodes_not_decided": folded.left_alone,
        "rows": folded.rows,
        "declared_different": folded.declared,
        "rows_not_decided": dict(folded.undecided),
    }
