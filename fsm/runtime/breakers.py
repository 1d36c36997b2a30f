"""Breakers: whom the breaker of a port lets through, and who waits at it.

Rules (design §3):
1. What a breaker is decides fsm.breaker; here are its clock, its queue, and its one who passes while it is half-open.
2. A due time that comes while its port is not closed waits here, where it costs nothing: no transition, no try.
3. Those that wait go on oldest first, whoever has tried in vain since it opened last, and only as the port has places.
4. While held (paused, disconnected, stopping) nobody goes on.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from fsm import breaker as pure
from fsm.breaker import Breaker, Position
from fsm.effects import SPECS, EffectId, Intent, Port
from fsm.events import DueKind
from fsm.ports import Clock, Outcome
from fsm.runtime.loop import Handle, Loop
from fsm.runtime.pump import Pump
from fsm.snapshot import Awaited, Snapshot
from fsm.states import State

MOST: Final = 100
"""How many go on in one turn of the loop."""


@dataclass
class _Gate:
    """A port's breaker, who waits at it, who was let go and has not moved yet, and who tries it."""

    breaker: Breaker
    pump: Pump
    heap: list[tuple[int, int, int, str, Awaited]] = field(default_factory=list)
    places: dict[str, Awaited] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    vain: Counter[str] = field(default_factory=Counter)
    trying: EffectId | None = None
    since: int = 0
    alarm: Handle | None = None


