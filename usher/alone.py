"""Alone: what changes something, done where no daemon runs: the same engine, and no transport (design §5).

A command takes the lock on the state directory, opens the journal, begins an epoch, and posts the operator's event to
an engine that is held: nothing is sent, nobody is admitted, nothing comes due. The next `usher run` goes on from there.

Rules:
1. Who asked is the user of this process, as the daemon would know it from the socket.
2. An answer is given when it is durable; on a full disk it is refused, and not waited for.
3. No state directory and no database is made here: without them the answer is that no usher answers.
4. Only the nodes that are asked for are touched. What a killed daemon left open of one of those is closed as a start
   closes it (fsm.recovery: no try is lost, nothing is sent blindly again); of all others the next start closes it.
5. A site's file is not at hand: decisions follow the policy that the newest row of the history names, the default where
   there is none, and each node's the network of its record. Wishes of operators open no effect, and no site may choose
   how long a request lives.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from fsm import recovery
from fsm.effects import Intent
from fsm.errors import StoreError, StoreFullError
from fsm.events import Event, Failed, Operator
from fsm.machine import Rejected
from fsm.policy import Policy, read_policy
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.clock import SystemClock
from fsm.runtime.engine import Answer, Engine
from fsm.runtime.executor import turned_back
from fsm.runtime.observer import Transition
from fsm.snapshot import Snapshot
from store.entries import FleetEntry
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from store.restoring import incoming, take_in
from usher.audit.table import remember
from usher.cluster.kept import is_shared, kept, marked, shared_as
from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask
from usher.control.server import carried_out, user_name
from usher.demand.plan import note
from usher.standing import stored
from usher.state import LockedError, StateDirectory
from usher.timekeeping import Timekeeper

_ADVICE: Final = "it starts, waits for room on a full disk, or is another command: ask again, or see its log"


def ask_or_do(state: StateDirectory, request: Ask) -> dict[str, Any]:
    """What the daemon answers, or where none runs what it would have; raises NoDaemonError, UsherError."""
    try:
        return ask(state, request)
    except NoDaemonError as nobody:
        if not any(os.path.lexists(path) for path in (state.database, incoming(state.database))):
            raise
        own(state, nobody)
    try:
        return asyncio.run(do(state, request))
    finally:
        state.unlock()


def own(state: StateDirectory, nobody: NoDaemonError) -> None:
    """Take the lock, since no daemon answers; raises NoDaemonError, StateError."""
    if not state.path.is_dir():
        raise nobody
    try:
        state.lock()
    except LockedError as locked:
        if state.socket.exists():
            raise nobody from None
        raise NoDaemonError(str(state.path), locked.problem, _ADVICE) from None


async def do(state: StateDirectory, request: Ask, opening: Callable[..., Journal] = open_store) -> dict[str, Any]:
    """The answer, once it is durable and the journal is closed; the lock is the caller's, `opening` as in usher.run."""
    clock = SystemClock()
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(error: BaseException) -> None:
        if not over.done():
            over.set_exception(error)

    def on_full(is_full: bool) -> None:
        if is_full:
            end(StoreFullError())

    Timekeeper(state.path, clock).take_up()  # a time that is not behind what the daemon wrote
    try:
        take_in(state.database)  # a restore that was cut short comes first, as at a start
        journal = opening(state.database, on_full)
        journal.on_broken = end
        try:
            return await _first(_answer(state, journal, clock, request, end), over)
        except StoreError as error:
            step = f"see what is wrong with it: usher db check --state {state.path}"
            raise RefusedError(f"{state.database}: {error}; {step}") from None
        finally:
            await journal.close()
    except StoreFullError:
        raise RefusedError("the disk of the state directory is full: make room, then ask again") from None


async def _first(answer: Awaitable[dict[str, Any]], over: asyncio.Future[None]) -> dict[str, Any]:
    """The answer, unless the end comes first: who waits for a commit that never comes waits for ever."""
    working = asyncio.ensure_future(answer)
    either: set[asyncio.Future[Any]] = {working, over}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if over.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        over.result()
    else:
        over.cancel()
    return working.result()


