"""The campaign: what becomes of a lease, decided purely (wire/protocol.md §9.4).

Rules:
1. Deciding is a pure function: a lease, what happened, the instant and a chance give a lease and perhaps a question.
2. A refusal ends a lease at once, but for one: it names what our own write, whose answer was lost, must have made.
3. Silence ends it SLACK before its time; and whoever wakes up after its time leads no more, whatever the broker says.
4. A win counts after a second write and SETTLING more, as the older program's, and never before the time that a
   hand-over names.
5. A hand-over is what an usher said, perhaps long ago: it is tried by a write over exactly its sequence, and seldom.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Final

from fsm.instant import Instant
from transport.lease import (
    Began,
    Denied,
    Due,
    Ended,
    Event,
    HandedOver,
    Lease,
    Missing,
    Nobody,
    Open,
    Opened,
    Question,
    Refused,
    Role,
    Silent,
    Write,
    Written,
)

SHORTEST: Final = 1.0
LONGEST: Final = 3600.0
"""Seconds of a bucket's TTL that the older program takes (wire/protocol.md §9.4)."""
SPLAY: Final = 5.0
"""Seconds within which the first attempt is made."""
RENEWAL: Final = 0.5
"""Seconds between two writes of a leader, from half to one and a half of it; a quarter of a TTL below 2 s."""
STEPS: Final = (
    0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0,
    5.5, 5.75, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0,
    10.5, 10.75, 11.0, 11.5, 12.0, 12.5, 13.0, 13.5, 14.0, 14.5, 15.0,
    15.5, 15.75, 16.0, 16.5, 17.0, 17.5, 18.0, 18.5, 19.0, 19.5, 20.0,
)  # fmt: skip
"""Seconds between the attempts of a candidate, by how many failed: the older program's, up to 20 s."""
OPENINGS: Final = STEPS[:11]
"""Seconds between the attempts to find the bucket."""
NEAR: Final = 1.5
"""Seconds between two attempts, at most, once the lease of another may be over."""
SETTLING: Final = 0.2
SLACK: Final = 5.0
"""Seconds before its end in which a lease that is not confirmed is given up; a quarter of a TTL below 20 s."""
LOOKS: Final = 30.0
"""Seconds between two looks of a leader at the bucket, whose TTL may have been changed."""
PATIENCE: Final = 2.0
"""Seconds to wait for an answer; a quarter of a TTL below 8 s."""
HEEDED: Final = 1.0
"""Seconds between two hand-overs that are tried."""
LONGEST_WAIT: Final = 60.0
"""Seconds that a hand-over may ask its successor to wait: no request lives longer."""

Decided = tuple[Lease, Question | None]


def patience(lease: Lease) -> float:
    """Seconds to wait for an answer."""
    return min(PATIENCE, lease.ttl / 4) if lease.ttl else PATIENCE


def spread(seconds: float, chance: float) -> float:
    """From half to one and a half of a time, by a chance between 0 and 1."""
    return seconds * (0.5 + chance)


def decide(lease: Lease, event: Event, at: Instant, chance: float) -> Decided:  # noqa: C901, PLR0911 one answer an event
    """What this means for the lease, and what is asked next, if anything is."""
    if lease.role is Role.OVER:
        return lease, None
    now = at.boot
    match event:
        case Began(last=last):
            return replace(lease, due=now, last=last), None
        case Ended():
            return replace(lease, role=Role.OVER, confirmed=None, works=inf, due=inf), None
        case Due():
            return _ask(lease, now)
        case Opened(ttl=ttl):
            return _opened(lease, ttl, now, chance), None
        case Missing(why=why):
            return _closed(lease, why, now, chance), None
        case Written():
            return _written(lease, event, now, chance), None
        case Refused():
            return _refused(lease, event, now, chance), None
        case Denied(why=why):
            return _failed(lease, why, now, chance), None
        case Nobody():
            return _unheard(lease, event, now, chance), None
        case Silent():
            return _silent(lease, event, now, chance), None
        case HandedOver():
            return _handed_over(lease, event, now)


def _ask(lease: Lease, now: float) -> Decided:
    if lease.role is Role.OPENING:
        return replace(lease, due=inf, looked=now), Open()
    if lease.ours and now >= lease.end:
        return _lost(lease, "it was not renewed in time", now, 0.0), None
    if lease.role is Role.LEADER and now - lease.looked >= LOOKS:
        return replace(lease, due=inf, looked=now), Open()
    if lease.last:  # we ourselves stopped with it: it is still ours unless somebody has taken it over
        return replace(lease, due=inf, last=0), Write(lease.last)
    return replace(lease, due=inf), Write(lease.sequence if lease.ours else 0)


def _opened(lease: Lease, ttl: float, now: float, chance: float) -> Lease:
    if not SHORTEST <= ttl <= LONGEST:
        what = f"the bucket's TTL is {ttl:g} s, and must be at least {SHORTEST:g} s and at most {LONGEST:g} s"
        return _closed(lease, what, now, chance)
    if lease.role is not Role.OPENING:
        return replace(lease, ttl=ttl, due=now if lease.ours else lease.due)
    if not lease.ttl:  # the older program opens the bucket, and then asks for its status: the same question
        return replace(lease, ttl=ttl, due=now)
    first = now if lease.last else now + SPLAY * chance
    fresh = replace(lease, role=Role.CANDIDATE, ttl=ttl, tries=0, due=first, trouble="")
    return replace(fresh, sequence=0, seen=-inf, asked=-inf)


