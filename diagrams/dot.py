"""DOT: a scene as the text that Graphviz draws; usher itself needs no Graphviz.

Rules:
1. The same diagram always gives the same bytes; every place is in the text, so no version of Graphviz moves anything.
2. A kind of state differs from the others in its fill, its border and where it stands; a cause in its colour and its
   line: nothing is told by colour alone.
3. Every row's sentence is the tooltip of its words, or of its arrow. What a node or a person said can end no string.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise, zip_longest
from typing import Final

from diagrams import steps, words
from diagrams.layout import lay_out
from diagrams.model import Diagram, Kind
from diagrams.scene import PAD, Box, Ink, Point, Scene, Wire, Words

_WORDS: Final = "words"
"""The look of a box that is nothing but its words."""
_LOOKS: Final[dict[str, tuple[str, str, str]]] = {
    Kind.START.value: ("#333333", "#333333", "shape=circle, style=filled"),
    Kind.PHASE.value: ("#e8f3e6", "#2e6b34", 'style="rounded,filled", penwidth=1.4'),
    Kind.WAITING.value: ("#fdf0d0", "#8a5a00", 'style="rounded,filled,dashed", penwidth=1.4'),
    Kind.END.value: ("#cfdcef", "#1f3f6d", "style=filled, peripheries=2"),
    Kind.ANY.value: ("#ffffff", "#777777", 'style="filled,dotted"'),
    Kind.STEP.value: ("#ffffff", "#444444", "style=filled"),
    _WORDS: ("#ffffff", "#ffffff", "shape=plain, fixedsize=false"),
}
"""Fill, stroke and form of each kind of box."""
_FAINT: Final = ("#fafafa", "#bbbbbb")
_INKS: Final[dict[Ink, str]] = {
    Ink.TITLE: "#111111",
    Ink.HUGE: "#111111",
    Ink.PLAIN: "#222222",
    Ink.QUIET: "#5a5a5a",
    Ink.DONE: "#1d5c26",
    Ink.FAILED: "#a11d1d",
    Ink.DUE: "#7a4d00",
    Ink.HINT: "#22467d",
    Ink.OPERATOR: "#555555",
}
_STROKES: Final[dict[Ink, str]] = {
    Ink.PLAIN: "style=solid",
    Ink.DONE: "style=solid",
    Ink.FAILED: "style=dashed",
    Ink.DUE: "style=solid, arrowhead=onormal",
    Ink.HINT: "style=dotted",
    Ink.OPERATOR: "style=dotted, arrowhead=onormal",
}
_ROUND: Final = 6.0
"""Points of a wire's corner that are round."""
_TIP: Final = 6.0
"""Points of an arrow's head."""


def render(diagram: Diagram) -> str:
    """The text, with a final newline."""
    made = steps.lay_out(diagram) if any(node.kind is Kind.STEP for node in diagram.nodes) else lay_out(diagram)
    return "\n".join(_text(made)) + "\n"


def _text(scene: Scene) -> Iterator[str]:
    high = max(box.bottom for box in scene.boxes)
    yield "digraph usher {"
    yield "  layout=nop2; splines=true; bgcolor=white; fontname=Helvetica; pad=0.2; outputorder=edgesfirst;"
    yield "  node [shape=box, fixedsize=true, fontname=Helvetica, fontsize=10, margin=0];"
    yield "  edge [fontname=Helvetica, fontsize=10, arrowsize=0.6];"
    for box in scene.boxes:
        yield _node(box, high)
    for wire in scene.wires:
        yield _edge(wire, high)
    yield "}"


# -- boxes ------------------------------------------------------------------------------------------------------------


def _node(box: Box, high: float) -> str:
    fill, stroke, form = _LOOKS[box.look]
    if box.faint:
        fill, stroke = _FAINT
    form += ", penwidth=3" if box.here else ""
    place = f'pos="{_number(box.middle)},{_number(high - box.y - box.height / 2)}"'
    size = f"width={_number(box.width / 72, 4)}, height={_number(box.height / 72, 4)}"
    colours = f"fillcolor={_quoted(fill)}, color={_quoted(stroke)}, {form}"
    return f"  {_quoted(box.name)} [label={_label(box)}, {place}, {size}, {colours}, tooltip={_quoted(box.tip)}];"


