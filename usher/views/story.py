"""The story of a node: one paragraph in plain English, from its snapshot and its history.

Rules:
1. Every sentence is a fact that is held: where it is, what is under way or awaited, what failed, what comes next.
2. What a row, an effect, a state or a reason means is said in the words of fsm; nothing is explained twice.
3. Foreign words stand in quotation marks, with their control characters visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fsm.effects import SPECS, Effect
from fsm.events import DueKind
from fsm.reasons import WHAT, Reason
from fsm.snapshot import Awaited, Snapshot
from fsm.states import FACTS, State
from store.views import FleetView
from usher.views.closed import closing
from usher.views.past import SAID, Past
from usher.views.text import visible, when

LATE: Final = 10_000
"""Milliseconds after which a due time that has passed is worth a word."""
_EVIDENCE: Final = {
    "left": "that it left: two looks over one connection found nobody in provisioning mode under its name",
    "silence": "silence: it acknowledged its restart, and no look since got an answer",
}
_REST: Final = {
    State.PROVISIONED: "it is at rest; a hint that it is in provisioning mode again makes usher look",
    State.RETIRED: "it is at rest, until something is seen of it",
    State.GONE: "it is at rest, until something is seen of it",
    State.UNSEEN: "nothing is held of it but its history",
}


@dataclass(frozen=True, slots=True)
class Story:
    """The sentences, each empty where there is nothing to say."""

    where: str
    brought: str = ""
    evidence: str = ""
    why: str = ""
    failed: str = ""
    counts: str = ""
    awaited: str = ""
    paused: str = ""

    @property
    def paragraph(self) -> str:
        """All of them."""
        return " ".join(sentence for name in self.__slots__ if (sentence := getattr(self, name)))


def story(snapshot: Snapshot, past: Sequence[Past], now: int, paused: FleetView | None = None) -> Story:
    """The story at `now` (milliseconds); `past` is the newest part of its history, oldest first."""
    failure = _failure(snapshot, past)
    same = failure is not None and failure.ended is not None and failure.ended.reason is snapshot.reason
    return Story(
        where=_where(snapshot, now),
        brought=closing(past, now) or _brought(snapshot, past),
        evidence=_evidence(snapshot),
        why="" if same else _why(snapshot),
        failed=_failed(failure, now) if failure else "",
        counts=_counts(snapshot),
        awaited=awaited(snapshot, now),
        paused=_paused(paused, now) if snapshot.active else "",
    )


def _paused(entry: FleetView | None, now: int) -> str:
    if entry is None:
        return ""
    reason = f', in the words "{visible(entry.reason)}"' if entry.reason else ""
    return f"Usher is paused since {when(entry.at, now)} by {visible(entry.name)}{reason}: it begins nothing."


def _where(snapshot: Snapshot, now: int) -> str:
    state = snapshot.state
    ago = f"since {when(snapshot.since, now)}, in generation {snapshot.generation}"
    of = f", in the network {snapshot.network}" if snapshot.network else ""
    return f"{visible(snapshot.node)} is {state.value} ({FACTS[state]}) {ago}{of}."


def arrival(snapshot: Snapshot, past: Sequence[Past]) -> Past | None:
    """The line that brought it where it is, if it is within this part of its history."""
    return next((line for line in reversed(past) if line.moved and line.target is snapshot.state), None)


def _brought(snapshot: Snapshot, past: Sequence[Past]) -> str:
    line = arrival(snapshot, past)
    if line is None:
        return f"It failed in {snapshot.failed_from.value}." if snapshot.failed_from else ""
    why = f": {line.sentence}" if line.sentence else " (today's table has no such row)"
    return f"The row {visible(line.row)} brought it there from {line.source.value}{why}."


def _evidence(snapshot: Snapshot) -> str:
    if snapshot.state is not State.PROVISIONED or not snapshot.evidence:
        return ""
    return f"The evidence is {_EVIDENCE.get(snapshot.evidence, visible(snapshot.evidence))}."


def _why(snapshot: Snapshot) -> str:
    if snapshot.reason is None:
        return ""
    return f"The last reason noted is {_reason(snapshot.reason, snapshot.detail)}."


def _reason(reason: Reason, detail: str) -> str:
    said = f', in the words "{visible(detail)}"' if detail else ""
    return f"{reason.value} ({WHAT[reason]}){said}"


def _failure(snapshot: Snapshot, past: Sequence[Past]) -> Past | None:
    """What failed last since it was provisioned last; once it is, that is what came of an operator's wish."""
    if snapshot.state is State.PROVISIONED and snapshot.reason in {None, Reason.ASKED}:
        return None
    failures = (line for line in reversed(past) if line.ended is not None and line.ended.certainty is not None)
    return next((line for line in failures if line.at > snapshot.provisioned_at), None)


