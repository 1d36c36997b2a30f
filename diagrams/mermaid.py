"""Mermaid: a diagram as the text of a stateDiagram-v2, which forges draw in Markdown.

Rules:
1. The same diagram always gives the same bytes.
2. Names are the states' own; the start is the pseudo-state `[*]`, and so is the end of a life that is forgotten.
3. Mermaid has no tooltips on transitions: in a full diagram every row's sentence is a comment before its arrow. The
   overview, which stands in documents that people read as text, has none.
4. What a node or a person said ends no line and no string of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from diagrams import words
from diagrams.model import Diagram, Edge, Kind, Node

_STYLES: Final[dict[Kind, tuple[str, str]]] = {
    Kind.PHASE: ("through", "fill:#e3f0e3,stroke:#2e6b34,color:#12300f"),
    Kind.WAITING: ("waits", "fill:#fdf0d5,stroke:#9a6a00,color:#3d2a00"),
    Kind.END: ("ends", "fill:#e1e9f5,stroke:#2b4f81,color:#0f2340"),
    Kind.ANY: ("anywhere", "fill:#f5f5f5,stroke:#777777,color:#333333"),
    Kind.STEP: ("step", "fill:#ffffff,stroke:#444444,color:#222222"),
}
_SPECIAL: Final = frozenset('"#;:<>{}%&`\\')


def render(diagram: Diagram) -> str:
    """The text, with a final newline."""
    return "\n".join(_text(diagram)) + "\n"


def _text(diagram: Diagram) -> Iterator[str]:
    shown = [node for node in diagram.nodes if _shown(node)]
    kinds = {node.name: node.kind for node in diagram.nodes}
    yield from _head(diagram)
    for kind, (name, style) in _STYLES.items():
        if kind is not Kind.STEP or kind in kinds.values():
            yield f"  classDef {name} {style}"
    for node in shown:
        yield from _node(node, full=diagram.full)
    for edge in diagram.edges:
        yield from _told(edge, full=diagram.full)
        yield _edge(edge, kinds, full=diagram.full)
    for node in shown:
        yield f"  class {_name(node.name)} {_STYLES[node.kind][0]}"


def _shown(node: Node) -> bool:
    return node.kind is not Kind.START and (not node.faint or node.count is not None)


def _head(diagram: Diagram) -> Iterator[str]:
    """The kind of the picture; with its title where it is of something else than the table."""
    if diagram.under:
        yield from ("---", f"title: {json.dumps(diagram.title)}", "---")
    yield from ("stateDiagram-v2", "  direction LR")
    if diagram.under:
        yield f"  %% {_comment(diagram.under)}"


def _told(edge: Edge, *, full: bool) -> Iterator[str]:
    said = [*edge.told, *(words.sentence(line) for line in edge.lines if full)]
    return (f"  %% {edge.source} to {edge.target}: {_comment(each)}" for each in said)


def _node(node: Node, *, full: bool) -> Iterator[str]:
    name = node.name.rpartition(".")[2]
    said = ["any state" if node.kind is Kind.ANY else name, *([] if node.count is None else [f"{node.count:,}"])]
    said += [*(note.text.strip() for note in node.notes), *(words.step(step) for step in node.steps)]
    said += [f"↺ {line.name}" for line in node.loops]
    if full:
        yield f"  %% {node.name}: {_comment(node.fact)}"
        yield from (f"  %% {node.name}, stays: {_comment(words.sentence(line))}" for line in node.loops)
    yield f'  state "{"<br/>".join(map(_escaped, said))}" as {_name(node.name)}'


def _edge(edge: Edge, kinds: dict[str, Kind], *, full: bool) -> str:
    source, target = ("[*]" if kinds[name] is Kind.START else _name(name) for name in (edge.source, edge.target))
    said = [edge.label] if edge.label else words.label(edge, full=full)
    if edge.faint or not any(said):
        return f"  {source} --> {target}"
    return f"  {source} --> {target} : {'<br/>'.join(map(_escaped, said))}"


def _name(name: str) -> str:
    """A name that Mermaid takes as one word."""
    return re.sub(r"\W", "_", name)


def _comment(text: str) -> str:
    return words.plain(text).replace("\n", " ").replace("%%", "% %").replace("{", "(").replace("}", ")")


def _escaped(text: str) -> str:
    """A text in which nothing ends a string, begins an entity or a directive, or is markup."""
    return "".join(f"#{ord(each)};" if each in _SPECIAL else each for each in words.plain(text).replace("\n", " "))
