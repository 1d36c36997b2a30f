"""What diagrams and documents say: steps, lines and labels in words, the same in every format.

Rules:
1. Words come from the table; nothing is said of a row that its row does not say.
2. A label is short enough to stand beside an arrow; whatever else a line knows is in its sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from diagrams.model import ANY, Cause, Edge, Line
from fsm.effects import Step
from fsm.states import State

SHOWN: Final = 3
"""How many rows an arrow of the overview names; the others are counted."""
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


def main_cause(edge: Edge) -> Cause:
    """The cause that an arrow is coloured by: its own, or failing, or that of the row which it names first."""
    if edge.cause is None and edge.target in _SAD and edge.source != ANY:
        return Cause.FAILED
    return edge.cause or min(edge.lines, key=_weight).cause


def _weight(line: Line) -> tuple[bool, int]:
    """What happens in the ordinary course first: a row that asks nothing else, then by cause."""
    return bool(line.question), list(Cause).index(line.cause)
