"""Outages: what the breakers say, for the status, the metrics and the log.

Rules:
1. What is asked is read from the breakers as they are; what is told is told once, when one has changed.
2. A half-open breaker is no news: the log has when it opened and when it closed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fsm.breaker import NAMES, Breaker, Position
from fsm.effects import Port
from fsm.runtime.breakers import Breakers
from usher import logs
from usher.metrics.families import Family, labels
from usher.views.text import distance

LEVELS: Final = {Position.CLOSED: 0, Position.HALF_OPEN: 1, Position.OPEN: 2}
"""The value of the gauge."""
_logger = logging.getLogger("usher")


def document(breakers: Breakers) -> dict[str, dict[str, Any]]:
    """Each dependency's breaker; `since` in milliseconds since 1970, `again_in` in seconds, null if that is no time."""
    return {NAMES[port]: _one(breakers, port, breaker) for port, breaker in breakers.all.items()}


def _one(breakers: Breakers, port: Port, breaker: Breaker) -> dict[str, Any]:
    again = breakers.again(port)
    return {
        "state": breaker.position.value,
        "since": breakers.since(port),
        "reason": None if breaker.reason is None else breaker.reason.value,
        "failed_in_a_row": len(breaker.nodes),
        "waiting": breakers.waiting(port),
        "again_in": None if again is None else round(again, 1),
        "opened": breaker.opened,
    }


def lines(breakers: Mapping[str, Mapping[str, Any]], at: int) -> Iterator[str]:
    """The breakers of a status: one line for all that are closed, and one for each that is not."""
    rest = [name for name, each in breakers.items() if each["state"] == Position.CLOSED.value]
    if rest:
        yield f"breakers   {', '.join(rest)} closed"
    yield from shut(breakers, at)


def shut(breakers: Mapping[str, Mapping[str, Any]], at: int) -> Iterator[str]:
    """A line for each that is not closed."""
    for name, each in breakers.items():
        if each["state"] == Position.CLOSED.value:
            continue
        waiting = each["waiting"]
        again = "" if each["again_in"] is None else f", tries again in {each['again_in']:g}s"
        who = f"; {waiting} node{'' if waiting == 1 else 's'} wait{'s' * (waiting == 1)}" if waiting else ""
        state = each["state"].replace("_", "-")
        yield f"  {name:8} {state} since {distance(each['since'], at)} ({each['reason']}){again}{who}"


def telling(families: Mapping[str, Family], network: str = "") -> Callable[[Breaker], None]:
    """What tells the log, and counts, a breaker that has changed; every series is there from the start.

    `network` is the one of several that it is of.
    """
    of = {"network": network} if network else {}
    opened: dict[Port, int] = dict.fromkeys(NAMES, 0)
    for port in NAMES:
        families["usher_breaker_opened_total"].add(0, labels(dependency=NAMES[port]))

    def tell(breaker: Breaker) -> None:
        name = NAMES[breaker.port]
        more, opened[breaker.port] = breaker.opened - opened[breaker.port], breaker.opened
        families["usher_breaker_opened_total"].add(more, labels(dependency=name))
        if breaker.port is Port.RPC and breaker.again is None:
            return  # the connection's own line says it
        if more and breaker.reason is not None:
            said = f"the {name} fails for all: its breaker is open, and its nodes wait without losing a try"
            logs.say(_logger, logging.WARNING, said, dependency=name, reason=breaker.reason.value, **of)
        elif breaker.closed:
            logs.say(_logger, logging.INFO, f"the {name} works again: its breaker is closed", dependency=name, **of)

    return tell


def measure(families: Mapping[str, Family], breakers: Breakers) -> None:
    """Set the gauges."""
    for port, breaker in breakers.all.items():
        where = labels(dependency=NAMES[port])
        families["usher_breaker"].set(LEVELS[breaker.position], where)
        families["usher_breaker_waiting"].set(breakers.waiting(port), where)
