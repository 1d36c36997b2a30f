"""Paths: a node's way through the machine, as a picture.

Rules:
1. Only the rows that fired are drawn, each from where it fired.
2. A row that today's table does not have is not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from diagrams import document, mermaid
from diagrams.model import draw
from fsm.replay import Step
from fsm.rows import Row
from fsm.states import State
from fsm.table import ROWS


def drawn(steps: Iterable[Step], *, as_json: bool) -> list[str]:
    """The lines of a Mermaid diagram, or of its document."""
    rows = [each.recorded for each in steps]
    been = {state for row in rows for state in (row.source, row.target)}
    fired = dict.fromkeys((row.row, row.source, row.event) for row in rows)
    whole = draw([row for each in fired for row in _rows(*each)], full=True)
    diagram = replace(whole, nodes=tuple(node for node in whole.nodes if node.name in been))
    return (document.render if as_json else mermaid.render)(diagram).splitlines()


def _rows(name: str, source: str, event: str) -> Iterable[Row]:
    found = (row for row in ROWS if row.name == name and row.trigger == event and source in row.sources)
    return [replace(row, sources=frozenset({State(source)})) for row in found]
