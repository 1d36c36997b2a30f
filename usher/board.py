"""The board: how usher stands at one moment, as one screen, one line or one document.

Rules:
1. Pure: a status, counts and the newest transitions go in, text comes out; who asks and who prints is elsewhere.
2. It fits the screen: the status first, then what moves, and of the newest transitions as many as there is room for.
3. Nothing that a node, a helper or a broker said rules the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fsm.states import State
from usher import standing
from usher.standing import lines, stance
from usher.views.moving import Moved, document, text
from usher.views.text import columns, cut, distance, local, utc, visible

HELP: Final = "q or Ctrl-C ends"
_TOLD: Final = (State.DISCOVERED, State.INVENTORIED, State.CONFIGURED, State.PROVISIONED, State.DEFERRED, State.FAILED)
"""The states whose arrivals are told even if there are none."""


@dataclass(frozen=True, slots=True)
class Moves:
    """What moved lately: arrivals by state in the last `seconds`, and the newest transitions, oldest first."""

    counts: Mapping[State, int] = field(default_factory=dict)
    seconds: float = 60.0
    last: Sequence[Moved] = ()

    def a_minute(self, state: State) -> int:
        """Arrivals in a state, a minute."""
        return round(self.counts.get(state, 0) * 60 / self.seconds) if self.seconds > 0 else 0


NO_MOVES: Final = Moves()


@dataclass(frozen=True, slots=True)
class Board:
    """A moment (milliseconds since 1970): the status, None while neither a daemon nor a database answers, and why."""

    at: int
    status: dict[str, Any] | None
    why: str = ""
    moves: Moves = NO_MOVES


def screen(board: Board, width: int, height: int) -> list[str]:
    """At most `height` lines of at most `width` columns."""
    above = [f"{local(board.at)}   {HELP}", "", *_standing(board)]
    above += ["", f"a minute   {rates(board.moves)}"] if board.status is not None else []
    room = height - len(above) - 2
    last = board.moves.last[-room:] if room > 0 else ()
    below = ["", "last", *(text(moved, None) for moved in last)] if last else []
    return [_fitting(visible(line), width) for line in [*above, *below][:height]]


def plain(board: Board) -> str:
    """The same in a line, without its time, for a pipe."""
    status = board.status
    if status is None:
        return visible(board.why)
    states = ", ".join(f"{count} {state}" for state, count in status["states"].items()) or "no nodes"
    flying = f"{status['in_flight']} of {status['window']} in flight" if status["in_flight"] is not None else ""
    oldest = status["oldest_waiting"]
    waiting = f"the oldest waits since {distance(oldest, board.at)}" if oldest else ""
    reasons = ", ".join(f"{reason} {count}" for reason, count in status["reasons"].items())
    failed = f"failed: {reasons}" if reasons else ""
    said = (stance(status), states, flying, waiting, failed, f"a minute: {rates(board.moves)}")
    return visible("; ".join(filter(None, said)))


def programs(board: Board) -> dict[str, Any]:
    """The same for programs: the status with `at`, the arrivals a minute, and the newest transitions."""
    moves = board.moves
    arrivals = {state.value: moves.a_minute(state) for state in moves.counts}
    status = standing.programs(board.status) if board.status is not None else {"why": board.why}
    return {**status, "at": utc(board.at), "a_minute": arrivals, "last": [document(moved) for moved in moves.last]}


def rates(moves: Moves) -> str:
    """Arrivals a minute, by state."""
    told = [state for state in State if state in _TOLD or moves.counts.get(state)]
    return ", ".join(f"{moves.a_minute(state)} {state.value}" for state in told)


def _standing(board: Board) -> Iterator[str]:
    if board.status is None:
        yield board.why
    else:
        yield from lines(board.status, board.at)


def _fitting(line: str, width: int) -> str:
    return line if columns(line) <= width else cut(line, width)
