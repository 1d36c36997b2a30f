"""Steps: what replay tells of each row of a node's history, for people and for programs.

Rules:
1. A step is fsm.replay's, with what stands beside it: the effect that it closed, how the one that it opened ended, what
   it changed, and how long after the row before it was.
2. What cannot be known of a step is left out and its reason told; whatever can be shown is shown.
3. One row is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fsm.effects import Effect
from fsm.events import Certainty
from fsm.reasons import Reason
from fsm.replay import Asked, Step, asked
from fsm.snapshot import Snapshot
from usher.views.documents import whole
from usher.views.openings import OpeningView
from usher.views.past import SENTENCES, Read, read
from usher.views.text import utc

_ELSEWHERE: Final = frozenset({"node", "state", "seq", "since", "generation", "doing"})
"""Fields whose change the other lines of a step tell."""
Times = Callable[[int], str | None]


@dataclass(frozen=True, slots=True)
class Ended:
    """The effect that a step closed: certainty None is success; `took` is milliseconds since it was opened."""

    effect: Effect
    tries: int
    certainty: Certainty | None
    reason: Reason | None
    abandoned: bool
    took: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """One step; `gap` is how many milliseconds its row is after the one before: less than 0 if the clock went back."""

    step: Step
    said: Read
    ended: Ended | None
    opening: OpeningView | None
    gap: int | None

    @property
    def sentence(self) -> str:
        """Why the row applied; empty for a row that no table knows."""
        decision = self.step.decision
        return decision.row.why if decision else SENTENCES.get(self.step.recorded.row, "")

    @property
    def asked(self) -> tuple[Asked, ...]:
        """What the guards of the cell said, in their order; nothing where the snapshot is not known."""
        turn = self.step.turn
        return tuple(asked(turn)) if turn else ()

    def changes(self, times: Times = utc) -> dict[str, tuple[Any, Any]]:
        """The facts that changed, by their dotted names: what they were, what they are."""
        return changes(self.step.before, self.step.after, times)


def changes(before: Snapshot | None, after: Snapshot | None, times: Times = utc) -> dict[str, tuple[Any, Any]]:
    """What differs between two snapshots, apart from what other lines of a step tell."""
    if before is None or after is None:
        return {}
    was, now = dict(_flat(whole(before, times))), dict(_flat(whole(after, times)))
    names = dict.fromkeys([*was, *now])
    return {name: (was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)}


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if prefix or name not in _ELSEWHERE:
            if isinstance(value, dict):
                yield from _flat(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value


def told(steps: Iterable[Step], openings: Callable[[int], OpeningView | None]) -> Iterator[Told]:
    """The steps of one node, in order; `openings` answers which effect a row opened, and how that ended."""
    opened: int | None = None
    last: int | None = None
    for step in steps:
        row = step.recorded
        ended = _ended(step, opened)
        opened = row.at if row.opened is not None else opened
        gap = None if last is None else row.at - last
        yield Told(step, read(row.payload), ended, openings(row.seq) if row.opened is not None else None, gap)
        last = row.at


def _ended(step: Step, opened: int | None) -> Ended | None:
    """What it closed; `opened` is when the newest effect was opened: at most one of a node is open."""
    at, before = step.recorded.at, step.before
    took = None if opened is None else at - opened
    closes = step.decision.closes if step.decision is not None else None
    if closes is not None and before is not None and before.open is not None:
        return Ended(before.open.effect, closes.id.tries, closes.certainty, closes.reason, closes.abandoned, took)
    said = read(step.recorded.payload).ended
    if said is None:
        return None
    return Ended(said.effect, said.tries, said.certainty, said.reason, abandoned=False, took=took)


def document(each: Told) -> dict[str, Any]:
    """A step for programs: names stay once they are here; times are UTC, lengths of time in milliseconds."""
    step, row = each.step, each.step.recorded
    return {
        "node": row.node, "seq": row.seq, "at": utc(row.at), "generation": row.generation, "event": row.event,
        "row": row.row, "sentence": each.sentence, "source": row.source, "target": row.target, "table": row.table,
        "policy": row.policy, "judged": step.judged.value, "why": step.why, "detail": each.said.detail,
        "note": each.said.note,
        "asked": [{"row": one.row.name, "question": one.row.question, "applies": one.applies} for one in each.asked],
        "closed": whole(each.ended), "opened": _opened(each),
        "changed": {name: {"was": was, "is": now} for name, (was, now) in each.changes().items()},
    }  # fmt: skip


def _opened(each: Told) -> dict[str, Any] | None:
    row, opening = each.step.recorded, each.opening
    if row.opened is None:
        return None
    found: dict[str, Any] = {"effect": row.opened, "tries": row.tries, "first": row.first, "status": None}
    if opening is not None:
        closed = opening.closed_at
        found |= {"status": opening.status.value, "took": None if closed is None else closed - row.at}
    return found