def _failed(line: Past, now: int) -> str:
    ended = line.ended
    if ended is None or ended.certainty is None:
        return ""
    reason = f": {_reason(ended.reason, line.detail)}" if ended.reason else ""
    return f"What failed last is {ended.effect.value}, which {SAID[ended.certainty]} {when(line.at, now)}{reason}."


def _counts(snapshot: Snapshot) -> str:
    counts = (
        (snapshot.failures, "has failed"),
        (snapshot.absences, "was not there"),
        (snapshot.returns, "came back from the restart that it was told to make"),
    )
    said = [f"{done} {_times(count)}" for count, done in counts if count]
    return f"It {', '.join(said)}." if said else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times in a row"


# -- what comes next --------------------------------------------------------------------------------------------------


def awaited(snapshot: Snapshot, now: int) -> str:
    """What is under way, or what it waits for, and until when."""
    if snapshot.held:
        return "It is held: nothing happens until an operator releases it (usher nodes release NODE --reason WHY)."
    if snapshot.open is not None:
        doing = snapshot.open
        spec = SPECS[doing.effect]
        tries = f"try {doing.tries} of {spec.tries}"
        return f"Under way is {doing.effect.value} ({spec.what}), {tries}, since {when(doing.since, now)}."
    if snapshot.awaited is not None:
        return _due(snapshot, snapshot.awaited, now) + _quiet(snapshot, now)
    if snapshot.waiting_for_admission:
        return "It is in the waiting room: no time is set, its turn comes when others are done."
    return f"Nothing is awaited: {_REST[snapshot.state]}." if snapshot.state in _REST else "Nothing is awaited."


def _due(snapshot: Snapshot, awaits: Awaited, now: int) -> str:
    said = f"{_what(snapshot, awaits.kind)} is due {when(awaits.at, now)}."
    if now - awaits.at < LATE:
        return said
    return f"{said} It is overdue: usher is stopped, paused or busy, and usher status says which."


def _what(snapshot: Snapshot, kind: DueKind) -> str:
    match kind:
        case DueKind.STEP:
            doing = snapshot.doing
            return f"The next try of {doing.effect.value}" if doing and doing.tries else _first(snapshot)
        case DueKind.LOOK:
            return "A look, which finds out where it is,"
        case DueKind.RETRY if snapshot.state is State.DISCOVERED:
            return "Its place in the waiting room"
        case DueKind.RETRY:
            return f"Generation {snapshot.generation + 1}, which starts from the beginning,"
        case DueKind.ADMIT:
            return "Its admission"


def _first(snapshot: Snapshot) -> str:
    return snapshot.doing.effect.value.capitalize() if snapshot.doing else "The next step"


def _quiet(snapshot: Snapshot, now: int) -> str:
    if snapshot.awaited is None or snapshot.awaited.kind is not DueKind.STEP:
        return ""
    doing = snapshot.doing
    exchange = doing is not None and doing.effect is Effect.EXCHANGE_KEY
    still = snapshot.pairing if exchange else snapshot.quiet
    if still is None or still.until <= now:
        return ""
    what = "has it make a half of a secret" if exchange else "changes the node"
    return f" An earlier request that {what} got no answer and may be alive until {when(still.until, now)}."
