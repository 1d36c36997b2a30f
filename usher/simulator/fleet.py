"""A fleet of simulated servers over real NATS connections, in one process and one loop.

Rules:
1. A node is a value; its seat holds the value, its place on a connection and its one timer. There is no task a node.
2. A node is subscribed exactly while its process runs; what it says while its connection is down is lost.
3. Nothing that a message or a node does ends another node or the fleet.
4. Every figure of `Figures` is counted where the thing happens.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from transport.credentials import tls_context
from transport.wire.errors import WireError
from transport.wire.v2 import WireRequest, decode_request
from usher.simulator import node as machine
from usher.simulator.line import Line, close_all
from usher.simulator.model import (
    ENTROPY,
    MILLISECOND,
    SECOND,
    Announce,
    Answer,
    Attach,
    Mode,
    Node,
    Phase,
    Process,
    Setup,
    Step,
)
from usher.simulator.unkind import KIND, Treatment, Unkindness, treatment
from usher.simulator.wire_client import Broker, Login, publication

MOST_CONNECTIONS: Final = 2000
REFUSED: Final = "The simulator refuses this"
_CONNECTING: Final = 64  # handshakes under way at once
_SLACK: Final = MILLISECOND  # a timer may fire this much before its time


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fleet is: nodes by name, where they connect, how they treat messages.

    `context` verifies no certificate unless another is given, as real servers do. `together` keeps all nodes silent
    until every connection stands; `server_events` lets a provisioned node say `startup` as component `server` before
    it leaves, which a real one says on its fleet connection.
    """

    broker: Broker
    login: Login = field(repr=False)
    setup: Setup = field(repr=False)
    names: Sequence[str] = field(repr=False)
    context: ssl.SSLContext = field(default_factory=tls_context, repr=False)
    connections: int = MOST_CONNECTIONS
    unkindness: Unkindness = field(default_factory=Unkindness)
    together: bool = False
    server_events: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """Where a fleet stands; counts since its start, `phases` by name, all phases named."""

    nodes: int
    connected: int
    phases: dict[str, int]
    requests: int
    answers: int
    events: int
    struck: int


class Seat:
    """The place of one node."""

    __slots__ = ("due", "heard", "line", "node", "phase", "timer")

    def __init__(self, node: Node) -> None:
        """A node that is not switched on yet."""
        self.node = node
        self.line: Line[Seat] | None = None
        self.phase: Phase | None = None
        self.heard = 0
        self.due: int | None = None
        self.timer: asyncio.TimerHandle | None = None


