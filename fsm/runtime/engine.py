"""The engine: many machines at once, each moved by `decide` and by nothing else.

Rules:
1. One turn a node: decide, commit, and only then memory, timers, observers and the executor (laws 2 and 4).
2. Nodes at rest stay in the database; of those that wait, a start takes up what they wait for, and each is read again
   when something happens to it; from then on it is held in memory until it is at rest.
3. A bug in one node's handling quarantines that node; an error of the store, or of an observer, ends the process.
4. While held (paused, disconnected, stopping) nobody is admitted, nothing comes due, and nothing new is sent.
5. Whatever comes in crowds, or is due for a port whose breaker is not closed, waits outside of the turns until there
   is room for it (fsm.runtime.pressure, fsm.runtime.breakers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from fsm import recovery
from fsm.effects import Intent, Port
from fsm.errors import StoreError, StoreFullError
from fsm.events import Body, Due, DueKind, Event, Operator, Trigger, Verb
from fsm.machine import Decision, Rejected, decide
from fsm.policy import Policy
from fsm.ports import Clock, Outcome, Performer, Store
from fsm.reasons import Reason
from fsm.runtime.admission import Admission
from fsm.runtime.executor import Executor
from fsm.runtime.hints import Hints
from fsm.runtime.holds import Holds
from fsm.runtime.mailbox import Letter, Mailboxes
from fsm.runtime.observer import Observer, Transition
from fsm.runtime.pressure import Pressure
from fsm.runtime.timers import Timers
from fsm.runtime.units import unit
from fsm.snapshot import Awaited, Snapshot, unseen
from fsm.traces import told

Answer = asyncio.Future[Decision | Rejected]
Committing = asyncio.Future[None]
ENDING: Final = "usher is ending: ask again when it runs"


class Engine:
    """Advances nodes. `fatal(error)` is called once when the process must end."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        performer: Performer,
        policy: Policy,
        epoch: int,
        observer: Observer,
        fatal: Callable[[BaseException], None],
        limits: Mapping[Port, int] | None = None,
        may: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Compose the runtime; nothing moves before `start`. `may` says of a name that was seen whether it is ours."""
        loop = asyncio.get_running_loop()
        self._store, self._clock, self._policy, self._epoch = store, clock, policy, epoch
        self._observer, self._fatal, self._may = observer, fatal, may
        self._nodes: dict[str, Snapshot] = {}
        self._asleep: set[str] = set()  # they wait, and nothing has happened to them since the start
        self._mail = Mailboxes()
        self._idle, self._over = asyncio.Event(), False
        ended, crashed = self._ended, self._crashed
        self.executor = Executor(store, performer, limits or {}, ended, crashed, self._die, clock, self._wake)
        self.breakers = self.executor.breakers
        self.admission = Admission(loop, lambda node: self.post(node, Due(DueKind.ADMIT)), self._narrow)
        pressure = Pressure(self._mail, self.admission, self.executor)
        self.timers = Timers(loop, clock, self._due, pressure.dues)
        self.hints = Hints(loop, self._hint, room=pressure.names)
        self._holds = Holds(self.hints, self.admission, self.timers, self.executor)

    # -- from outside -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up every node where the database says it is; what an earlier process left open is closed first."""
        started = dict(self._store.open_effects())
        for snapshot in self._store.active():
            identity = snapshot.effect_id()
            if identity is None:
                self._asleep.add(snapshot.node)
                self._arrange(snapshot)
            else:
                self._take_up(snapshot)
                self._interrupt(snapshot, started=started.get(identity, True))

    async def lead(self, epoch: int, takeover: Operator | None) -> None:
        """Act under a new epoch, while held: what is under way is interrupted; each node hears of the takeover."""
        await self.executor.drain()
        self._epoch = epoch
        for node in [*self._nodes, *self._asleep]:
            if node in self._nodes:
                self._interrupt(self._nodes[node], started=True)
            if takeover is not None:
                self.post(node, takeover)
        await self._still()

    def post(self, node: str, body: Body) -> None:
        """Something happened to a node."""
        self._post(node, Letter(self._event(body)))

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish; the answer comes when it is durable, or says which row ignores it."""
        answer: Answer = asyncio.get_running_loop().create_future()
        if self._over:
            answer.set_result(Rejected(ENDING))
        else:
            self._post(node, Letter(self._event(wish), answer=answer))
        return answer

    def follow(self, policy: Policy) -> None:
        """Decide by another policy from the next event on; whoever asks has made it durable."""
        self._policy = policy

    def hold(self, reason: Reason) -> None:
        """Admit, wake and send nothing until every reason is released."""
        self._holds.hold(reason)
        self._idle.set()

    def release(self, reason: Reason) -> None:
        """This reason is over."""
        self._holds.release(reason)

    @property
    def holds(self) -> frozenset[Reason]:
        """Why nothing goes on; empty while all goes on."""
        return self._holds.reasons

    @property
    def active(self) -> int:
        """How many nodes something is to happen to: waiting, in flight, or due later."""
        return len(self._nodes) + len(self._asleep)

    def resting(self, node: str) -> bool:
        """Whether what is committed of a node holds at this moment: nothing is under way, due or being decided."""
        return not (node in self._nodes or node in self._asleep or node in self._mail)

    async def stop(self, seconds: float) -> int:
        """Stop taking work, let what is under way end for so long, finish what can still be committed."""
        self.hold(Reason.STOPPING)
        given_up = await self.executor.finish(seconds)
        await self._still()
        self._over = True
        return given_up

    async def _still(self) -> None:
        while len(self._mail) and not self._over and Reason.DISK_FULL not in self._holds:
            self._idle.clear()
            await self._idle.wait()

    # -- a turn -------------------------------------------------------------------------------------------------------

    def _event(self, body: Body) -> Event:
        return Event(self._clock.now(), self._clock.entropy(), body, self._epoch, self._clock.leaps)

    def _interrupt(self, snapshot: Snapshot, *, started: bool) -> None:
        if (closing := recovery.interruption(snapshot, started=started)) is not None:
            self.post(snapshot.node, closing)

    def _post(self, node: str, letter: Letter) -> None:
        if not self._over and self._mail.begin(node, letter):
            self._turns(node, letter)

    def _turns(self, node: str, letter: Letter | None) -> None:
        """Take letters until one has something to commit, or none is left."""
        while letter is not None:
            if self._turn(node, letter):
                return
            letter = self._mail.next(node)
        self.timers.feed()
        self.hints.feed()
        if not len(self._mail):
            self._idle.set()

    def _turn(self, node: str, letter: Letter) -> bool:
        """Decide; answers whether a commit is under way, which goes on with the node's next letter."""
        begun = self._clock.monotonic()
        try:
            before = self._snapshot(node)
            decision = decide(before, letter.event, self._policy)
            if isinstance(decision, Rejected):
                self._reject(node, letter, decision)
                return False
            committing = self._store.commit(unit(before, letter, decision, self._policy, self._epoch))
        except StoreError as error:
            self._die(error)
            return True
        except Exception as error:  # noqa: BLE001 the boundary of rule 3
            self._bug(node, letter, error)
            return False
        turn = (before, decision, begun, self._clock.monotonic())
        asyncio.ensure_future(committing).add_done_callback(partial(self._committed, letter, turn))
        return True

    def _committed(self, letter: Letter, turn: tuple[Snapshot, Decision, float, float], done: Committing) -> None:
        """The commit that began with this turn (and the times at which deciding began and ended) is over."""
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        before, decision, begun, decided = turn
        node = before.node
        if error is None:
            self._take_up(decision.snapshot)
            taken = self._clock.monotonic() - decided
            self._say(self._observer.moved, Transition(before, letter.event, decision, decided - begun, taken))
            if decision.opens is not None:
                self.executor.submit(decision.opens, decision.snapshot)
            letter.tell(decision)
        elif isinstance(error, Exception) and not isinstance(error, (StoreError, StoreFullError)):
            self._bug(node, letter, error)
        else:
            self._die(error)
            return
        self._turns(node, self._mail.next(node))

    def _take_up(self, snapshot: Snapshot) -> None:
        self._asleep.discard(snapshot.node)
        if snapshot.active:
            self._nodes[snapshot.node] = snapshot
        else:
            self._nodes.pop(snapshot.node, None)
        self._arrange(snapshot)

    def _arrange(self, snapshot: Snapshot) -> None:
        self.timers.set(snapshot.node, snapshot.awaited)
        self.breakers.note(snapshot.node, snapshot.awaited)
        self.admission.note(snapshot)

    def _snapshot(self, node: str) -> Snapshot:
        held = self._nodes.get(node)
        if held is None:
            held = self._store.load(node) or unseen(node)
            if node in self._asleep:
                self._asleep.discard(node)
                self._nodes[node] = held
        return held

    def _reject(self, node: str, letter: Letter, rejected: Rejected) -> None:
        self._say(self._observer.rejected, node, letter.event, rejected)
        if isinstance(letter.event.body, Due):
            self.breakers.note(node, None)
            if node in self._nodes:
                self._take_up(self._nodes[node])
        letter.tell(rejected)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def _hint(self, node: str, body: Body) -> None:
        if self._may(node):
            self.post(node, body)

    def _due(self, node: str, awaited: Awaited) -> None:
        held = self._nodes.get(node)
        if held is None or not self.breakers.parks(held, awaited):
            self._wake(node, awaited)

    def _wake(self, node: str, awaited: Awaited) -> None:
        self.post(node, Due(awaited.kind, awaited.at))

    def _narrow(self) -> bool:
        return self.executor.congested() or not self.breakers.idle

    def _ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        self._say(self._observer.ended, intent, outcome, seconds)
        letter = Letter(self._event(outcome.body), outcome.blobs, outcome.secrets, outcome.note)
        self._post(intent.id.node, letter)

    def _crashed(self, intent: Intent, error: Exception) -> None:
        self._say(self._observer.crashed, intent.id.node, error)
        if (held := self._nodes.get(intent.id.node)) and held.effect_id() == intent.id:  # else it was given up since
            self._quarantine(intent.id.node, error)

    def _bug(self, node: str, letter: Letter, error: Exception) -> None:
        letter.tell(Rejected(f"a bug: {told(error)}"))
        self._say(self._observer.crashed, node, error)
        if letter.event.body.trigger is not Trigger.OPERATOR_QUARANTINE:  # if not even that can be done: go on
            self._quarantine(node, error)

    def _quarantine(self, node: str, error: Exception) -> None:
        self.post(node, Operator(Verb.QUARANTINE, "usher", f"a bug: {told(error)}"))

    # -- the end ------------------------------------------------------------------------------------------------------

    def _say(self, telling: Callable[..., None], *what: object) -> None:
        try:
            telling(*what)
        except Exception as error:  # noqa: BLE001 whatever an observer raises is a bug of the whole
            self._die(error)

    def _die(self, error: BaseException) -> None:
        """Have the process end: said once, and nothing more is taken."""
        if not self._over:
            self._over = True
            self._idle.set()
            self.executor.shut(Reason.STOPPING)
            self._fatal(error)
