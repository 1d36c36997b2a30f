"""The executor: carries intents out, a limited number at a time for each port.

Rules:
1. An intent is marked as started, durably, before it is carried out; one that is not intended any more is not (law 4).
2. An outcome is handed over exactly once for each intent that was started here.
3. A gate that is shut (paused, disconnected, stopping) turns intents back as NOT_SENT, even those that are being
   marked: that costs no try. What is being carried out goes on.
4. An open breaker turns the intents of its port back in the same way, before they are marked (fsm.runtime.breakers).
5. An error that a performer did not foresee is a bug of usher: it is reported with the node, and ends nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from fsm.effects import SPECS, EffectId, Intent, Port
from fsm.events import Certainty, Failed
from fsm.ports import Clock, Outcome, Performer, Store
from fsm.reasons import Reason
from fsm.runtime.breakers import Breakers
from fsm.snapshot import Awaited, Snapshot

Job = tuple[Intent, Snapshot]
_PORTS: Final = tuple(Port)
LIMITS: Final[Mapping[Port, int]] = {Port.RPC: 1024, Port.HELPER: 8, Port.SIGNER: 64, Port.FLEET: 64}


class Executor:
    """Calls `ended(intent, outcome, seconds)` for each intent, or `crashed(intent, error)`."""

    def __init__(
        self,
        store: Store,
        performer: Performer,
        limits: Mapping[Port, int],
        ended: Callable[[Intent, Outcome, float], None],
        crashed: Callable[[Intent, Exception], None],
        fatal: Callable[[BaseException], None],
        clock: Clock,
        wake: Callable[[str, Awaited], None],
    ) -> None:
        """Begin idle; `wake(node, awaited)` is called for who waited at a breaker and may go on."""
        self._store, self._performer = store, performer
        self._limits = dict(LIMITS) | dict(limits)
        self._ended, self._crashed, self._fatal = ended, crashed, fatal
        self._queues: dict[Port, deque[Job]] = {port: deque() for port in Port}
        self._running: dict[Port, int] = dict.fromkeys(Port, 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._marks: set[asyncio.Future[frozenset[EffectId]]] = set()
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self.breakers = Breakers(loop, clock, wake, self.free)
        self._marking = False
        self._shut: Reason | None = None

    def queued(self, port: Port) -> int:
        """How many intents wait for a place."""
        return len(self._queues[port])

    def running(self, port: Port) -> int:
        """How many are being carried out."""
        return self._running[port]

    def free(self, port: Port) -> int:
        """How many places nobody has or waits for."""
        return self._limits[port] - self._running[port] - len(self._queues[port])

    def congested(self) -> bool:
        """Whether a port's queue is longer than its limit."""
        return any(len(queue) > self._limits[port] for port, queue in self._queues.items())

    def submit(self, intent: Intent, snapshot: Snapshot) -> None:
        """Carry this committed intent out when its port has a place."""
        if self._shut is not None:
            self._ended(intent, turned_back(intent, self._shut), 0.0)
            return
        if not self.breakers.admits(intent):
            self._ended(intent, turned_back(intent, Reason.BREAKER_OPEN), 0.0)
            return
        port = SPECS[intent.effect].port
        self._queues[port].append((intent, snapshot))
        self._fill(port)

    def shut(self, reason: Reason) -> None:
        """Turn back what waits and what comes; what is under way goes on."""
        self._shut = reason
        for port in _PORTS:
            self.turn_back(port, reason)

    def turn_back(self, port: Port, reason: Reason) -> None:
        """Turn back what waits for a place of this port."""
        waiting = list(self._queues[port])
        self._queues[port].clear()
        for intent, _ in waiting:
            self.breakers.left(intent)
            self._ended(intent, turned_back(intent, reason), 0.0)

    def open(self) -> None:
        """Carry out again."""
        self._shut = None

    async def finish(self, seconds: float) -> int:
        """Wait so long for what is under way, then give it up; answers how many were given up."""
        if under_way := self._tasks | self._marks:
            await asyncio.wait(under_way, timeout=seconds)
        given_up = list(self._tasks)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        return len(given_up)

    async def drain(self) -> None:
        """While shut: give up what is under way, once what is being marked is turned back."""
        while self._marks:
            await asyncio.wait(self._marks)
        await self.finish(0)

    def _fill(self, port: Port) -> None:
        if not self._marking and self._free(port):
            self._marking = True
            asyncio.get_running_loop().call_soon(self._mark)

    def _free(self, port: Port) -> int:
        return min(len(self._queues[port]), self._limits[port] - self._running[port])

    def _mark(self) -> None:
        """Reserve the free places and have their intents marked in one statement."""
        self._marking = False
        jobs: list[Job] = []
        for port in _PORTS:
            free, queue = self._free(port), self._queues[port]
            self._running[port] += free
            jobs.extend(queue.popleft() for _ in range(free))
        if jobs:
            ids = [intent.id for intent, _ in jobs]
            marked = asyncio.ensure_future(self._store.started(ids))
            self._marks.add(marked)
            marked.add_done_callback(lambda future: self._start(future, jobs))

    def _start(self, marked: asyncio.Future[frozenset[EffectId]], jobs: list[Job]) -> None:
        self._marks.discard(marked)
        error = asyncio.CancelledError() if marked.cancelled() else marked.exception()
        if error is not None:
            self._fatal(error)
            return
        won, loop = marked.result(), asyncio.get_running_loop()
        for intent, snapshot in jobs:
            if intent.id not in won:
                self._leave(intent)
            elif self._shut is not None or not self.breakers.admits(intent):
                self._leave(intent)
                self._ended(intent, turned_back(intent, self._shut or Reason.BREAKER_OPEN), 0.0)
            else:
                turn = self.breakers.begun(intent)
                self._tasks.add(loop.create_task(self._perform(intent, snapshot, turn)))

    async def _perform(self, intent: Intent, snapshot: Snapshot, turn: int) -> None:
        begun = self._now()
        try:
            outcome = await self._performer.perform(intent, snapshot)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            self._leave(intent)
            if task is None or task.cancelling():
                raise
            self._crashed(intent, RuntimeError("it was cancelled from within"))
        except Exception as error:  # noqa: BLE001 the boundary of rule 5
            self._leave(intent)
            self._crashed(intent, error)
        else:
            heard = self.breakers.ended(intent, outcome, turn)
            self._leave(intent)
            port = SPECS[intent.effect].port
            if self._queues[port] and self.breakers.is_open(port):
                self.turn_back(port, Reason.BREAKER_OPEN)
            self._ended(intent, heard, self._now() - begun)
        finally:
            self._tasks.discard(asyncio.current_task())  # a callback of the task would cost a turn of the loop

    def _leave(self, intent: Intent) -> None:
        port = SPECS[intent.effect].port
        self._running[port] -= 1
        self.breakers.left(intent)
        self._fill(port)


def turned_back(intent: Intent, reason: Reason) -> Outcome:
    """The outcome of an intent that was not sent."""
    return Outcome(Failed(intent.effect, intent.id, Certainty.NOT_SENT, reason))
