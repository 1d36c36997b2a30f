"""The journal: units become durable, many to a transaction, while the loop goes on.

Rules:
1. Statements run on the loop's thread, only COMMIT on the worker; what arrives meanwhile is the next batch.
2. An awaitable is done when what it stands for is on the disk, never before; the order of the calls is the order of
   the rows.
3. A refusal by the database is final: that batch and everything after it get the error, nothing more is committed.
4. A full disk loses nothing: the batch is tried again until it fits, and nobody who waits is told.
5. A job of maintenance has the connection to itself between two batches; what goes wrong in it is its own answer.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from fsm.codec import encode_snapshot
from fsm.effects import EffectId
from fsm.errors import StoreError, StoreFullError, UsherError
from fsm.traces import told
from fsm.unit import Unit
from store.batches import Prepared
from store.calls import Call, Counted, Later, again, loop_later, take
from store.checks import consistent
from store.entries import FleetEntry
from store.opening import Opening
from store.shelf import Lending, Shelf
from store.worker import Worker
from store.writer import Writer

T = TypeVar("T")
MOST: Final = 256  # waiting calls in one transaction: a turn of the loop writes no more
PACE: Final = 0.01  # seconds between two batches' beginnings: a batch costs as much as several units
RETRY: Final = 1.0  # seconds until a batch is tried again that found the disk full


class Journal(Lending, Counted):
    """fsm.ports.Store over SQLite; made by store.repository.open_store."""

    def __init__(
        self,
        writer: Writer,
        shelf: Shelf,
        on_full: Callable[[bool], None] | None = None,
        later: Later | None = None,
    ) -> None:
        """Take what writes and what reads; `on_full` hears that the disk is full, and that it is not any more."""
        self._writer, self._shelf = writer, shelf
        self._on_full = on_full or (lambda _: None)
        self._later = later or loop_later
        self.opening: Opening | None = None  # what opening did, if store.repository did it
        self.on_broken: Callable[[StoreError], None] = lambda _: None  # told once, when nothing is committed any more
        self._worker = Worker("store")
        self._waiting: deque[Call] = deque()
        self._busy = self._alone = False  # the worker has the connection; for a job of maintenance
        self._planned = False  # a flush is to come
        self._next = 0.0  # when the next batch may begin
        self._full = False
        self._closing: asyncio.Future[None] | None = None
        self._broken: StoreError | None = None

    @property
    def lineage(self) -> str:
        """The database's random name: 16 hex characters."""
        return self._writer.lineage

    @property
    def epoch(self) -> int:
        """The current epoch; 0 before the first begin_epoch."""
        return self._writer.epoch

    def commit(self, unit: Unit) -> asyncio.Future[None]:
        """Make one transition durable; raises StoreError, which ends the process, or the codec's error for this one."""
        try:
            item = Prepared(consistent(unit), encode_snapshot(unit.snapshot))
        except UsherError as error:
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused
        return self._put(Call(item))

    def started(self, ids: Sequence[EffectId]) -> asyncio.Future[frozenset[EffectId]]:
        """Mark intents as started, durably; answers those that were still intended and are of this epoch."""
        return self._job(partial(self._writer.start, tuple(ids)))

    def fleet(self, entry: FleetEntry) -> asyncio.Future[None]:
        """Append to the journal of the fleet, durably."""
        return self._job(partial(self._writer.fleet, entry))

    def begin_epoch(self) -> asyncio.Future[int]:
        """Raise the epoch, durably, at a start and at each election that is won; answers the new one."""
        return self._job(self._writer.raise_epoch)

    def remember_policy(self, hashed: str, document: bytes, at: int) -> asyncio.Future[None]:
        """Keep a policy's document under the hash that history rows will name."""
        return self._job(partial(self._writer.policy, hashed, document, at))

    def remember_vault_keys(self, ids: Sequence[str], at: int) -> asyncio.Future[None]:
        """Note which keys seal what is held, so that the loss of one is noticed."""
        return self._job(partial(self._writer.vault_keys, tuple(ids), at))

    def maintain(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run a job on the worker with the writer's connection, outside of a transaction, while commits wait.

        It may open transactions of its own, which it must end; it never writes to history or the fleet's journal. Its
        errors are the answer (those of SQLite as StoreError, StoreFullError). When the journal closes, it is
        interrupted.
        """
        return self._put(Call(None, alone=job))

    def _job(self, job: Callable[[], object]) -> asyncio.Future[Any]:
        return self._put(Call(None, job))

    async def close(self) -> None:
        """Finish what is being committed and what waits, and close; calls after this are refused."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_future()
            if self._full:
                self._give_up(StoreFullError())
            if self._alone:
                self._writer.interrupt()
            self._settle()
        await asyncio.shield(self._closing)

    def _put(self, call: Call) -> asyncio.Future[Any]:
        if self._broken is not None or self._closing is not None:
            call.future.set_exception(again(self._broken or StoreError("the journal is closed")))
        else:
            self._waiting.append(call)
            self._plan()
        return call.future

    def _plan(self) -> None:
        """Write in the next turn of the loop, or PACE after the last batch: what others bring meanwhile goes along."""
        if self._planned or self._busy or self._full:
            return
        self._planned = True
        loop = asyncio.get_running_loop()
        wait = self._next - loop.time()
        if wait > 0:
            loop.call_later(wait, self._flush)
        else:
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._planned = False
        if self._busy or not self._waiting:
            return
        self._next = asyncio.get_running_loop().time() + PACE
        batch = take(self._waiting, MOST)
        if batch[0].alone is not None:
            self._maintain(batch[0])
            return
        try:
            self._write(batch)
        except StoreFullError:
            self._put_back(batch)
        except StoreError as error:
            self._break(error, batch)
        except Exception as error:  # noqa: BLE001 a bug: whoever waits must hear of it, not wait for ever
            self._break(StoreError(f"a bug: {told(error)}"), batch)
        else:
            self._busy = True
            self._worker.submit(partial(self._commit, batch, asyncio.get_running_loop()))

    def _maintain(self, call: Call) -> None:
        self._busy = self._alone = True
        if self._closing is not None:
            self._maintained(call, StoreError("usher is ending: ask again when it runs"))
        else:
            self._worker.submit(partial(self._run_alone, call, asyncio.get_running_loop()))

    def _run_alone(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        """On the worker: the job, and what it says."""
        failed: Exception | None = None
        try:
            if call.alone is not None:
                call.answer = self._writer.alone(call.alone)
        except Exception as error:  # noqa: BLE001 whoever asked for the job is told, the journal goes on
            failed = error
        loop.call_soon_threadsafe(self._maintained, call, failed)

    def _maintained(self, call: Call, failed: Exception | None) -> None:
        self._alone = False
        if not call.future.done():
            if failed is None:
                call.future.set_result(call.answer)
            else:
                call.future.set_exception(failed)
        self._free()

    def _write(self, batch: list[Call]) -> None:
        self._writer.begin()
        self._writer.write([call.item for call in batch if call.item is not None])
        for call in batch:
            if call.job is not None:
                call.answer = self._writer.run(call.job)
        self._writer.run(self._writer.collect)

    def _commit(self, batch: list[Call], loop: asyncio.AbstractEventLoop) -> None:
        """On the worker: wait for the disk, and report."""
        try:
            self._writer.commit()
        except (StoreError, StoreFullError) as error:
            loop.call_soon_threadsafe(self._refused, batch, error)
        else:
            loop.call_soon_threadsafe(self._committed, batch)

    def _checkpoint(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the worker: write the log back."""
        failed: StoreError | None = None
        try:
            self._writer.checkpoint()
        except StoreError as error:
            failed = error
        except StoreFullError:
            pass  # the log keeps what it has, the next batch finds out
        loop.call_soon_threadsafe(self._checkpointed, failed)

    def _committed(self, batch: list[Call]) -> None:
        if self._full:
            self._full = False
            self._on_full(False)
        if self._writer.wants_checkpoint:
            self._worker.submit(partial(self._checkpoint, asyncio.get_running_loop()))
        else:
            self._free()
        for call in batch:
            if not call.future.done():
                call.future.set_result(call.answer)

    def _checkpointed(self, failed: StoreError | None) -> None:
        if failed is not None:
            self._break(failed, [])
        self._free()

    def _free(self) -> None:
        """The connection is the loop's again: on with what came meanwhile, at once."""
        self._busy = False
        if self._waiting:
            self._plan()
        else:
            self._settle()

    def _refused(self, batch: list[Call], error: StoreError | StoreFullError) -> None:
        self._busy = False
        if isinstance(error, StoreFullError):
            self._put_back(batch)
        else:
            self._break(error, batch)
        self._settle()

    def _put_back(self, batch: list[Call]) -> None:
        """The disk is full: as before the batch, and again in a while."""
        if (error := self._undo()) is not None:
            self._break(error, batch)
            return
        self._waiting.extendleft(reversed(batch))
        if self._closing is not None:
            self._give_up(StoreFullError())
            return
        if not self._full:
            self._full = True
            self._on_full(True)
        self._later(RETRY, self._flush)

    def _undo(self) -> StoreError | None:
        try:
            self._writer.rollback()
        except (StoreError, StoreFullError) as error:
            return error if isinstance(error, StoreError) else StoreError(str(error))
        return None

    def _break(self, error: StoreError, batch: list[Call]) -> None:
        """Commit nothing more, ever; whoever waits hears why."""
        self._undo()
        self._broken = error
        self.on_broken(error)
        self._waiting.extendleft(reversed(batch))
        self._give_up(error)

    def _give_up(self, error: StoreError | StoreFullError) -> None:
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_exception(again(error))
        self._settle()

    def _settle(self) -> None:
        """If it is to close and nothing is under way: close."""
        if self._closing is None or self._closing.done() or self._busy or self._waiting:
            return
        self._shelf.close()
        self._worker.close(self._writer.close)
        self._closing.set_result(None)
