"""Mermaid: a diagram as the text of a stateDiagram-v2, which forges draw in Markdown.

Rules:
1. The same diagram always gives the same bytes.
2. Names are the states' own; the start is the pseudo-state `[*]`, and so is the end of a life that is forgotten.
3. Mermaid has no tooltips on transitions: in a full diagram every row's sentence is a comment before its arrow. The
   overview, which stands in documents that people read as text, has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from diagrams import words
from diagrams.model import Diagram, Edge, Kind, Node

_STYLES: Final[dict[Kind, tuple[str, str]]] = {
    Kind.PHASE: ("through", "fill:#e3f0e3,stroke:#2e6b34,color:#12300f"),
    Kind.WAITING: ("waits", "fill:#fdf0d5,stroke:#9a6a00,color:#3d2a00"),
    Kind.END: ("ends", "fill:#e1e9f5,stroke:#2b4f81,color:#0f2340"),
    Kind.ANY: ("anywhere", "fill:#f5f5f5,stroke:#777777,color:#333333"),
}


def render(diagram: Diagram) -> str:
    """The text, with a final newline."""
    return "\n".join(_text(diagram)) + "\n"


def _text(diagram: Diagram) -> Iterator[str]:
    yield "stateDiagram-v2"
    yield "  direction LR"
    for name, style in _STYLES.values():
        yield f"  classDef {name} {style}"
    for node in diagram.nodes:
        if node.kind is not Kind.START:
            yield from _node(node, full=diagram.full)
    kinds = {node.name: node.kind for node in diagram.nodes}
    for edge in diagram.edges:
        if diagram.full:
            yield from (f"  %% {edge.source} to {edge.target}: {words.sentence(line)}" for line in edge.lines)
        yield _edge(edge, kinds, full=diagram.full)
    for node in diagram.nodes:
        if node.kind is not Kind.START:
            yield f"  class {node.name} {_STYLES[node.kind][0]}"


def _node(node: Node, *, full: bool) -> Iterator[str]:
    said = ["any state" if node.kind is Kind.ANY else node.name, *(words.step(step) for step in node.steps)]
    said += [f"↺ {line.name}" for line in node.loops]
    if full:
        yield f"  %% {node.name}: {node.fact}"
        yield from (f"  %% {node.name}, stays: {words.sentence(line)}" for line in node.loops)
    yield f'  state "{"<br/>".join(said)}" as {node.name}'


def _edge(edge: Edge, kinds: dict[str, Kind], *, full: bool) -> str:
    source, target = (("[*]" if kinds[name] is Kind.START else name) for name in (edge.source, edge.target))
    return f"  {source} --> {target} : {'<br/>'.join(words.label(edge, full=full))}"
