"""The fleet as a diagram: how many nodes are in each state, now or at an earlier time.

Rules:
1. A count of the past is the count of now without what happened since: it costs a look at each row since then, and
   none at the rows before, which may have been pruned.
2. Closed records are not counted, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from diagrams.model import Cause, Diagram, Edge, Node, Note, kind
from diagrams.model import draw as machine
from fsm.reasons import Reason
from fsm.states import FACTS, State
from usher.views.path import clock

REASONS: Final = 3
"""Reasons that are told of the failed nodes."""


def draw(counts: Mapping[State, int], at: int, reasons: Sequence[tuple[Reason, int]] = (), waiting: int = 0) -> Diagram:
    """The diagram of the nodes in each state at `at` (milliseconds), why they failed, and how many wait their turn."""
    whole = sum(counts.get(state, 0) for state in State if state is not State.UNSEEN)
    notes = {State.FAILED: _why(reasons), State.DISCOVERED: _room(waiting)}
    nodes = tuple(_node(state, counts.get(state, 0), whole, notes.get(state, ())) for state in State)
    edges = tuple(
        Edge(edge.source, edge.target, edge.cause, edge.lines, faint=True)
        for edge in machine().edges
        if {edge.source, edge.target} <= set(State)
    )
    return Diagram(nodes, edges, full=False, title=f"usher: a fleet of {whole:,} nodes", under=f"at {clock(at)}")


def _node(state: State, count: int, whole: int, notes: tuple[Note, ...]) -> Node:
    if state is State.UNSEEN:
        return Node(state.value, kind(state), FACTS[state], faint=True)
    share = (Note(_share(count, whole)),) if count else ()
    return Node(state.value, kind(state), FACTS[state], notes=share + notes, count=count, faint=not count)


def _share(count: int, whole: int) -> str:
    part = 1000 * count // whole
    return f"{part // 10}.{part % 10} %" if part else "under 0.1 %"


def _why(reasons: Sequence[tuple[Reason, int]]) -> tuple[Note, ...]:
    return tuple(Note(f"{reason.value}: {count:,}", Cause.FAILED) for reason, count in reasons[:REASONS])


def _room(waiting: int) -> tuple[Note, ...]:
    return (Note(f"waiting for their turn: {waiting:,}"),) if waiting else ()
