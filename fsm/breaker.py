"""The breaker: whether what carries a kind of effects out is taken to work, as a pure machine (design §3).

Rules:
1. A breaker is a frozen value; a change of it is the next value. Times are seconds that never go back.
2. It opens when ENOUGH nodes in a row, all of them different, met a fault that is no node's; one node alone opens none.
3. Half-open lets one through; its success closes the breaker, its fault doubles the wait, up to LONGEST.
4. What began before the breaker's last change says nothing about now.
5. Which failures are faults is written here, once: whatever a single node can bring about is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from fsm.effects import Port
from fsm.events import FREE, Certainty, Done, Failed
from fsm.frozen import evolve
from fsm.reasons import Reason

ENOUGH: Final = 5
"""Different nodes in a row that must meet a fault."""
SHORTEST: Final = 1.0
LONGEST: Final = 60.0
"""Seconds that an open breaker waits before it lets one through: the first time, and at most."""

FAULTS: Final[Mapping[Port, frozenset[Reason]]] = {
    Port.RPC: frozenset({Reason.DISCONNECTED}),
    Port.HELPER: frozenset({Reason.HELPER_NOT_RUNNABLE, Reason.HELPER_TIMEOUT}),
    Port.SIGNER: frozenset({Reason.SIGNER_UNUSABLE}),
    Port.FLEET: frozenset(),
}
"""The failures that may be those of what stands behind the port.

A helper that ended by itself is none, whatever its exit status: what it knows of a node makes that. The fleet has none:
an operator who asks something of a node is told what became of it, and does not wait for others.
"""
NAMES: Final[Mapping[Port, str]] = {Port.RPC: "broker", Port.HELPER: "helper", Port.SIGNER: "signer"}
"""What stands behind each port that can be away, as people call it."""


class Position(StrEnum):
    """Where a breaker stands: all pass, one passes, nobody does."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """One port's breaker.

    `nodes` met a fault in a row while it is closed; `reason` is the newest of these faults. `wait` is how long it was
    open last, `again` when it lets one through (None: not by time, but when the way is there again), `turns` counts
    its changes, `opened` how often it left the closed position.
    """

    port: Port
    position: Position = Position.CLOSED
    nodes: tuple[str, ...] = ()
    reason: Reason | None = None
    wait: float = 0.0
    again: float | None = None
    turns: int = 0
    opened: int = 0

    @property
    def closed(self) -> bool:
        """Whether all pass."""
        return self.position is Position.CLOSED


def is_fault(port: Port, body: Done | Failed) -> bool:
    """Whether an outcome may be the fault of what stands behind the port."""
    return isinstance(body, Failed) and body.reason in FAULTS[port]


def ended(breaker: Breaker, body: Done | Failed, begun: int, now: float) -> Breaker:
    """An effect that was begun at the turn `begun` is over."""
    if begun != breaker.turns or breaker.position is Position.OPEN:
        return breaker
    if not is_fault(breaker.port, body):
        return replace(breaker, nodes=(), reason=None) if breaker.closed else _closed(breaker)
    reason = body.reason if isinstance(body, Failed) else None
    if not breaker.closed:
        return _opened(replace(breaker, reason=reason), now, min(2 * breaker.wait, LONGEST))
    nodes = tuple(dict.fromkeys((*breaker.nodes, body.id.node)))
    counted = replace(breaker, nodes=nodes, reason=reason)
    return _opened(counted, now, SHORTEST) if len(nodes) >= ENOUGH else counted


def waited(breaker: Breaker, now: float) -> Breaker:
    """Time has passed: an open breaker whose wait is over lets one through."""
    if breaker.position is not Position.OPEN or breaker.again is None or now < breaker.again:
        return breaker
    return replace(breaker, position=Position.HALF_OPEN, again=None, turns=breaker.turns + 1)


def lost(breaker: Breaker) -> Breaker:
    """The way is known to be closed: there is nothing to try until it is known to be open."""
    opened = breaker.opened + breaker.closed
    reason = Reason.DISCONNECTED
    return Breaker(breaker.port, Position.OPEN, (), reason, breaker.wait, None, breaker.turns + 1, opened)


def found(breaker: Breaker) -> Breaker:
    """The way is known to be open: who let us in has proven it."""
    return breaker if breaker.closed or breaker.again is not None else _closed(breaker)


def excused(breaker: Breaker, body: Done | Failed, begun: int) -> Done | Failed:
    """The outcome as the node hears it: a fault that is known to be no node's costs it no try.

    It is known while the breaker is not closed, and of what began (at the turn `begun`) before it has closed again.
    """
    blamed = breaker.closed and begun == breaker.turns
    if blamed or not isinstance(body, Failed) or not is_fault(breaker.port, body) or body.certainty in FREE:
        return body
    return evolve(body, {"certainty": Certainty.INTERRUPTED})


def _opened(breaker: Breaker, now: float, wait: float) -> Breaker:
    opened = breaker.opened + breaker.closed
    turns = breaker.turns + 1
    return replace(breaker, position=Position.OPEN, wait=wait, again=now + wait, turns=turns, opened=opened)


def _closed(breaker: Breaker) -> Breaker:
    return Breaker(breaker.port, turns=breaker.turns + 1, opened=breaker.opened)