class Fleet:
    """A running fleet: `run` until it is cancelled; `figures` at any time; `changed` after each change of phase."""

    def __init__(
        self,
        plan: Plan,
        changed: Callable[[], None] = lambda: None,
        heard: Callable[[str, str, int], None] | None = None,
    ) -> None:
        """Seat the nodes, evenly over the connections; `heard(host, action, nanoseconds)` hears of each request."""
        self._plan = plan
        self._changed = changed
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        seats = [Seat(Node(name, name, 0, Process(Mode.AWAY, 0))) for name in plan.names]
        lines = max(1, min(plan.connections, len(seats)))
        self._seats = [seats[n::lines] for n in range(lines)]
        self._phases: Counter[Phase] = Counter()
        self._counts: Counter[str] = Counter()
        self._standing = 0
        self._stood = 0
        self._gate = asyncio.Semaphore(_CONNECTING)
        self._all_stand = asyncio.Event()
        self._decode = lru_cache(maxsize=16)(_decoded)  # a broadcast reaches every connection

    def figures(self) -> Figures:
        """Where the fleet stands."""
        return Figures(
            nodes=len(self._plan.names),
            connected=self._standing,
            phases={phase.value: self._phases[phase] for phase in Phase},
            requests=self._counts["requests"],
            answers=self._counts["answers"],
            events=self._counts["events"],
            struck=self._counts["struck"],
        )

    def nodes(self) -> list[Node]:
        """Every node as it is now, in the order of their names."""
        return sorted((seat.node for seats in self._seats for seat in seats), key=lambda node: node.host)

    async def run(self) -> None:
        """Connect and play until cancelled; raises LinkError if the very first connection is refused."""
        lines = [Line[Seat](seats, self._hear, self._stands) for seats in self._seats]
        try:
            await lines[0].open(
                self._plan.broker, self._plan.login, self._seats[0][0].node.identity, self._plan.context
            )
            async with asyncio.TaskGroup() as group:
                for line in lines:
                    group.create_task(self._keep(line))
        finally:
            for seat in (seat for seats in self._seats for seat in seats):
                if seat.timer is not None:
                    seat.timer.cancel()
            await close_all(lines)

    async def _keep(self, line: Line[Seat]) -> None:
        """Switch a connection's nodes on once it stands, and make it again whenever it ends."""
        name = line.seats[0].node.identity
        await line.stand(self._plan.broker, self._plan.login, name, self._plan.context, self._gate)
        self._stood += 1
        if self._stood == len(self._seats):
            self._all_stand.set()
        if self._plan.together:
            await self._all_stand.wait()
        for seat in line.seats:
            seat.line = line
            self._step(seat, machine.start(seat.node.identity, self._plan.setup, time.time_ns(), os.urandom(ENTROPY)))
        while True:
            await line.ended()
            await line.stand(self._plan.broker, self._plan.login, name, self._plan.context, self._gate)

    def _stands(self, change: int) -> None:
        self._standing += change
        self._changed()

    def _hear(self, seats: Sequence[Seat], payload: bytes) -> None:
        request = self._decode(payload)
        for seat in seats:
            fate = self._fate(seat, request)
            if fate.lose:
                continue
            if fate.delay:
                self._loop.call_later(fate.delay, self._take, seat, request, fate)
            else:
                self._take(seat, request, fate)

    def _fate(self, seat: Seat, request: WireRequest | None) -> Treatment:
        """Count a message, and decide how it is treated."""
        self._counts["requests"] += 1
        seat.heard += 1
        rules = self._plan.unkindness
        if not rules.rules:
            return KIND
        fate = treatment(rules, seat.node.identity, machine.action_of(request), seat.heard)
        self._counts["struck"] += fate != KIND
        return fate

    def _take(self, seat: Seat, request: WireRequest | None, fate: Treatment) -> None:
        now = time.time_ns()
        if self._heard is not None:
            self._heard(seat.node.host, machine.action_of(request), now)
        if fate.refuse and request is not None and seat.node.process.mode is Mode.PROVISIONING:
            step = machine.refuse(seat.node, self._plan.setup, request, REFUSED, now)
        else:
            step = machine.receive(seat.node, self._plan.setup, request, now, os.urandom(ENTROPY))
        self._step(seat, step, fate)

    def _step(self, seat: Seat, step: Step, fate: Treatment = KIND) -> None:
        """Take over what a step made of a node, and let out what it says."""
        seat.node = step.node
        for output in step.outputs:
            match output:
                case Answer():
                    self._answer(seat, output, fate)
                case Announce():
                    self._announce(seat, output)
                case Attach() if seat.node.process.mode is Mode.PROVISIONING and seat.line is not None:
                    seat.line.attach(seat, output.subjects)
                case Attach():
                    pass  # a provisioned server listens in the fleet, where the simulator has no connection
                case _ if seat.line is not None:
                    seat.line.detach(seat)
        self._count(seat)
        self._set_timer(seat)

    def _answer(self, seat: Seat, answer: Answer, fate: Treatment) -> None:
        if fate.mute or seat.line is None or len(answer.payload) > seat.line.max_payload:
            return
        self._counts["answers"] += 1
        copies = publication(answer.subject, answer.payload) * (2 if fate.duplicate else 1)
        if fate.late:
            self._loop.call_later(fate.late, seat.line.send, copies)
        else:
            seat.line.send(copies)

    def _announce(self, seat: Seat, said: Announce) -> None:
        if seat.line is None or (seat.node.process.mode is Mode.SERVER and not self._plan.server_events):
            return
        self._counts["events"] += 1
        seat.line.send(publication(said.subject, said.payload))

    def _count(self, seat: Seat) -> None:
        phase = seat.node.phase(self._plan.setup)
        if phase is seat.phase:
            return
        if seat.phase is not None:
            self._phases[seat.phase] -= 1
        self._phases[phase] += 1
        seat.phase = phase
        self._changed()

    def _set_timer(self, seat: Seat) -> None:
        due = seat.node.due
        if seat.node.process.mode is Mode.SERVER and not self._plan.server_events:
            due = None  # it has left: nobody hears that it is alive
        if due == seat.due:
            return
        if seat.timer is not None:
            seat.timer.cancel()
        seat.due, seat.timer = due, None
        if due is not None:
            wait = max(0, due - time.time_ns()) / SECOND
            seat.timer = self._loop.call_later(wait, self._elapse, seat)

    def _elapse(self, seat: Seat) -> None:
        due, seat.due, seat.timer = seat.due, None, None
        now = time.time_ns()
        if due is not None and now < due <= now + _SLACK:
            now = due
        self._step(seat, machine.elapse(seat.node, self._plan.setup, now, os.urandom(ENTROPY)))


def _decoded(payload: bytes) -> WireRequest | None:
    try:
        return decode_request(payload)
    except WireError:
        return None
