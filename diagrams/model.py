"""What is drawn: the states and the rows of the one table, as nodes and edges that know no format.

Rules:
1. Everything is derived from the table, the states and the list of steps: a row that is added is drawn.
2. The same rows always give the same diagram, in the same order.
3. A row that is ignored is not drawn; every other row is on exactly one edge, or listed in a node, of a full diagram.
4. A renderer reads a Diagram and nothing else, so a diagram of something else (a node's path) needs no new renderer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fsm.effects import STEPS, Effect, Step, conditions, following, steps
from fsm.events import Trigger
from fsm.rows import Opens, Row
from fsm.states import ENDS, FACTS, PHASES, State
from fsm.table import ROWS, VERSION

ANY: Final = "any"
"""The name of the pseudo-state from which the rows start that apply in (nearly) every state."""
_NEARLY_ALL: Final = len(State) - 2


class Kind(StrEnum):
    """Where a node is drawn: phases in a line, waiting below, ends at the right, the start where every life begins.

    A step stands below its phase, in the diagram of the effects alone.
    """

    START = "start"
    PHASE = "phase"
    WAITING = "waiting"
    END = "end"
    ANY = "any"
    STEP = "step"


class Cause(StrEnum):
    """Groups of triggers; an edge of a full diagram has one."""

    DONE = "done"
    FAILED = "failed"
    DUE = "due"
    HINT = "hint"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Line:
    """One named row as a diagram tells it; rows of one name that differ only in their trigger are one line.

    `opens` are the effects that it may open, of which the features choose; `same` says that it opens the step again
    that is current. `excepted` are the states that a row of the any-state does not start from.
    """

    name: str
    triggers: tuple[Trigger, ...]
    question: str
    why: str
    opens: tuple[Step, ...] = ()
    same: bool = False
    excepted: tuple[State, ...] = ()

    @property
    def cause(self) -> Cause:
        """The group of its triggers."""
        return cause(self.triggers[0])


@dataclass(frozen=True, slots=True)
class Note:
    """A line of words in a node that no row of the table says: `cause` is its colour, `tip` what it tells besides."""

    text: str
    cause: Cause | None = None
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A state: its fact, the steps of its phase, and (in a full diagram) the lines that stay in it.

    `notes` are what a diagram of something else than the table says of it, `count` how many nodes are there; `here`
    says that it is where a path ends, `faint` that nothing is told of it, and it only shows its place.
    """

    name: str
    kind: Kind
    fact: str
    steps: tuple[Step, ...] = ()
    loops: tuple[Line, ...] = ()
    notes: tuple[Note, ...] = ()
    count: int | None = None
    here: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """What leads from one node to another; `cause` None means that the edge stands for all groups of triggers.

    `label` stands beside it, in place of the names of its rows, `told` is what is told of it besides; `faint` is as
    of a node.
    """

    source: str
    target: str
    cause: Cause | None
    lines: tuple[Line, ...]
    label: str = ""
    told: tuple[str, ...] = ()
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """What a renderer draws: full, or one edge for each pair of states; `title` says of what, `under` a word more."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    full: bool
    title: str = ""
    under: str = ""


def cause(trigger: Trigger) -> Cause:
    """The group of a trigger: the first word of its name."""
    return Cause(trigger.value.partition("_")[0])


def kind(state: State) -> Kind:
    """Where a state is drawn."""
    if state is State.UNSEEN:
        return Kind.START
    if state in PHASES:
        return Kind.PHASE
    return Kind.END if state in ENDS else Kind.WAITING


def draw(rows: Sequence[Row] = ROWS, *, full: bool = False) -> Diagram:
    """The diagram of a table: every row, or as an overview one edge for each pair of states without what stays."""
    drawn = [row for row in rows if not row.ignored]
    title = f"usher: the machine of a node, version {VERSION} of its table"
    return Diagram(_nodes(drawn, full=full), _edges(drawn, full=full), full, title)


def opened(row: Row, source: State) -> tuple[Step, ...]:
    """The steps that a row may open from this state, where the list of steps decides: the first that is on opens."""
    target = row.goes_to(source)
    if isinstance(row.opens, Effect):
        return (Step(row.opens),)
    if row.opens is Opens.NEXT and target is source:
        return _later(source)
    if row.opens in {Opens.NEXT, Opens.FIRST}:
        return _leading(STEPS.get(target, ()))
    return ()


def _leading(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that can be the first of a phase: up to the first that no feature switches off."""
    certain = next((place for place, step in enumerate(steps) if step.when is None), len(steps))
    return tuple(steps[: certain + 1])


def _later(state: State) -> tuple[Step, ...]:
    """The steps of a phase that can come after another, whatever a site has chosen and a node has brought."""
    found = {following(state, effect, held) for held in conditions() for effect in steps(state, held)}
    return tuple(step for step in STEPS.get(state, ()) if step.effect in found)


def _nodes(rows: Iterable[Row], *, full: bool) -> tuple[Node, ...]:
    rows = list(rows)
    nodes = [
        Node(state.value, kind(state), FACTS[state], STEPS.get(state, ()), _loops(rows, state) if full else ())
        for state in State
    ]
    if any(_wide(row) for row in rows):
        nodes.append(Node(ANY, Kind.ANY, "what applies in every state"))
    return tuple(nodes)


def _loops(rows: Iterable[Row], state: State) -> tuple[Line, ...]:
    staying = [row for row in rows if state in row.sources and row.goes_to(state) is state and not _wide(row)]
    return lines_of([(row, state) for row in staying])


def _edges(rows: Iterable[Row], *, full: bool) -> tuple[Edge, ...]:
    found: dict[tuple[str, str, Cause | None], list[tuple[Row, State]]] = {}
    for row in rows:
        for source in sorted(row.sources, key=list(State).index):
            target = row.goes_to(source)
            if target is source and not _wide(row):
                continue
            key = (ANY if _wide(row) else source.value, target.value, cause(row.trigger) if full else None)
            found.setdefault(key, []).append((row, source))
    return tuple(Edge(*key, lines_of(found[key])) for key in sorted(found, key=_order))


def _order(key: tuple[str, str, Cause | None]) -> tuple[int, int, int]:
    names = [*(state.value for state in State), ANY]
    source, target, group = key
    return names.index(source), names.index(target), list(Cause).index(group) if group else 0


def _wide(row: Row) -> bool:
    return len(row.sources) >= _NEARLY_ALL and row.target is not None


def lines_of(rows: Iterable[tuple[Row, State]]) -> tuple[Line, ...]:
    """The lines of rows, each with the state that it starts from."""
    named: dict[tuple[str, Cause], list[tuple[Row, State]]] = {}
    for row, source in rows:
        named.setdefault((row.name, cause(row.trigger)), []).append((row, source))
    return tuple(_line(group) for group in named.values())


def _line(group: Sequence[tuple[Row, State]]) -> Line:
    row, source = group[0]
    triggers = tuple(dict.fromkeys(each.trigger for each, _ in group))
    excepted = tuple(state for state in State if state not in row.sources) if _wide(row) else ()
    same = row.opens in {Opens.AGAIN, Opens.ANEW}
    return Line(row.name, triggers, row.question, row.why, opened(row, source), same, excepted)