def _closed(lease: Lease, why: str, now: float, chance: float) -> Lease:
    """Without its bucket there is no election; a leader steps down, since others may find another bucket there."""
    tries = lease.tries + 1 if lease.role is Role.OPENING else 0
    wait = spread(OPENINGS[min(tries, len(OPENINGS) - 1)], chance)
    closed = replace(lease, role=Role.OPENING, ttl=0.0, confirmed=None, works=inf, lost=0)
    return replace(closed, tries=tries, due=now + wait, trouble=why)


def _written(lease: Lease, event: Written, now: float, chance: float) -> Lease:
    if lease.role is Role.OPENING or event.sequence < lease.sequence or now >= event.sent.boot + lease.ttl:
        return lease  # it has been written over meanwhile, or is over
    due = _renewal(lease, now, chance / 2 if lease.role is Role.CANDIDATE else chance)
    held = replace(lease, sequence=event.sequence, confirmed=event.sent, lost=0, tries=0, due=due, trouble="")
    match lease.role:
        case Role.CANDIDATE:
            return replace(held, role=Role.ELECTED, works=event.asked.works)
        case Role.ELECTED:
            return replace(held, role=Role.LEADER, works=max(now + SETTLING, lease.works))
        case _:
            return held


def _refused(lease: Lease, event: Refused, now: float, chance: float) -> Lease:
    if lease.role is Role.OPENING:
        return lease
    if not lease.ours:
        seen = lease.seen if event.last == lease.sequence else max(lease.asked, lease.seen)
        known = replace(lease, sequence=event.last, seen=seen, asked=now)
        return _next(known, now, chance)
    if event.asked.over != lease.sequence:
        return lease  # the answer to a question that is settled
    if lease.lost and event.last > lease.sequence and now < lease.end - slack(lease):
        return replace(lease, sequence=event.last, lost=0, due=now)
    return _lost(replace(lease, sequence=event.last), f"the key's last sequence is {event.last}, not ours", now, chance)


def _failed(lease: Lease, why: str, now: float, chance: float) -> Lease:
    if lease.role is Role.OPENING:
        return _closed(lease, why, now, chance)
    return _lost(lease, why, now, chance) if lease.ours else _next(replace(lease, trouble=why), now, chance)


def _unheard(lease: Lease, event: Nobody, now: float, chance: float) -> Lease:
    """Our key may be there behind streams that are away: the bucket is asked about before anything is written."""
    if not lease.ours:
        return _closed(lease, event.why, now, chance)
    return replace(_silent(lease, Silent(event.asked, event.why, sent=False), now, chance), looked=-inf)


def _silent(lease: Lease, event: Silent, now: float, chance: float) -> Lease:
    if lease.role is Role.OPENING:
        return replace(_closed(lease, event.why, now, chance), ttl=lease.ttl)
    if not lease.ours:
        return _next(replace(lease, trouble=event.why), now, chance)
    if isinstance(event.asked, Write) and event.asked.over != lease.sequence:
        return lease
    if now >= lease.end - slack(lease):
        return _lost(lease, event.why, now, chance)
    lost = lease.lost + (event.sent and isinstance(event.asked, Write))
    return replace(lease, lost=lost, due=_renewal(lease, now, chance), trouble=event.why)


def _handed_over(lease: Lease, event: HandedOver, now: float) -> Decided:
    if lease.role is not Role.CANDIDATE or event.sequence < lease.sequence or now - lease.heeded < HEEDED:
        return lease, None
    works = now + min(max(event.wait, 0.0), LONGEST_WAIT)
    return replace(lease, heeded=now), Write(event.sequence, works)


def _lost(lease: Lease, why: str, now: float, chance: float) -> Lease:
    """A candidate again; if nobody took the key it is free when our lease is over."""
    since = lease.confirmed.boot if lease.confirmed else now
    fallen = replace(lease, role=Role.CANDIDATE, confirmed=None, works=inf, lost=0, tries=0, seen=since, trouble=why)
    return _next(replace(fallen, asked=now), now, chance)


def _next(lease: Lease, now: float, chance: float) -> Lease:
    """One more attempt was in vain: the next after the back-off, sooner where the key may be free by then."""
    tries = lease.tries + 1
    plain = now + spread(STEPS[min(tries, len(STEPS) - 1)], chance)
    near = max(lease.seen + lease.ttl, now + NEAR * (2 + chance) / 3)
    return replace(lease, tries=tries, due=min(plain, near))


def _renewal(lease: Lease, now: float, chance: float) -> float:
    return now + spread(min(RENEWAL, lease.ttl / 4), chance)


def slack(lease: Lease) -> float:
    """Seconds before the end of a lease in which it is not relied on without a confirmation."""
    return min(SLACK, lease.ttl / 4)
