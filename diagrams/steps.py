"""The effects as a diagram: the steps of each phase, which feature has them, and what an unknown outcome allows.

Rules:
1. Everything comes from the list of steps, the effects' own words, and the rows that open an effect by its name.
2. A phase stands above its steps, in their order; what a row opens besides stands below them, with the row's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from diagrams import words
from diagrams.model import Cause, Diagram, Edge, Kind, Line, Node, Note, kind, lines_of
from diagrams.scene import Box, Ink, Scene, Words, extent
from diagrams.wires import straight
from fsm.effects import EXCLUSIVE, SPECS, STEPS, Effect, Port, Step, Unknown
from fsm.rows import Row
from fsm.states import FACTS, PHASES, State
from fsm.table import ROWS, VERSION

_UNKNOWN: Final[dict[Unknown, str]] = {
    Unknown.REPEAT: "outcome not known: repeated",
    Unknown.LOOK: "outcome not known: looked for",
}
_GAP: Final = 24.0
_DROP: Final = 22.0
_HEAD: Final = 48.0


def draw(rows: Sequence[Row] = ROWS) -> Diagram:
    """The diagram of the effects of a table."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    for state in PHASES:
        nodes.append(Node(state.value, kind(state), FACTS[state]))
        above = state.value
        for step in STEPS[state]:
            name = f"{state.value}.{step.effect.value}"
            nodes.append(_step(name, step))
            edges.append(Edge(above, name, Cause.DONE, (), f"if {step.when.value}" if step.when else "then"))
            above = name
        for effect, lines in _besides(rows, state):
            opened = Note(f"opened by {' or '.join(line.name for line in lines)}", lines[0].cause, _told(lines))
            nodes.append(_step(f"{state.value}.{effect.value}", Step(effect), opened))
            label = " or ".join(line.name for line in lines)
            edges.append(Edge(state.value, f"{state.value}.{effect.value}", lines[0].cause, lines, label))
    nodes.append(Node(State.PROVISIONED.value, Kind.END, FACTS[State.PROVISIONED]))
    through = [*(state.value for state in PHASES), State.PROVISIONED.value]
    edges += [Edge(left, right, Cause.DONE, ()) for left, right in pairwise(through)]
    return Diagram(tuple(nodes), tuple(edges), full=False, title=_title(), under=_UNDER)


_UNDER: Final = (
    "beside an arrow: the feature that has the step; a box without an arrow: what a row opens besides; "
    f"a site has {' or '.join(sorted(EXCLUSIVE))}, not both"
)


def _title() -> str:
    return f"usher: the effects of each phase, version {VERSION} of the table"


def _besides(rows: Iterable[Row], state: State) -> Iterator[tuple[Effect, tuple[Line, ...]]]:
    """The effects that rows open by name while a node is in this phase, beyond the phase's own steps."""
    own = {step.effect for step in STEPS[state]}
    named = [row for row in rows if isinstance(row.opens, Effect) and state in row.sources and row.opens not in own]
    for effect in Effect:
        found = [(row, state) for row in named if row.opens is effect]
        if found:
            yield effect, lines_of(found)


def _told(lines: Sequence[Line]) -> str:
    return "\n".join(words.sentence(line) for line in lines)


def _step(name: str, step: Step, *more: Note) -> Node:
    spec = SPECS[step.effect]
    changes = (
        "changes the node" if spec.changes_node else "reads only" if spec.port is Port.RPC else "leaves the node alone"
    )
    said = (f"{spec.port.value}, {spec.tries} tries, {changes}", _UNKNOWN[spec.unknown])
    return Node(name, Kind.STEP, spec.what, notes=(*more, *(Note(each) for each in said)))


# -- places -----------------------------------------------------------------------------------------------------------


def lay_out(diagram: Diagram) -> Scene:
    """The page: a column a phase."""
    boxes: dict[str, Box] = {}
    x = 0.0
    heads = [node for node in diagram.nodes if node.kind is not Kind.STEP]
    for head in heads:
        column = [node for node in diagram.nodes if node.kind is Kind.STEP and node.name.startswith(f"{head.name}.")]
        width = max(extent(_named(node), (words.body(node, diagram),))[0] for node in (head, *column))
        y = _HEAD
        for node in (head, *column):
            title, said = _named(node), words.body(node, diagram) if node.kind is Kind.STEP else ()
            height = extent(title, (said,))[1]
            boxes[node.name] = Box(node.name, node.kind.value, x, y, width, height, (said,), title, words.tip(node))
            y += height + _DROP
        x += width + _GAP
    right = max(box.right for box in boxes.values())
    lines = (Words(diagram.title, Ink.TITLE), Words(diagram.under, Ink.QUIET))
    top = Box("title", "words", 0.0, 0.0, right, 34.0, (lines,))
    drawn = [edge for edge in diagram.edges if not edge.lines]  # a box says itself which row opens it
    wires = tuple(straight(edge, boxes[edge.source], boxes[edge.target]) for edge in drawn)
    return Scene((top, *boxes.values()), wires)


def _named(node: Node) -> tuple[Words, ...]:
    return (Words(node.name.rpartition(".")[2], Ink.TITLE, words.tip(node)),)
