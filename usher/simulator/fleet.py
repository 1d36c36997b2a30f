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
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from transport.wire.versions import WireRequest
from usher.simulator import cruel
from usher.simulator import node as machine
from usher.simulator.crowds import gust
from usher.simulator.cruelty import Cruelty, Part
from usher.simulator.line import Line, close_all
from usher.simulator.model import (
    COLLECTIVE,
    ENTROPY,
    MILLISECOND,
    SECOND,
    Announce,
    Answer,
    Attach,
    Mode,
    Node,
    Phase,
    Step,
)
from usher.simulator.profile import Churn
from usher.simulator.seats import MOST_CONNECTIONS, Figures, Plan, Seat, passing, seats_of
from usher.simulator.unkind import KIND, Treatment, treatment
from usher.simulator.wire_client import publication

__all__ = ["MOST_CONNECTIONS", "Figures", "Fleet", "Plan"]

REFUSED: Final = "The simulator refuses this"
_CONNECTING: Final = 64  # handshakes under way at once
_SLACK: Final = MILLISECOND  # a timer may fire this much before its time
_GUST: Final = 1.0  # seconds between two gusts of a flood
_OWN: Final = f"{COLLECTIVE}.node."


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
        seats = [seat for name in plan.names for seat in seats_of(plan, name)]
        lines = max(1, min(plan.connections, len(seats)))
        self._lines = [Line[Seat](seats[n::lines], self._hear, self._stands) for n in range(lines)]
        self._servers = Line[Seat]((), self._hear, lambda _: None) if plan.fleet is not None else None
        self._phases: Counter[Phase] = Counter()
        self._counts: Counter[str] = Counter()
        self._nodes = len(seats)
        self._ended = False
        self._standing = 0
        self._stood = 0
        self._gate = asyncio.Semaphore(_CONNECTING)
        self._all_stand = asyncio.Event()
        self._decode = lru_cache(maxsize=16)(machine.decoded)  # a broadcast reaches every connection

    def figures(self) -> Figures:
        """Where the fleet stands."""
        return Figures(
            nodes=self._nodes,
            connected=self._standing,
            phases={phase.value: self._phases[phase] for phase in Phase},
            requests=self._counts["requests"],
            answers=self._counts["answers"],
            events=self._counts["events"],
            struck=self._counts["struck"],
        )

    def nodes(self) -> list[Node]:
        """Every node as it is now, in the order of their names."""
        return sorted((seat.node for line in self._lines for seat in line.seats), key=lambda node: node.host)

    async def run(self) -> None:
        """Connect and play until cancelled; raises LinkError if the very first connection is refused."""
        lines = self._lines
        try:
            name = lines[0].seats[0].node.identity
            await lines[0].open(self._plan.broker, self._plan.login, name, self._plan.context)
            async with asyncio.TaskGroup() as group:
                for line in lines:
                    group.create_task(self._keep(line))
                if self._servers is not None and self._plan.fleet is not None:
                    group.create_task(self._servers.keep(self._plan.broker, self._plan.fleet, name, self._plan.context))
                if self._plan.churn is not None:
                    group.create_task(self._passing(self._plan.churn))
        finally:
            self._ended = True
            for seat in (seat for line in lines for seat in line.seats):
                if seat.timer is not None:
                    seat.timer.cancel()
            await close_all([*lines, self._servers] if self._servers is not None else lines)

    async def _passing(self, churn: Churn) -> None:
        """Let names come and go, once everybody is there."""
        await self._all_stand.wait()
        begun = self._loop.time()
        for number in range(int(churn.each_second * churn.seconds)):
            if (early := begun + number / churn.each_second - self._loop.time()) > 0:
                await asyncio.sleep(early)
            line = self._lines[number % len(self._lines)]
            seat = Seat(passing(number + 1, self._plan.domain), self._plan.setup)
            line.seats.append(seat)
            self._nodes += 1
            self._switch_on(seat, line)
            self._loop.call_later(churn.stays, self._vanish, seat)

    def _vanish(self, seat: Seat) -> None:
        """A machine is taken away, whatever it is doing."""
        if self._ended or seat.line is None:
            return
        if seat.timer is not None:
            seat.timer.cancel()
        seat.line.detach(seat)
        seat.line.seats.remove(seat)
        seat.line = None
        self._nodes -= 1
        if seat.phase is not None:
            self._phases[seat.phase] -= 1
        self._changed()

    async def _keep(self, line: Line[Seat]) -> None:
        """Switch a connection's nodes on once it stands, and make it again whenever it ends."""
        name = line.seats[0].node.identity
        await line.stand(self._plan.broker, self._plan.login, name, self._plan.context, self._gate)
        self._stood += 1
        if self._stood == len(self._lines):
            self._all_stand.set()
        if self._plan.together:
            await self._all_stand.wait()
        for seat in [seat for seat in line.seats if seat.line is None]:
            self._switch_on(seat, line)
        while True:
            await line.ended()
            await line.stand(self._plan.broker, self._plan.login, name, self._plan.context, self._gate)

    def _switch_on(self, seat: Seat, line: Line[Seat]) -> None:
        seat.line = line
        now = time.time_ns()
        self._live(seat, machine.start(seat.node.identity, seat.setup, now, os.urandom(ENTROPY)), now)
        if seat.part is not None and seat.part.cruelty is Cruelty.FLOOD_EVENTS:
            self._blow(seat, seat.part)

    def _blow(self, seat: Seat, part: Part) -> None:
        """A second's worth of forged events, for as long as the fleet runs."""
        if self._ended or seat.line is None:
            return
        seat.struck += 1
        for said in gust(part, seat.struck, seat.node, time.time_ns()):
            self._counts["events"] += 1
            seat.line.send(publication(said.subject, said.payload))
        self._loop.call_later(_GUST, self._blow, seat, part)

    def _stands(self, change: int) -> None:
        self._standing += change
        self._changed()

    def _hear(self, seats: Sequence[Seat], subject: bytes, payload: bytes) -> None:
        request = self._decode(payload)
        named = subject.decode(errors="replace")
        to = named.removeprefix(_OWN) if named.startswith(_OWN) else ""
        for seat in seats:
            fate = self._fate(seat, request)
            if fate.lose:
                continue
            if fate.delay:
                self._loop.call_later(fate.delay, self._take, seat, request, fate, to)
            else:
                self._take(seat, request, fate, to)

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

    def _take(self, seat: Seat, request: WireRequest | None, fate: Treatment, to: str) -> None:
        if seat.line is None:
            return  # it has vanished since
        now = time.time_ns()
        if self._heard is not None and to in ("", seat.node.identity):
            self._heard(seat.node.host, machine.action_of(request), now)
        if fate.refuse and request is not None and seat.node.process.mode is Mode.PROVISIONING:
            step = machine.refuse(seat.node, seat.setup, request, REFUSED, now)
        elif seat.part is None:
            step = machine.receive(seat.node, seat.setup, request, now, os.urandom(ENTROPY))
        else:
            entropy = os.urandom(ENTROPY)
            step, seat.struck = cruel.hear(seat.part, seat.struck, seat.node, seat.setup, request, to, now, entropy)
        self._step(seat, step, fate)

    def _live(self, seat: Seat, honest: Step, now: int) -> None:
        """Take over a step that no message caused."""
        if seat.part is None:
            self._step(seat, honest)
            return
        step, seat.struck = cruel.live(seat.part, seat.struck, seat.node, seat.setup, honest, now)
        self._step(seat, step)

    def _step(self, seat: Seat, step: Step, fate: Treatment = KIND) -> None:
        """Take over what a step made of a node, and let out what it says."""
        seat.node = step.node
        for output in step.outputs:
            match output:
                case Answer():
                    self._answer(seat, output, fate)
                case Announce():
                    self._announce(seat, output)
                case Attach():
                    if (line := self._line(seat)) is not None:
                        line.attach(seat, output.subjects)
                case _:
                    for line in filter(None, (seat.line, self._servers)):
                        line.detach(seat)
        self._count(seat)
        self._set_timer(seat)

    def _answer(self, seat: Seat, answer: Answer, fate: Treatment) -> None:
        line = self._line(seat)
        if fate.mute or line is None or len(answer.payload) > line.max_payload:
            return
        self._counts["answers"] += 1
        copies = publication(answer.subject, answer.payload) * (2 if fate.duplicate else 1)
        if fate.late:
            self._loop.call_later(fate.late, line.send, copies)
        else:
            line.send(copies)

    def _line(self, seat: Seat) -> Line[Seat] | None:
        """Where a node's process listens and answers now: a provisioned server in the fleet, if that can be reached."""
        return self._servers if seat.node.process.mode is Mode.SERVER else seat.line

    def _announce(self, seat: Seat, said: Announce) -> None:
        if seat.line is None or (seat.node.process.mode is Mode.SERVER and not self._plan.server_events):
            return
        self._counts["events"] += 1
        seat.line.send(publication(said.subject, said.payload))

    def _count(self, seat: Seat) -> None:
        phase = seat.node.phase(seat.setup)
        if phase is seat.phase:
            return
        if seat.phase is not None:
            self._phases[seat.phase] -= 1
        self._phases[phase] += 1
        seat.phase = phase
        self._changed()

    def _set_timer(self, seat: Seat) -> None:
        due = seat.node.due
        if seat.node.process.mode is Mode.SERVER and not seat.node.process.ends and not self._plan.server_events:
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
        self._live(seat, machine.elapse(seat.node, seat.setup, now, os.urandom(ENTROPY)), now)
