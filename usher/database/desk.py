"""The desk: what a job of the database is given, and who has jobs done beside the loop.

Rules:
1. A job has a thread of its own and blocks nobody; one job at a time, the next is refused by name.
2. What a job has begun it ends, even if the peer that asked went away; when usher ends, the job is told at `say`.
3. Whatever goes wrong in a job is its answer; nothing of it reaches the daemon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import orjson

from fsm.errors import UsherError
from fsm.traces import told
from security.vault import KeyRing, SealedVault
from store.connections import Database
from store.entries import FleetEntry
from store.journal import Journal
from usher.audit.keeper import Keeper
from usher.database.jobs import Document, Job, JobError, find
from usher.database.threads import in_thread
from usher.state import StateDirectory
from usher.vault import Sealing

T = TypeVar("T")
GRACE: Final = 5.0
"""Seconds that a job has to end when usher ends."""
ANSWERED: Final = 2.0
"""Seconds within which whoever asked has the answer, before usher starts anew."""
_logger = logging.getLogger("usher")


class Jobs:
    """Has jobs done for the daemon that owns this state directory, or for a command that does."""

    def __init__(
        self,
        state: StateDirectory,
        journal: Callable[[], Journal],
        now: Callable[[], int],
        restart: Callable[[], None] | None = None,
        sealing: Sealing | None = None,
        hold: Callable[[bool], None] | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        """`journal` is asked when a job first needs it; `restart` has the daemon stop, and start anew at once.

        `sealing` is the daemon's vault; `hold` has it send nothing, or send again; `keeper` takes its checkpoints.
        """
        self.hold, self.keeper = hold, keeper
        self.state, self.journal, self.now, self.sealing = state, journal, now, sealing
        self.loop = asyncio.get_running_loop()
        self.progress = ""
        self.ending = False
        self.anew = False
        self._restart = restart
        self._task: asyncio.Task[Document] | None = None
        self._name = ""

    @property
    def serving(self) -> bool:
        """Whether a daemon does the jobs, which can start anew."""
        return self._restart is not None

    def begin(self, job: str, arguments: Mapping[str, Any], name: str, reason: str) -> asyncio.Task[Document]:
        """Begin a job for an operator; raises JobError."""
        found = find(job)
        if found.changes and not reason.strip():
            raise JobError("a reason is needed: say --reason why")
        if self._task is not None and not self._task.done():
            raise JobError(f"another job is being done ({self._name}): ask again when it has ended")
        if self.ending or self.anew:
            raise JobError("usher is ending: ask again when it runs")
        self.progress, self._name = f"{job} begins", f"{job}, for {name}"
        self._task = asyncio.create_task(self._do(found, Desk(self, name, reason), arguments))
        self._task.add_done_callback(self._done)
        return self._task

    def answered(self) -> None:
        """Whoever asked has the answer: usher may start anew."""
        if self.anew and self._restart is not None and self._task is not None and self._task.done():
            self._restart()

    async def close(self) -> None:
        """Tell the job that usher ends, and wait for that for a moment."""
        self.ending = True
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=GRACE)

    async def _do(self, job: Job, desk: Desk, arguments: Mapping[str, Any]) -> Document:
        try:
            return await in_thread(partial(job.run, desk, arguments))
        except UsherError:
            raise
        except Exception as error:
            if not self.serving:
                raise
            _logger.exception("a job of the database failed: %s", self._name)
            raise JobError(f"this is a bug: {told(error)}; the log has its trace") from None

    def _done(self, task: asyncio.Task[Document]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            if not self.serving:
                return  # whoever asked is told, and that is all
            _logger.warning("a job of the database failed: %s: %s", self._name, error)
        elif self.anew:
            self.loop.call_later(ANSWERED, self.answered)


class Desk:
    """What a job is given: where it works, for whom, and what it asks of the daemon. Its calls block its thread."""

    def __init__(self, jobs: Jobs, name: str, reason: str) -> None:
        """Hold who asks and why; `at` is the time in milliseconds."""
        self._jobs = jobs
        self.state, self.name, self.reason = jobs.state, name, reason
        self.now, self.at = jobs.now, jobs.now()
        self.serving, self.sealing, self.keeper = jobs.serving, jobs.sealing, jobs.keeper

    def journal(self) -> Journal:
        """The journal, for what is called on the loop."""
        return self._jobs.journal()

    def maintain(self, job: Callable[[Database], T]) -> T:
        """store.journal.Journal.maintain: the writer's connection to itself, while commits wait."""
        return self.on_loop(lambda: self._jobs.journal().maintain(job))

    def look(self, read: Callable[[Journal], T]) -> T:
        """Read what is committed, on the daemon's loop."""

        async def looked() -> T:
            return read(self._jobs.journal())

        return self.on_loop(looked)

    def note(self, kind: str, document: Mapping[str, Any]) -> None:
        """An entry of the journal of the fleet under the operator's name, durable when this returns."""
        entry = FleetEntry(self._jobs.now(), kind, self.name, self.reason, orjson.dumps(document))
        self.on_loop(lambda: self._jobs.journal().fleet(entry))

    def remember_keys(self, ids: Sequence[str]) -> None:
        """Note which keys seal what is held, durable when this returns."""
        self.on_loop(lambda: self._jobs.journal().remember_vault_keys(ids, self._jobs.now()))

    def use(self, vault: SealedVault, ring: KeyRing) -> None:
        """Have the vault seal with these keys, from the loop's next turn on."""

        async def used() -> None:
            vault.use(ring)

        self.on_loop(used)

    def hold(self, *, held: bool) -> None:
        """Have the daemon send nothing from now on, or go on; without one there is nothing to hold."""
        hold = self._jobs.hold

        async def told() -> None:
            if hold is not None:
                hold(held)

        self.on_loop(told)

    def on_loop(self, call: Callable[[], Awaitable[T]]) -> T:
        """Have something done on the daemon's loop, and wait for it."""

        async def called() -> T:
            return await call()

        return asyncio.run_coroutine_threadsafe(called(), self._jobs.loop).result()

    def say(self, progress: str) -> None:
        """How far the job is, in words; raises JobError when usher ends and the job must end too."""
        self._jobs.progress = progress
        if self._jobs.ending:
            raise JobError("usher ended meanwhile: ask again when it runs")

    def going_on(self) -> bool:
        """Whether usher goes on, for work that asks now and then."""
        return not self._jobs.ending

    def start_anew(self) -> None:
        """When the job has been answered, usher stops in order and starts anew from the state directory."""
        self._jobs.anew = True
