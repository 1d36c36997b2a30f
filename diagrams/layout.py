"""The layout of the machine: where each state stands, so that the way through is a line that is read from the left.

Rules:
1. Phases stand in a line, equally high; waiting states below them, ends in a column at the right, the start left.
2. What a box needs for its words it gets; nothing lies on anything else.
3. The same diagram always gives the same places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from diagrams import words
from diagrams.model import Diagram, Kind, Node
from diagrams.routes import route
from diagrams.scene import Box, Ink, Scene, Words, extent

GAP: Final = 34.0
"""Between two phases: room for an arrow and a short label."""
BETWEEN: Final = 22.0
_LEAST: Final = 84.0
_HEAD: Final = 74.0
"""Above the phases at least: the title, and the wires that lead back or to an end."""
_TITLE: Final = 30.0
"""What the title needs, without the line under it."""
_BELOW: Final = 76.0
"""Between the phases and what waits below them."""
_LINE: Final = 14.0
_START: Final = 16.0
_LEFT: Final = 62.0
"""Where the line begins at least."""
_ROWS: Final = 32
"""So many lines stand in one column of a box; of more, the rows that stay go into a second one."""

Columns = tuple[tuple[Words, ...], ...]


def lay_out(diagram: Diagram) -> Scene:
    """The page of a diagram of states; what runs above the phases has its room below the title."""
    title = _TITLE + (_LINE if diagram.under else 0.0)
    scene = _laid_out(diagram, _HEAD + title - _TITLE)
    highest = min((y for wire in scene.wires for _, y in wire.points), default=title)
    return scene if highest >= title else _laid_out(diagram, _HEAD + 2 * title - _TITLE - highest)


def _laid_out(diagram: Diagram, top: float) -> Scene:
    of = {each: [node for node in diagram.nodes if node.kind is each] for each in Kind}
    said = {node.name: words.body(node, diagram) for node in diagram.nodes}
    phases = _line(of[Kind.PHASE], said, (_begin(diagram), top), _gaps(diagram, of[Kind.PHASE]))
    waiting = _below(of[Kind.WAITING], said, phases)
    beside = [*phases, *waiting]
    ends = _column(of[Kind.END], said, top, max([box.right + GAP for box in beside], default=_LEFT) + _aside(diagram))
    boxes = [*_start(of[Kind.START], said, phases), *phases, *waiting, *ends]
    boxes += _anywhere(of[Kind.ANY], said, ends, waiting)
    wires = route(diagram, {box.name: box for box in boxes if box.look in set(Kind)})
    return Scene((*_titles(diagram, boxes), *boxes), wires)


def _box(node: Node, columns: Columns, x: float, y: float, width: float, height: float) -> Box:
    title = words.heading(node)
    return Box(node.name, node.kind.value, x, y, width, height, columns, title, words.tip(node), node.faint, node.here)


def _needs(node: Node, columns: Columns) -> tuple[float, float]:
    width, height = extent(words.heading(node), columns)
    return max(width, _LEAST), height


def _gaps(diagram: Diagram, phases: Sequence[Node]) -> list[float]:
    """The room after each phase: for an arrow, and what is written above it."""
    said = {(edge.source, edge.target): Words(edge.label).width + _LINE for edge in diagram.edges}
    return [*(max(GAP, said.get((left.name, right.name), 0.0)) for left, right in pairwise(phases)), GAP]


def _begin(diagram: Diagram) -> float:
    """Where the line begins: right of the start, with room for what is written above its arrow."""
    starts = {node.name for node in diagram.nodes if node.kind is Kind.START}
    labels = [Words(edge.label).width for edge in diagram.edges if edge.source in starts]
    return max([_LEFT, *(_START + wide + _LINE for wide in labels)])


def _line(
    nodes: Sequence[Node], said: dict[str, tuple[Words, ...]], place: tuple[float, float], gaps: Sequence[float]
) -> list[Box]:
    x, top = place
    columns = {node.name: _columns(said[node.name]) for node in nodes}
    sizes = [_needs(node, columns[node.name]) for node in nodes]
    tallest = max((height for _, height in sizes), default=0.0)
    boxes = []
    for node, (width, _), gap in zip(nodes, sizes, gaps, strict=True):
        boxes.append(_box(node, columns[node.name], x, top, width, tallest))
        x += width + gap
    return boxes


def _below(nodes: Sequence[Node], said: dict[str, tuple[Words, ...]], phases: Sequence[Box]) -> list[Box]:
    """What waits, side by side below the line; the ones in the middle take the room that the outer ones leave."""
    columns = {node.name: _columns(said[node.name]) for node in nodes}
    sizes = [_needs(node, columns[node.name]) for node in nodes]
    tallest = max((height for _, height in sizes), default=0.0)
    left, right = (phases[0].x, phases[-1].right + GAP) if phases else (_LEFT, 600.0)
    top = (phases[0].bottom if phases else _HEAD) + _BELOW
    spare = right - left - sum(width for width, _ in sizes) - GAP * (len(nodes) - 1)
    boxes, x = [], left
    for place, (node, (width, _)) in enumerate(zip(nodes, sizes, strict=True)):
        inner = 0 < place < len(nodes) - 1
        wide = width + (max(spare, 0.0) / (len(nodes) - 2) if inner else 0.0)
        boxes.append(_box(node, columns[node.name], x, top, wide, tallest))
        x += wide + GAP
    return boxes


def _columns(lines: tuple[Words, ...]) -> Columns:
    if len(lines) <= _ROWS:
        return (lines,)
    staying = tuple(each for each in lines if each.text.startswith(words.STAYS))
    return tuple(each for each in (lines[: len(lines) - len(staying)], staying) if each)


def _aside(diagram: Diagram) -> float:
    """More room at the left of the ends, for what is written beside the wires that go down there."""
    ends = {node.name for node in diagram.nodes if node.kind is Kind.END}
    return max([Words(edge.label).width for edge in diagram.edges if edge.source in ends], default=0.0) / 2


def _column(nodes: Sequence[Node], said: dict[str, tuple[Words, ...]], top: float, x: float) -> list[Box]:
    sizes = [_needs(node, (said[node.name],)) for node in nodes]
    width = max((width for width, _ in sizes), default=0.0)
    boxes, y = [], top
    for node, (_, height) in zip(nodes, sizes, strict=True):
        boxes.append(_box(node, (said[node.name],), x, y, width, height))
        y += height + BETWEEN
    return boxes


def _start(nodes: Iterable[Node], said_of: dict[str, tuple[Words, ...]], phases: Sequence[Box]) -> list[Box]:
    y = (phases[0].y if phases else _HEAD) + words.LEVEL - _START / 2
    boxes = []
    for node in nodes:
        boxes.append(Box(node.name, node.kind.value, 8.0, y, _START, _START, (), (), words.tip(node), node.faint))
        more = "\n".join(each.text for each in said_of[node.name])
        name = Words(node.name, Ink.QUIET, more or words.tip(node))
        boxes.append(Box(f"{node.name} is", "words", 0.0, y + _START + 4, 40.0, name.height, ((name,),)))
    return boxes


def _anywhere(
    nodes: Sequence[Node], said: dict[str, tuple[Words, ...]], ends: Sequence[Box], waiting: Sequence[Box]
) -> list[Box]:
    boxes = []
    for node in nodes:
        width, height = _needs(node, (said[node.name],))
        low = max([box.bottom for box in waiting], default=0.0)
        y = max(ends[-1].bottom + BETWEEN, low - height) if ends else low + BETWEEN
        boxes.append(_box(node, (said[node.name],), ends[0].x if ends else _LEFT, y, width, height))
    return boxes


def _titles(diagram: Diagram, boxes: Sequence[Box]) -> Iterable[Box]:
    low = max(box.bottom for box in boxes)
    right = max(box.right for box in boxes)
    lines = [Words(diagram.title, Ink.TITLE), *([Words(diagram.under, Ink.QUIET)] if diagram.under else [])]
    yield Box("title", "words", 0.0, 0.0, right, 36.0, (tuple(lines),))
    legend = words.legend(diagram)
    if legend:
        yield Box("legend", "words", 0.0, low + 30.0, right, 16.0, tuple((each,) for each in legend))
