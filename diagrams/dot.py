"""DOT: a diagram as the text that Graphviz draws; usher itself needs no Graphviz.

Rules:
1. The same diagram always gives the same bytes.
2. Phases stand in a line, waiting below them, ends at the right; the start is a filled circle.
3. Every row's sentence is the tooltip of its arrow, or of its state if it stays there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from diagrams import words
from diagrams.model import Cause, Diagram, Edge, Kind, Node

_FILLS: Final[dict[Kind, tuple[str, str]]] = {
    Kind.START: ("#333333", "#333333"),
    Kind.PHASE: ("#e3f0e3", "#2e6b34"),
    Kind.WAITING: ("#fdf0d5", "#9a6a00"),
    Kind.END: ("#e1e9f5", "#2b4f81"),
    Kind.ANY: ("#f5f5f5", "#777777"),
}
_STROKES: Final[dict[Cause, str]] = {
    Cause.DONE: 'color="#2e6b34", fontcolor="#2e6b34", style=solid',
    Cause.FAILED: 'color="#b02a2a", fontcolor="#b02a2a", style=solid',
    Cause.DUE: 'color="#9a6a00", fontcolor="#9a6a00", style=solid',
    Cause.HINT: 'color="#2b4f81", fontcolor="#2b4f81", style=dashed',
    Cause.OPERATOR: 'color="#777777", fontcolor="#777777", style=dotted',
}

_SHAPES: Final[dict[Kind, str]] = {
    Kind.START: ", shape=circle, width=0.25, fixedsize=true, group=line",
    Kind.PHASE: ", group=line",
    Kind.ANY: ', style="rounded,filled,dashed"',
}


def render(diagram: Diagram) -> str:
    """The text, with a final newline."""
    return "\n".join(_text(diagram)) + "\n"


def _text(diagram: Diagram) -> Iterator[str]:
    yield "digraph usher {"
    yield "  rankdir=LR; nodesep=0.25; ranksep=0.5; bgcolor=white; fontname=Helvetica;"
    yield '  node [shape=box, style="rounded,filled", fontname=Helvetica, fontsize=12, margin="0.12,0.07"];'
    yield "  edge [fontname=Helvetica, fontsize=9, arrowsize=0.7];"
    for node in diagram.nodes:
        yield _node(node)
    columns = _columns(diagram.nodes)
    for column in sorted(set(columns.values())):
        names = " ".join(_quoted(name) for name in columns if columns[name] == column)
        yield f"  {{ rank=same; {names} }}"
    kinds = {node.name: node.kind for node in diagram.nodes}
    for edge in diagram.edges:
        yield _edge(edge, kinds, columns, full=diagram.full)
    yield "}"


def _columns(nodes: Sequence[Node]) -> dict[str, int]:
    """Where each node stands from left to right: waiting below the later phases, ends after the last."""
    phases = [node.name for node in nodes if node.kind is Kind.PHASE]
    waiting = [node.name for node in nodes if node.kind is Kind.WAITING]
    columns = {node.name: 0 if node.kind in {Kind.START, Kind.ANY} else len(phases) + 1 for node in nodes}
    columns |= {name: place for place, name in enumerate(phases, 1)}
    return columns | {name: max(len(phases) - place, 1) for place, name in enumerate(reversed(waiting))}


def _node(node: Node) -> str:
    fill, stroke = _FILLS[node.kind]
    tooltip = "\n".join([f"{node.name}: {node.fact}", *(words.sentence(line) for line in node.loops)])
    shape = _SHAPES.get(node.kind, "")
    said = _quoted("") if node.kind is Kind.START else _said(node)
    return (
        f"  {_quoted(node.name)} [label={said}, fillcolor={_quoted(fill)}, color={_quoted(stroke)}, "
        f"tooltip={_quoted(tooltip)}{shape}];"
    )


def _said(node: Node) -> str:
    lines = [f"<b>{'any state' if node.kind is Kind.ANY else escape(node.name)}</b>"]
    small = [words.step(step) for step in node.steps] + [f"↺ {line.name}" for line in node.loops]
    lines += [f'<font point-size="9">{escape(text)}</font>' for text in small]
    return f"<{'<br/>'.join(lines)}>"


def _edge(edge: Edge, kinds: dict[str, Kind], columns: dict[str, int], *, full: bool) -> str:
    tooltip = _quoted("\n".join(words.sentence(line) for line in edge.lines))
    label = _quoted("\n".join(words.label(edge, full=full)))
    stroke = _STROKES[words.main_cause(edge)]
    weight = ", weight=1000" if _along(edge, kinds, columns) else ""
    left, right, back = edge.source, edge.target, ""
    if columns[left] > columns[right]:  # drawn from left to right all the same, so that columns stay columns
        left, right, back = right, left, "dir=back, "
    return (
        f"  {_quoted(left)} -> {_quoted(right)} [{back}label={label}, {stroke}, "
        f"tooltip={tooltip}, labeltooltip={tooltip}{weight}];"
    )


def _along(edge: Edge, kinds: dict[str, Kind], columns: dict[str, int]) -> bool:
    """Whether it is a part of the straight way through."""
    through = kinds[edge.source] in {Kind.START, Kind.PHASE} and kinds[edge.target] in {Kind.PHASE, Kind.END}
    return through and columns[edge.target] == columns[edge.source] + 1


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
