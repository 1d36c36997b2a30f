"""The council: decisions of our operators and of our peers', written down and then carried out, one after another.

Rules:
1. A decision is written first; what it does to nodes follows, and what was cut short between the two is carried out at
   the next start. It is told to peers once it is written.
2. Of two decisions on one subject the later one stands (usher.cluster.register); an older one that comes late does
   nothing.
3. A peer's quarantine is the same event as our own, in the name of his operator and of his usher; his release lets go
   what an operator held, and nothing that is held for another reason.
4. Where a decision cannot be shared it is written and carried out here all the same, and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from fsm.errors import StoreError
from fsm.events import Operator, Verb
from fsm.machine import Rejected
from fsm.ports import Clock
from fsm.reasons import Reason
from fsm.runtime.engine import ENDING, Answer
from fsm.snapshot import Snapshot
from store.entries import FleetEntry
from transport.wire.decisions import FLEET, NAMES, Decision, Kind
from usher import logs
from usher.cluster.kept import entry, who
from usher.cluster.register import Register, rank

MOST: Final = 256
"""Decisions that are written in one go."""
ROOM: Final = 4096
"""Decisions of peers that wait; more are thrown away, and come again since their marks still differ."""
_logger = logging.getLogger("cluster")


class Recorded(Protocol):
    """What is needed of the journal."""

    @property
    def lineage(self) -> str:
        """The database's name."""
        ...

    def fleet(self, entry: FleetEntry) -> asyncio.Future[None]:
        """Append to the journal of the fleet, durably."""
        ...

    def load(self, node: str) -> Snapshot | None:
        """What is committed of a node."""
        ...


class Carried(Protocol):
    """What carries decisions out: the daemon, whose own wishes come here first."""

    def stand(self, paused: FleetEntry | None) -> None:
        """Be paused by this, or not at all."""
        ...

    def refuse(self, decision: Decision) -> None:
        """Refuse the names that have a pattern, or refuse them no more."""
        ...

    def carry(self, node: str, wish: Operator) -> Answer:
        """An operator's wish, straight to the engine."""
        ...