async def _answer(
    state: StateDirectory, journal: Journal, clock: SystemClock, request: Ask, end: Callable[[BaseException], None]
) -> dict[str, Any]:
    epoch = await journal.begin_epoch()
    policies = {network: replace(last_policy(state), network=network) for network in _networks(journal, request)}
    for policy in policies.values():
        await journal.remember_policy(policy.hash, policy.document(), clock.now())
    await remember(journal, clock.now())
    alone = _Alone(state, journal, clock, policies, epoch, end)
    answer = await carried_out(request, user_name(os.geteuid()), alone, alone)
    for engine in alone.engines.values():
        await engine.stop(0)
    return answer


def _networks(journal: Journal, request: Ask) -> set[str]:
    """The networks of the nodes that are asked for, as their records say; that of a node nobody knows has no name."""
    found = (journal.load(node) for node in request.nodes)
    return {snapshot.network if snapshot is not None else "" for snapshot in found}


def last_policy(state: StateDirectory) -> Policy:
    """The policy that was decided by last; the default where there is none, or it is of another usher."""
    with open_reader(state.database) as reader:
        for row in reader.following(reader.end() - 1, 1):
            try:
                return read_policy(reader.policy(row.policy) or b"")
            except (ValueError, TypeError, KeyError):
                break
    return Policy()


class _Alone:
    """usher.control.server.Controlled and Documented over a held engine."""

    def __init__(
        self,
        state: StateDirectory,
        journal: Journal,
        clock: SystemClock,
        policies: Mapping[str, Policy],
        epoch: int,
        end: Callable[[BaseException], None],
    ) -> None:
        """Compose an engine for each network's policy, held for good: there is no way to any node."""
        self._state, self._journal, self._clock, self._epoch = state, journal, clock, epoch
        with open_reader(state.database) as reader:
            self._decided = kept(reader, journal.lineage) if is_shared(reader) else None
        self._started = dict(journal.open_effects())
        self.engines = {
            network: Engine(journal, clock, _Nobody(), policy, epoch, _Nobody(), end)
            for network, policy in policies.items()
        }
        for engine in self.engines.values():
            engine.hold(Reason.DISCONNECTED)

    async def pause(self, name: str, reason: str) -> None:
        """Take no work, from the next start on."""
        await self._journal.fleet(FleetEntry(self._clock.now(), "pause", name, reason))

    async def resume(self, name: str, reason: str) -> None:
        """Go on, from the next start on."""
        await self._journal.fleet(FleetEntry(self._clock.now(), "resume", name, reason))

    async def plan(self, name: str, reason: str, arguments: Mapping[str, Any], nodes: Sequence[str]) -> int:
        """Note a plan, or more of it."""
        return await note(self._journal, self._clock.now(), name, reason, arguments, nodes)

    async def discover(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Nobody: there is no way to the fleet."""
        raise RefusedError("only a running usher can ask the fleet: start it with usher run")

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish for a node; the answer comes when it is durable."""
        snapshot = self._journal.load(node)
        self._keep(node, wish)
        engine = self.engines[snapshot.network if snapshot is not None else ""]
        left = self._left_open(snapshot) if snapshot is not None else None
        if left is not None:
            engine.post(node, left)
        return engine.ask(node, wish)

    def document(self) -> dict[str, Any]:
        """The status, as the database alone tells it."""
        document = stored(self._state.database)
        if document is None:
            raise StoreError(f"{self._state.database} cannot be read any more: see usher db check")
        return document

    def _keep(self, node: str, wish: Operator) -> None:
        """Where ushers of a cluster share decisions, the next start shares this one; the answer comes after it."""
        if self._decided is not None and (kind := shared_as(self._decided, node, wish.verb)) is not None:
            self._journal.fleet(FleetEntry(self._clock.now(), kind.value, wish.name, wish.reason, marked(node)))

    def _left_open(self, snapshot: Snapshot) -> Failed | None:
        identity = snapshot.effect_id()
        started = identity is not None and self._started.get(identity, True)
        return recovery.interruption(snapshot, started=started)


class _Nobody:
    """Who carries out what is never asked for, and who is told what nobody listens to."""

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        """Not sent."""
        return turned_back(intent, Reason.DISCONNECTED)

    def moved(self, transition: Transition) -> None:
        """Whoever asked is answered."""

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Whoever asked is answered."""

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Nothing was begun."""

    def crashed(self, node: str, error: Exception) -> None:
        """Whoever asked is answered that it is a bug."""
