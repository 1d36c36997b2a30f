"""Leaps: a clock that was set, and the times of a node that are measured from it.

How long ago something was is the difference of two moments, and that is wrong if the clock was set between them: a
minute of quiet would be over at once, an old process would look like a new one.

Rules:
1. An event says by how much the clock had been set in all when it was posted, a request when it was sent, a snapshot
   when its times were written. Before anything is decided, all of it is moved into the time of the event.
2. What is measured is moved. What says when something was (`first`, `provisioned_at`, the time of a claim) stays: it
   was that time when it was written.
3. Moving is a part of the decision: what is recorded is what was heard, and a replay moves it again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from fsm.events import OUTCOMES, Event
from fsm.frozen import evolve
from fsm.snapshot import Quiet, Snapshot

T = TypeVar("T")


def heard(event: Event) -> Event:
    """The event, with the request that it is an outcome of in its own time."""
    body = event.body
    if not isinstance(body, OUTCOMES) or body.sent is None or body.sent.leaps == event.leaps:
        return event
    sent = replace(body.sent, at=body.sent.at + event.leaps - body.sent.leaps, leaps=event.leaps)
    return replace(event, body=replace(body, sent=sent))


def moved(snapshot: Snapshot, leaps: int) -> Snapshot:
    """The snapshot, its measured times in a time in which the clock has been set by so much in all (milliseconds)."""
    if snapshot.leaps == leaps:
        return snapshot
    by = leaps - snapshot.leaps
    doing, demand = snapshot.doing, snapshot.demand
    return evolve(
        snapshot,
        {
            "leaps": leaps,
            "quiet": _until(snapshot.quiet, by),
            "pairing": _until(snapshot.pairing, by),
            "parting": _at(snapshot.parting, by),
            "facts": _at(snapshot.facts, by),
            "looked": snapshot.looked + by if snapshot.looked else 0,
            "awaited": None if snapshot.awaited is None else _at(snapshot.awaited, by),
            "doing": None if doing is None else evolve(doing, {"since": doing.since + by}),
            "demand": None if demand is None else _at(demand, by),
        },
    )


def _at(value: T, by: int) -> T:
    """A value whose one moment is `at`; 0 is none."""
    at: int = value.at  # type: ignore[attr-defined]  # each that is given has one
    return evolve(value, {"at": at + by}) if at else value


def _until(quiet: Quiet | None, by: int) -> Quiet | None:
    return None if quiet is None else evolve(quiet, {"until": quiet.until + by, "since": quiet.since + by})