@dataclass(slots=True)
class _Job:
    """A decision of a peer's, or with `written` one of ours; for a node also what is asked, and for the answer."""

    decision: Decision
    written: asyncio.Future[None] | None = None
    wish: Operator | None = None
    answer: Answer | None = None
    is_news: bool = False

    @property
    def ours(self) -> bool:
        """Whether it was decided here."""
        return self.written is not None

    def refuse(self) -> None:
        """Tell whoever waits that it will not be."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(Rejected(ENDING))
        if self.written is not None and not self.written.done():
            self.written.set_exception(StoreError(ENDING))
            self.written.exception()  # whoever waits for an answer does not look here


class Council:
    """One usher's part: `name` is its election_name."""

    def __init__(self, name: str, clock: Clock, journal: Recorded, hands: Carried) -> None:
        """Hold who does what; nothing is carried out before `start`."""
        self.name, self._clock, self._journal, self._hands = name, clock, journal, hands
        self.register = Register()
        self.changed: Callable[[Sequence[Decision]], None] = lambda _: None
        """Told what is new in the register."""
        self._jobs: deque[_Job] = deque()
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._over = False

    def start(self, kept: Iterable[tuple[Decision, int]], fatal: Callable[[BaseException], None]) -> None:
        """Take up what the journal holds, and begin; `fatal` is told what must end the process."""
        newest: dict[str, tuple[Decision, int]] = {}
        for decision, at in kept:
            if self.register.take(decision):
                newest[decision.node] = (decision, at)
        for decision, at in newest.values():
            if decision.kind not in FLEET | NAMES:
                self._settle(decision, at)

        def over(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                fatal(error)

        self._task = asyncio.get_running_loop().create_task(self._work(), name="the council")
        self._task.add_done_callback(over)

    def stop(self) -> None:
        """Take no more decisions; whoever waits is told."""
        self._over = True
        if self._task is not None:
            self._task.cancel()
        while self._jobs:
            self._jobs.popleft().refuse()

    def fleet(self, kind: Kind, by: str, reason: str) -> asyncio.Future[None]:
        """Pause or resume, which an operator decides here; done once it is durable and so."""
        return self._decide(self._job(kind, "", by, reason))

    def names(self, kind: Kind, pattern: str, by: str, reason: str) -> asyncio.Future[None]:
        """Deny or allow, which an operator decides here; done once it is durable and so."""
        return self._decide(self._job(kind, pattern, by, reason))

    def node(self, kind: Kind, node: str, wish: Operator) -> Answer:
        """What an operator decides here on a node; the answer comes when it is durable."""
        job = self._job(kind, node, wish.name, wish.reason)
        job.wish, job.answer = wish, asyncio.get_running_loop().create_future()
        self._decide(job)
        return job.answer

    def _job(self, kind: Kind, node: str, by: str, reason: str) -> _Job:
        decision = Decision(kind, node, 0, self.name, self._journal.lineage, by, reason)
        return _Job(decision, asyncio.get_running_loop().create_future())

    def _decide(self, job: _Job) -> asyncio.Future[None]:
        assert job.written is not None  # noqa: S101 _job has made it
        if self._over:
            job.refuse()
        else:
            self._put(job)
        return job.written

    def hear(self, decisions: Iterable[Decision]) -> int:
        """What a peer tells; answers how many found no room."""
        left = 0
        for decision in decisions:
            if not self.register.news(decision):
                continue
            if self._over or len(self._jobs) >= ROOM:
                left += 1
            else:
                self._put(_Job(decision))
        return left

    def _put(self, job: _Job) -> None:
        self._jobs.append(job)
        self._soon.set()

    # -- one after another -------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._soon.wait()
            batch = self._next()
            try:
                await self._take(batch)
            except BaseException:
                for job in batch:
                    job.refuse()
                raise

    def _next(self) -> list[_Job]:
        """What waits, as far as it is all ours or all of peers: what was asked of a node is over before the next."""
        batch = [self._jobs.popleft()]
        while self._jobs and len(batch) < MOST and self._jobs[0].ours == batch[0].ours:
            batch.append(self._jobs.popleft())
        if not self._jobs:
            self._soon.clear()
        return batch

    async def _take(self, batch: list[_Job]) -> None:
        await asyncio.gather(*self._write(batch))
        news = [job for job in batch if job.is_news and self.register.take(job.decision)]
        if news:
            self.changed([job.decision for job in news])
        asked = [self._carry_out(job) for job in batch]
        await asyncio.gather(*(answer for answer in asked if answer is not None))

    def _write(self, batch: list[_Job]) -> list[asyncio.Future[None]]:
        """Hand over what is news, in order; ours is stamped after all that is known of its subject."""
        newest: dict[str, Decision] = {}
        written: list[asyncio.Future[None]] = []
        now, lineage = self._clock.now(), self._journal.lineage
        for job in batch:
            before = newest.get(job.decision.node)
            if job.ours:
                job.decision = self._stamped(job.decision, before, now)
            job.is_news = rank(job.decision) > rank(before) if before is not None else self.register.news(job.decision)
            if job.is_news or job.ours:
                written.append(self._journal.fleet(entry(job.decision, now, lineage)))
            if job.is_news:
                newest[job.decision.node] = job.decision
            elif job.ours:
                said = "too many decisions are held to share one more: tell the other ushers of it"
                logs.say(_logger, logging.WARNING, said, node=job.decision.node)
        return written

    def _stamped(self, decision: Decision, before: Decision | None, now: int) -> Decision:
        stamp = self.register.next_stamp(decision.node, now)
        if before is not None:
            stamp = max(stamp, before.stamp + 1)
        return replace(decision, stamp=stamp)

    # -- what a decision does ----------------------------------------------------------------------------------------

    def _carry_out(self, job: _Job) -> Answer | None:
        """Answers what was asked of a node."""
        decision = job.decision
        if job.ours:
            return self._carry_out_ours(job)
        if not job.is_news or self.register.of(decision.node) != decision:
            return None
        of = {"node": decision.node} if decision.node else {}
        logs.say(_logger, logging.INFO, f"{decision.kind.value} by {self._who(decision)}: {decision.reason}", **of)
        if decision.kind in FLEET | NAMES:
            self._stand(decision)
            return None
        return self._settle(decision, self._clock.now())

    def _carry_out_ours(self, job: _Job) -> Answer | None:
        asked: Answer | None = None
        if job.wish is None:
            self._stand(job.decision)
        elif job.answer is not None:
            asked = self._hands.carry(job.decision.node, job.wish)
            asked.add_done_callback(partial(_pass_on, job.answer))
        if job.written is not None and not job.written.done():
            job.written.set_result(None)
        return asked

    def _stand(self, decision: Decision) -> None:
        if decision.kind in NAMES:
            self._hands.refuse(decision)
            return
        paused = entry(decision, self._clock.now(), self._journal.lineage)
        self._hands.stand(paused if decision.kind is Kind.PAUSE else None)

    def _settle(self, decision: Decision, at: int) -> Answer | None:
        """Bring a node to what was decided, if it is not there; what has held it since `at` is not let go."""
        snapshot = self._journal.load(decision.node)
        if decision.kind is Kind.QUARANTINE:
            if snapshot is None or not snapshot.held:
                return self._ask(Verb.QUARANTINE, decision)
        elif snapshot is not None and snapshot.held and snapshot.reason is Reason.QUARANTINED and snapshot.since <= at:
            return self._ask(Verb.RELEASE, decision)
        return None

    def _ask(self, verb: Verb, decision: Decision) -> Answer:
        return self._hands.carry(decision.node, Operator(verb, self._who(decision), decision.reason))

    def _who(self, decision: Decision) -> str:
        return who(decision, self._journal.lineage)


def _pass_on(answer: Answer, asked: Answer) -> None:
    if answer.done() or asked.cancelled():
        return
    error = asked.exception()
    if error is None:
        answer.set_result(asked.result())
    else:
        answer.set_exception(error)
