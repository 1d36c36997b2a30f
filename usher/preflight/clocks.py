"""This machine's clock against the broker's and the nodes': requests and tokens live by it (wire/protocol.md §2.5).

Rules:
1. A difference is measured between two moments of ours, and is known no better than half the time between them.
2. Whoever says no time is not guessed at: INFO has none; a NATS broker may answer `$SYS.REQ.USER.INFO` with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from usher.preflight.verdicts import Check, doubtful, fine, wrong

NAME: Final = "clock"
USER_INFO: Final = "$SYS.REQ.USER.INFO"
NOTICED: Final = 2.0
"""Seconds of difference that are worth a look."""
TOO_MUCH: Final = 30.0
"""Seconds of difference at which the shortest-lived requests (ttl 30) are never heard."""
_STEP: Final = "have both follow NTP: timedatectl, chronyc tracking"


@dataclass(frozen=True, slots=True)
class Reading:
    """A strange clock: seconds that it is ahead of ours, give or take `doubt` seconds."""

    ahead: float
    doubt: float


def reading(theirs: float, asked: float, heard: float) -> Reading:
    """A clock that said `theirs` between the moments `asked` and `heard` of ours, all Unix seconds."""
    return Reading(theirs - (asked + heard) / 2, max(0.0, heard - asked) / 2)


def broker_time(payload: bytes) -> float | None:
    """The broker's time in an answer to USER_INFO, Unix seconds; None if it does not say one."""
    try:
        found: Any = orjson.loads(payload)
        text = found["server"]["time"]
        return datetime.fromisoformat(_micro(text)).timestamp()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def clock_checks(broker: Reading | None, nodes: Sequence[Reading]) -> Iterator[Check]:
    """What is to be said of both."""
    if broker is not None:
        yield _judged("the broker's clock", broker)
    if nodes:
        worst = max(nodes, key=lambda each: abs(each.ahead))
        yield _judged(f"the clock of the worst of {len(nodes)} nodes", worst)
    if broker is None and not nodes:
        yield fine(NAME, "the broker does not say its time, and no node did: it could not be compared")


def _judged(whose: str, seen: Reading) -> Check:
    side = "ahead of" if seen.ahead > 0 else "behind"
    far = abs(seen.ahead)
    what = f"{whose} is {far:.1f}s {side} this one, give or take {seen.doubt:.1f}s"
    if far - seen.doubt > TOO_MUCH:
        return wrong(NAME, f"{what}: requests are too old or too young", _STEP)
    return doubtful(NAME, what, _STEP) if far - seen.doubt > NOTICED else fine(NAME, what)


def _micro(text: str) -> str:
    """RFC 3339 with at most the six digits that Python reads."""
    head, dot, rest = text.partition(".")
    digits = rest.rstrip("Zz")
    return f"{head}.{digits[:6]}+00:00" if dot and digits.isdigit() else text