class Breakers:
    """Calls `fire(node, awaited)` for who waited and may go on; `free(port)` says how many places the port has."""

    def __init__(
        self, loop: Loop, clock: Clock, fire: Callable[[str, Awaited], None], free: Callable[[Port], int]
    ) -> None:
        """Begin closed; `on_change` is told each breaker that has changed its position."""
        self._loop, self._clock, self._fire, self._free = loop, clock, fire, free
        self._order = 0
        self._gates = {port: self._gate(port) for port in Port}
        self.on_change: Callable[[Breaker], None] = lambda _: None

    def _gate(self, port: Port) -> _Gate:
        pump = Pump(self._loop, partial(self._release, port), MOST, partial(self._room, port))
        return _Gate(Breaker(port), pump, since=self._clock.now())

    # -- what is asked ------------------------------------------------------------------------------------------------

    @property
    def all(self) -> Mapping[Port, Breaker]:
        """Every breaker that can open, as it is."""
        return {port: self._gates[port].breaker for port in pure.NAMES}

    @property
    def idle(self) -> bool:
        """Whether all of them are closed and nobody waits at one."""
        return all(gate.breaker.closed and not gate.places for gate in self._gates.values())

    def is_open(self, port: Port) -> bool:
        """Whether this port's breaker lets nobody through."""
        return self._gates[port].breaker.position is Position.OPEN

    def waiting(self, port: Port) -> int:
        """How many nodes wait at this port's breaker."""
        return len(self._gates[port].places)

    def since(self, port: Port) -> int:
        """Since when the breaker is in its position (milliseconds since 1970)."""
        return self._gates[port].since

    def again(self, port: Port) -> float | None:
        """In how many seconds an open breaker lets one through; None if that is no matter of time."""
        again = self._gates[port].breaker.again
        return None if again is None else max(again - self._clock.monotonic(), 0.0)

    # -- the executor's -----------------------------------------------------------------------------------------------

    def admits(self, intent: Intent) -> bool:
        """Whether this intent may be carried out now; half-open, the first that asks is the one that tries."""
        gate = self._gates[SPECS[intent.effect].port]
        if gate.breaker.position is Position.HALF_OPEN and gate.trying in {None, intent.id}:
            gate.trying = intent.id
            return True
        return gate.breaker.closed

    def begun(self, intent: Intent) -> int:
        """The turn of the breaker at which it begins."""
        return self._gates[SPECS[intent.effect].port].breaker.turns

    def ended(self, intent: Intent, outcome: Outcome, begun: int) -> Outcome:
        """What the outcome says of the port; answers it as the node is to hear it."""
        gate = self._gates[SPECS[intent.effect].port]
        if gate.breaker.closed and not gate.breaker.nodes and not pure.is_fault(gate.breaker.port, outcome.body):
            return outcome  # nearly always
        if not gate.breaker.closed and pure.is_fault(gate.breaker.port, outcome.body):
            gate.vain[intent.id.node] += 1
        self._become(gate, pure.ended(gate.breaker, outcome.body, begun, self._clock.monotonic()))
        return replace(outcome, body=pure.excused(gate.breaker, outcome.body, begun))

    def left(self, intent: Intent) -> None:
        """It is under way no more, however it ended: the place is free."""
        gate = self._gates[SPECS[intent.effect].port]
        if gate.trying == intent.id:
            gate.trying = None
        gate.pump.feed()

    # -- the engine's -------------------------------------------------------------------------------------------------

    def parks(self, snapshot: Snapshot, awaited: Awaited) -> bool:
        """Take a due time in if its port does not let it through now; answers whether it was taken in."""
        port = _opens(snapshot, awaited)
        if port is None or (self._gates[port].breaker.closed and not self._gates[port].places):
            return False
        gate = self._gates[port]
        self._order += 1
        node = snapshot.node
        gate.places[node] = awaited
        heapq.heappush(gate.heap, (gate.vain[node], snapshot.since, self._order, node, awaited))
        gate.pump.prime()
        return True

    def note(self, node: str, awaited: Awaited | None) -> None:
        """A node has moved, or stays where it was after all."""
        for gate in self._gates.values():
            if gate.gone or gate.places:
                gate.gone.discard(node)
                if node in gate.places and gate.places[node] != awaited:
                    del gate.places[node]
                gate.pump.feed()

    def lost(self, port: Port) -> None:
        """The way is known to be closed."""
        self._become(self._gates[port], pure.lost(self._gates[port].breaker))

    def found(self, port: Port) -> None:
        """The way is known to be open."""
        self._become(self._gates[port], pure.found(self._gates[port].breaker))

    def hold(self) -> None:
        """Let nobody go on."""
        for gate in self._gates.values():
            gate.pump.shut()

    def release(self) -> None:
        """Let them go on."""
        for gate in self._gates.values():
            gate.pump.open()

    # -- changes ------------------------------------------------------------------------------------------------------

    def _become(self, gate: _Gate, after: Breaker) -> None:
        before, gate.breaker = gate.breaker, after
        if after.turns == before.turns:
            return
        gate.since, gate.trying = self._clock.now(), None
        if gate.alarm is not None:
            gate.alarm.cancel()
            gate.alarm = None
        if after.closed:
            gate.vain.clear()
        if after.again is not None:
            gate.alarm = self._loop.call_later(after.again - self._clock.monotonic(), self._waited, gate)
        self.on_change(after)
        gate.pump.feed()

    def _waited(self, gate: _Gate) -> None:
        gate.alarm = None
        again = gate.breaker.again
        now = self._clock.monotonic()
        self._become(gate, pure.waited(gate.breaker, now if again is None else max(now, again)))

    def _room(self, port: Port) -> int:
        gate = self._gates[port]
        match gate.breaker.position:
            case Position.OPEN:
                return 0
            case Position.HALF_OPEN:
                return int(gate.trying is None and not gate.gone)
            case Position.CLOSED:
                return self._free(port) - len(gate.gone)

    def _release(self, port: Port, most: int) -> bool:
        gate = self._gates[port]
        left = most
        while gate.heap and left:
            _, _, _, node, awaited = heapq.heappop(gate.heap)
            if gate.places.get(node) is awaited:
                del gate.places[node]
                gate.gone.add(node)
                left -= 1
                self._fire(node, awaited)
        return bool(gate.heap)


def _opens(snapshot: Snapshot, awaited: Awaited) -> Port | None:
    """The port of what is opened when this is due; None if it is none's."""
    if awaited.kind is DueKind.LOOK:
        return Port.FLEET if snapshot.state is State.PROVISIONED else Port.RPC
    doing = snapshot.doing
    return SPECS[doing.effect].port if awaited.kind is DueKind.STEP and doing is not None else None
