"""A node's path through the machine as a diagram: where it was, how often and how long, and what failed there.

Rules:
1. It is made of lines of the past alone, whoever read them: the same lines give the same diagram.
2. Times are UTC and whole seconds, so that a picture says the same wherever it is made.
3. Of many visits the newest are told, of many failures the most frequent, and always how many more there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from diagrams.model import Cause, Diagram, Edge, Node, Note, kind, lines_of
from fsm.events import Trigger
from fsm.states import FACTS, State
from fsm.table import ROWS
from store.newer import Newer
from usher.views.past import SAID, Past
from usher.views.text import span, utc, visible

NEWEST: Final = 3
"""Visits, failures and numbers that are told one by one."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay in a state: the seq that led there, from when, and until when; `end` None is where the path ends."""

    seq: int
    begin: int
    end: int | None = None


@dataclass(slots=True)
class _Trodden:
    """What the lines so far have said."""

    visits: dict[State, list[Visit]] = field(default_factory=dict)
    moves: dict[tuple[State, State], list[Past]] = field(default_factory=dict)
    failures: dict[State, Counter[tuple[str, str]]] = field(default_factory=dict)
    details: dict[tuple[State, tuple[str, str]], str] = field(default_factory=dict)
    first: Past | None = None
    last: Past | None = None
    elsewhere: dict[str, None] = field(default_factory=dict)

    @property
    def begin(self) -> int:
        """From which letter of a time it is worth telling: the hour, if all was on one day, else the month."""
        days = {clock(line.at)[:10] for line in (self.first, self.last) if line is not None}
        return 11 if len(days) == 1 else 5

    def walk(self, line: Past) -> None:
        """One more line."""
        source, target = line.source, line.target
        first, self.first, self.last = self.first, self.first or line, line
        self.elsewhere |= {name.value: None for name in (source, target) if isinstance(name, Newer)}
        if not isinstance(source, Newer):
            if first is None and source is not State.UNSEEN:  # earlier lines were removed, or are not asked for
                self.visits[source] = [Visit(line.seq - 1, line.at)]
            self._failed(source, line)
        if line.moved:
            self._moved(line)

    def _moved(self, line: Past) -> None:
        """Between states that this usher knows; of another there is no place in the picture."""
        source, target = line.source, line.target
        if not isinstance(source, Newer):
            self._leave(source, line)
        if not isinstance(target, Newer):
            self.visits.setdefault(target, []).append(Visit(line.seq, line.at))
        if not isinstance(source, Newer) and not isinstance(target, Newer):
            self.moves.setdefault((source, target), []).append(line)

    def _failed(self, source: State, line: Past) -> None:
        ended = line.ended
        if ended is not None and ended.certainty is not None:
            failure = (f"{ended.effect.value} {SAID[ended.certainty]}", ended.reason.value if ended.reason else "")
            self.failures.setdefault(source, Counter())[failure] += 1
            self.details[source, failure] = visible(line.detail)

    def _leave(self, source: State, line: Past) -> None:
        stays = self.visits.get(source)
        if stays:
            stays[-1] = Visit(stays[-1].seq, stays[-1].begin, line.at)


def draw(node: str, lines: Iterable[Past], at: int | None = None) -> Diagram:
    """The diagram of a node's lines, oldest first; `at` (milliseconds) is the time that it is told of."""
    trodden = _Trodden()
    for line in lines:
        trodden.walk(line)
    nodes = tuple(_node(state, trodden) for state in State)
    edges = tuple(
        _edge(source, target, trodden.moves[source, target]) for source, target in sorted(trodden.moves, key=_order)
    )
    return Diagram(nodes, edges, full=False, title=f"usher: the path of {visible(node)}", under=_under(trodden, at))


def _order(pair: tuple[State, State]) -> tuple[int, int]:
    states = list(State)
    return states.index(pair[0]), states.index(pair[1])


def _under(trodden: _Trodden, at: int | None) -> str:
    first, last = trodden.first, trodden.last
    if first is None or last is None:
        return "nothing of its history is kept"
    then = f", as it was at {clock(at)}" if at is not None else ""
    earlier = " (earlier lines are not told)" if first.source is not State.UNSEEN else ""
    said = f"seq {first.seq} to {last.seq}, {clock(first.at)} to {clock(last.at)}, generation {last.generation}"
    other = ", ".join(map(visible, trodden.elsewhere))
    then += f"; not drawn: {other}, which only another version of usher knows" if other else ""
    return f"{said}{earlier}{then}; beside an arrow: the seq of each move, as usher history has it"


def clock(at: int) -> str:
    """A time in UTC, to the second."""
    said = utc(at) or "1970-01-01T00:00:00.000Z"
    return f"{said[:19]}Z" if said.endswith("Z") else said


# -- states -----------------------------------------------------------------------------------------------------------


def _node(state: State, trodden: _Trodden) -> Node:
    visits = trodden.visits.get(state, [])
    here = trodden.last is not None and trodden.last.target is state
    if not visits and state is not State.UNSEEN:
        return Node(state.value, kind(state), FACTS[state], faint=True)
    notes = [*_stays(visits, trodden.begin), *_failed(state, trodden)]
    return Node(state.value, kind(state), FACTS[state], notes=tuple(notes), here=here and bool(visits))


def _stays(visits: Sequence[Visit], begin: int) -> Iterable[Note]:
    if not visits:
        return
    whole = sum(visit.end - visit.begin for visit in visits if visit.end is not None)
    if len(visits) > 1:
        yield Note(f"{len(visits)} visits, {span(whole)} in all")
    if len(visits) > NEWEST:
        yield Note(f"{len(visits) - NEWEST} earlier")
    for visit in visits[-NEWEST:]:
        stay = "and is here" if visit.end is None else f"for {span(visit.end - visit.begin)}"
        yield Note(f"{clock(visit.begin)[begin:19].replace('T', ' ')} {stay}", None, f"seq {visit.seq}")


def _failed(state: State, trodden: _Trodden) -> Iterable[Note]:
    failures = trodden.failures.get(state, Counter())
    most = failures.most_common(NEWEST)
    for (what, reason), times in most:
        often = f" {times} times" if times > 1 else ""
        detail = trodden.details[state, (what, reason)]
        yield Note(f"✗ {what}{often}", Cause.FAILED, detail)
        if reason:
            yield Note(f"   {reason}", Cause.FAILED, detail)
    left = len(failures) - len(most)
    if left:
        yield Note(f"   and {left} other failures", Cause.FAILED)


# -- moves ------------------------------------------------------------------------------------------------------------


def _edge(source: State, target: State, moves: Sequence[Past]) -> Edge:
    shown = moves if len(moves) <= NEWEST else moves[1 - NEWEST :]
    more = f" +{len(moves) - len(shown)}" if len(moves) > len(shown) else ""
    label = ", ".join(str(line.seq) for line in shown) + more
    told = [f"seq {line.seq}, {clock(line.at)}: {visible(line.row)}" for line in moves[-NEWEST:]]
    names = dict.fromkeys(line.row for line in moves)
    rows = [
        (row, source) for row in ROWS if row.name in names and source in row.sources and row.goes_to(source) is target
    ]
    return Edge(source.value, target.value, _cause(moves[-1].event), lines_of(rows), label, tuple(told))


def _cause(event: str) -> Cause | None:
    """The group of an event; none for one that only another version knows."""
    return Cause(event.partition("_")[0]) if event in set(Trigger) else None
