"""What diagrams and documents say: steps, lines and labels in words, the same in every format.

Rules:
1. Words come from the table; nothing is said of a row that its row does not say.
2. A label is short enough to stand beside an arrow; whatever else a line knows is in its sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Final

from diagrams.model import ANY, Cause, Diagram, Edge, Kind, Line, Node
from diagrams.scene import Ink, Words
from fsm.effects import Step
from fsm.states import State

SHOWN: Final = 3
"""How many rows an arrow of the overview names; the others are counted."""
LEVEL: Final = 18.0
"""Points below the upper side of a box at which the way through enters and leaves it: the height of its name."""
STAYS: Final = "↺"
"""Before the name of a row that stays in its state."""
_SAD: Final = frozenset({State.FAILED.value, State.GONE.value})


def step(step: Step) -> str:
    """A step, and the feature that it belongs to."""
    return f"{step.effect.value} ({step.when.value})" if step.when else step.effect.value


def steps(phase: Sequence[Step]) -> str:
    """The steps of a phase, in order."""
    return ", ".join(step(each) for each in phase)


def opens(line: Line) -> str:
    """What a line opens; empty if nothing."""
    if line.same:
        return "the same step"
    return " or ".join(step(each) for each in line.opens)


def sentence(line: Line) -> str:
    """Everything that a line says: name, triggers, guard, why, effect."""
    asked = f" [{line.question}]" if line.question else ""
    does = f"; opens {opens(line)}" if opens(line) else ""
    never = f"; not from {', '.join(state.value for state in line.excepted)}" if line.excepted else ""
    return f"{line.name} ({', '.join(trigger.value for trigger in line.triggers)}){asked}: {line.why}{does}{never}"


def label(edge: Edge, *, full: bool) -> list[str]:
    """What stands beside an arrow: in a full diagram each row, otherwise the first rows and how many more."""
    names = [line.name for line in sorted(edge.lines, key=_weight)]
    if full or len(names) <= SHOWN:
        return names
    return [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]


def main_cause(edge: Edge) -> Cause | None:
    """The cause that an arrow is coloured by: its own, or failing, or that of the row which it names first.

    None for one of which today's table knows no row.
    """
    if not edge.lines:
        return edge.cause
    if edge.cause is None and edge.target in _SAD and edge.source != ANY:
        return Cause.FAILED
    return edge.cause or min(edge.lines, key=_weight).cause


def _weight(line: Line) -> tuple[bool, int]:
    """What happens in the ordinary course first: a row that asks nothing else, then by cause."""
    return bool(line.question), list(Cause).index(line.cause)


# -- what stands in a box ---------------------------------------------------------------------------------------------


def heading(node: Node) -> tuple[Words, ...]:
    """The lines at the top of a box: the name, and how many nodes are there."""
    if node.kind is Kind.START:
        return ()
    name = Words("in any state" if node.kind is Kind.ANY else node.name, Ink.TITLE, tip(node))
    return (name,) if node.count is None else (name, Words(f"{node.count:,}", Ink.HUGE))


def body(node: Node, diagram: Diagram) -> tuple[Words, ...]:
    """The lines below: notes, steps, where its rows lead, and which of them stay."""
    said = [Words(note.text, ink(note.cause), note.tip) for note in node.notes]
    said += [Words(step(each), Ink.QUIET) for each in node.steps]
    listed = [edge for edge in diagram.edges if edge.source == node.name and _listed(edge, node)]
    for _, edges in groupby(listed, key=attrgetter("target")):
        said += _leading(list(edges), full=diagram.full)
    said += [Words(f"{STAYS} {line.name}", ink(line.cause), sentence(line)) for line in node.loops]
    return tuple(said)


def _listed(edge: Edge, node: Node) -> bool:
    """Whether a box lists the rows of an arrow that leaves it: one that stands for what happened has its own label."""
    return node.kind is not Kind.START and not edge.label and not edge.faint


def _leading(edges: Sequence[Edge], *, full: bool) -> Iterator[Words]:
    """Where arrows to one state lead, and which rows take them."""
    whole = merged(edges)
    lines = {line.name: line for line in whole.lines}
    told = "\n".join(sentence(line) for line in whole.lines)
    yield Words(f"→ {whole.target}", ink(main_cause(whole)), told)
    for name in label(whole, full=full):
        line = lines.get(name)
        yield Words(f"   {name}", ink(line.cause) if line else Ink.QUIET, sentence(line) if line else told)


def merged(edges: Sequence[Edge]) -> Edge:
    """The edge that stands for all of these, which join the same two."""
    if len(edges) == 1:
        return edges[0]
    return replace(edges[0], cause=None, lines=tuple(line for edge in edges for line in edge.lines))


def plain(text: str) -> str:
    """The same text with what no page can show, or what turns the direction of writing, as an escape."""
    return "".join(each if each == "\n" or each.isprintable() else _escaped(each) for each in text)


def _escaped(each: str) -> str:
    return each.encode("unicode_escape", "surrogatepass").decode("ascii")


def tip(node: Node) -> str:
    """What is told of a box when somebody points at it."""
    return f"{node.name}: {node.fact}"


def ink(cause: Cause | None) -> Ink:
    """The ink of a cause."""
    return Ink(cause.value) if cause else Ink.PLAIN


_CAUSES: Final[dict[Cause, str]] = {
    Cause.DONE: "a step succeeded",
    Cause.FAILED: "a step failed",
    Cause.DUE: "a time has come",
    Cause.HINT: "something was seen of it",
    Cause.OPERATOR: "an operator asked",
}


def legend(diagram: Diagram) -> tuple[Words, ...]:
    """What the colours and the kinds of line mean, of those that are there."""
    there = {main_cause(edge) for edge in diagram.edges if not edge.faint}
    there |= {line.cause for node in diagram.nodes for line in node.loops}
    return tuple(Words(f"{_LINES[cause]} {_CAUSES[cause]}      ", ink(cause)) for cause in Cause if cause in there)


_LINES: Final[dict[Cause, str]] = {
    Cause.DONE: "——▶",
    Cause.FAILED: "- - ▶",
    Cause.DUE: "——▷",
    Cause.HINT: "· · · ▶",
    Cause.OPERATOR: "· · · ▷",
}