def _label(box: Box) -> str:
    if not box.title and not any(box.columns):
        return '""'
    across = max(2 * len(box.columns) - 1, 1)
    rows = [_cell(each, across, faint=box.faint) for each in box.title]
    rows += [
        _APART.join(_cell(each, faint=box.faint) if each else _EMPTY for each in line)
        for line in zip_longest(*box.columns)
    ]
    width = box.width
    if box.look != _WORDS:
        width -= PAD
        rows.append(f'<td colspan="{across}" height="{_left(box):.0f}"></td>')
    head = f'<table border="0" cellborder="0" cellspacing="0" cellpadding="0" width="{width:.0f}">'
    return f"<{head}{''.join(f'<tr>{row}</tr>' for row in rows)}</table>>"


_EMPTY: Final = "<td></td>"
_APART: Final = f'<td width="{PAD:.0f}"></td>'


def _left(box: Box) -> float:
    """Points of a box below its lines, which keep them at its top."""
    columns = [sum(each.height for each in column) for column in box.columns]
    lines = sum(each.height for each in box.title) + max(columns, default=0.0)
    return max(box.height - lines - 2 * PAD, 0.0)


def _cell(line: Words, columns: int = 1, *, faint: bool) -> str:
    across = f' colspan="{columns}"' if columns > 1 else ""
    tip = f' href="" tooltip="{_html(line.tip)}"' if line.tip else ""
    colour = "#8a8a8a" if faint else _INKS[line.ink]
    text = _html(line.text).replace(" ", "&#160;") or "&#160;"
    shown = f"<b>{text}</b>" if line.ink in {Ink.TITLE, Ink.HUGE} else text
    font = f'<font color="{colour}" point-size="{line.size:g}">{shown}</font>'
    return f'<td align="left" height="{line.height:.0f}"{across}{tip}>{font}</td>'


# -- wires ------------------------------------------------------------------------------------------------------------


def _edge(wire: Wire, high: float) -> str:
    colour = "#c4c4c4" if wire.faint else _INKS[wire.ink]
    drawn = "style=solid" if wire.faint else _STROKES[wire.ink]
    wide = 2.2 if wire.strong and not wire.faint else 1.1
    said = f", label={_quoted(wire.label)}, lp={_quoted(_point(wire.at, high))}" if wire.label else ""
    head = ", arrowhead=none" if wire.joins else ""
    tip = _quoted(wire.tip)
    return (
        f"  {_quoted(wire.source)} -> {_quoted(wire.target)} [pos={_quoted(_spline(wire, high))}, "
        f"color={_quoted(colour)}, fontcolor={_quoted(colour)}, {drawn}{head}, penwidth={wide}{said}, "
        f"tooltip={tip}, labeltooltip={tip}];"
    )


def _spline(wire: Wire, high: float) -> str:
    """The wire as curves: straight, round at the corners, and ending where the arrow's head begins."""
    end, before = wire.points[-1], wire.points[-2]
    way = [*wire.points[:-1], end if wire.joins else _towards(end, before, _TIP)]
    said = [*([] if wire.joins else [f"e,{_point(end, high)}"]), _point(way[0], high)]
    at = way[0]
    for corner, after in pairwise(way[1:]):
        begin, finish = _towards(corner, at, _ROUND), _towards(corner, after, _ROUND)
        said += [*_straight(at, begin, high), *(_point(each, high) for each in (corner, corner, finish))]
        at = finish
    return " ".join([*said, *_straight(at, way[-1], high)])


def _straight(start: Point, end: Point, high: float) -> Iterator[str]:
    for part in (1 / 3, 2 / 3, 1.0):
        yield _point((start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part), high)


def _towards(start: Point, end: Point, distance: float) -> Point:
    """A place on the way from one to another, no farther than half of it."""
    whole = max(abs(end[0] - start[0]) + abs(end[1] - start[1]), 0.01)
    part = min(distance / whole, 0.5)
    return (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)


def _point(point: Point, high: float) -> str:
    return f"{_number(point[0])},{_number(high - point[1])}"


def _number(value: float, places: int = 1) -> str:
    return f"{round(value, places) + 0.0:.{places}f}"


# -- texts ------------------------------------------------------------------------------------------------------------


def _html(text: str) -> str:
    return escape(words.plain(text), quote=True).replace("\n", "&#10;")


def _quoted(text: str) -> str:
    escaped = words.plain(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
