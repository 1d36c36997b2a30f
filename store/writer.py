"""The writer: the one connection that changes the database, and the statements of a batch.

Rules:
1. A batch is one transaction: all of it is written, or the writer is as it was before.
2. Every change of a node and of an effect counts its rows; a count that is wrong names the first unit at fault.
3. Statements run where the caller is; only `commit` waits for the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from fsm.effects import EffectId
from fsm.errors import StoreError
from fsm.states import WORKING
from fsm.unit import OUTLIVING, OUTPUT, Unit
from store import statements as sql
from store.batches import Heads, Mismatch, Prepared, waves
from store.chain import START, digest, link
from store.entries import FleetEntry
from store.place import Place
from store.trouble import translated

COLLECT_AT = 512  # digests that may have lost their last reference before the blobs are looked at
CHECKPOINT_AT = 4096  # frames, of a page each, which the write-ahead log holds before it is written back
INTERRUPTED_EVERY = 20_000  # steps of SQLite's machine between two looks whether a job is to end
_FRAMES_A_BATCH = 8  # measured: the pages that one transaction adds to the log, and one more a unit


class Writer:
    """Writes batches; whoever calls it sees to it that one thread at a time does."""

    def __init__(self, db: sqlite3.Connection, lineage: str) -> None:
        """Take a connection without implicit transactions, and read where the chains stand."""
        self._db, self._place = db, Place(db)
        self.lineage = lineage
        self._heads = self._committed = self._read_heads()
        self._loose: set[str] = set()
        self._frames = 0
        self.commits = 0  # transactions that became durable
        self._interrupted = False

    @property
    def epoch(self) -> int:
        """The current epoch; 0 before the first start."""
        return self._committed.epoch

    def _read_heads(self) -> Heads:
        position, last = self._last("history")
        fleet_position, fleet_last = self._last("journal")
        epoch = self._db.execute("SELECT epoch FROM meta").fetchall()[0][0]
        return Heads(position, last, fleet_position, fleet_last, epoch)

    def _last(self, table: str) -> tuple[int, bytes]:
        query = f"SELECT position, hash FROM {table} ORDER BY position DESC LIMIT 1"  # noqa: S608 a constant's name
        rows = self._db.execute(query).fetchall()
        return rows[0] if rows else (0, START)

    # -- a transaction -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the transaction of a batch; raises StoreError, StoreFullError."""
        self._place.check()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise translated(error, "begin") from None

    def commit(self) -> None:
        """Make the batch durable: waits for the disk; raises StoreError, StoreFullError (then roll back)."""
        try:
            self._db.commit()
        except sqlite3.Error as error:
            raise translated(error, "commit") from None
        self._committed = self._heads
        self.commits += 1
        self._frames += _FRAMES_A_BATCH

    def rollback(self) -> None:
        """Be as before the batch."""
        self._heads = self._committed
        try:
            self._db.rollback()
        except sqlite3.Error as error:
            raise translated(error, "rollback") from None

    def write(self, batch: Sequence[Prepared]) -> None:
        """Write units in their order; raises StoreError that names the first one at fault, StoreFullError."""
        try:
            for wave in waves(batch):
                self._write_wave(wave)
        except (sqlite3.IntegrityError, Mismatch, OverflowError, TypeError):
            self.rollback()
            raise self._fault(batch) from None
        except sqlite3.Error as error:
            raise translated(error, "write") from None
        self._frames += len(batch)

    def _fault(self, batch: Sequence[Prepared]) -> StoreError:
        """Write unit after unit to find out which one the database refuses; nothing stays."""
        self.begin()
        try:
            for item in batch:
                try:
                    self._write_wave([item])
                except (Mismatch, sqlite3.Error, OverflowError, TypeError) as error:
                    row = item.unit.history
                    return StoreError(str(error), row.node, row.seq)
            return StoreError("a batch was refused, none of its units alone is")
        finally:
            self.rollback()

    # -- the statements of a batch -----------------------------------------------------------------

    def _write_wave(self, wave: Sequence[Prepared]) -> None:
        """Units of different nodes: a statement runs once for all of them."""
        first, later = [], []
        for item in wave:
            snapshot = item.unit.snapshot
            row = sql.node_row(snapshot, item.body)
            if snapshot.seq == 1:
                first.append(row)
            else:
                later.append((*row, snapshot.seq - 1))
        self._many(sql.INSERT_NODE, first, "it has a row already, or its state is not known")
        self._many(sql.UPDATE_NODE, later, "its row is not at the sequence before this one")
        start = self._heads.position
        self._many(sql.INSERT_HISTORY, list(self._chained(wave)), "its history has this row already")
        self._effects(wave, start)
        self._bring(wave)
        for item in wave:
            if item.unit.drop:
                self._drop(item.unit)

    def _many(self, statement: str, rows: Sequence[sql.Row], otherwise: str) -> None:
        try:
            if rows and self._db.executemany(statement, rows).rowcount != len(rows):
                raise Mismatch(otherwise)
        except sqlite3.IntegrityError as error:
            raise Mismatch(f"{otherwise} ({error})") from None

    def _chained(self, wave: Sequence[Prepared]) -> Iterator[sql.Row]:
        heads = self._heads
        position, previous, lineage = heads.position, heads.hash, self.lineage
        for item in wave:
            row = item.unit.history
            position += 1
            envelope = sql.envelope(row, position, lineage, digest(row.payload))
            current = link(previous, envelope)
            yield (*envelope, previous, current, row.payload)
            previous = current
        self._heads = replace(heads, position=position, hash=previous)

    def _effects(self, wave: Sequence[Prepared], start: int) -> None:
        closed, opened = [], []
        for position, item in enumerate(wave, start + 1):
            unit = item.unit
            if unit.closes is not None:
                closed.append(sql.closing(unit.closes, unit.history.node, unit.history.at))
            if unit.opens is not None:
                opened.append(sql.opening(unit, position))
        self._many(sql.CLOSE_EFFECT, closed, "the effect that it closes is not open")
        self._many(sql.OPEN_EFFECT, opened, "it has an open effect already")

    def _bring(self, wave: Sequence[Prepared]) -> None:
        blobs: list[sql.Row] = []
        refs: list[sql.Row] = []
        secrets: list[sql.Row] = []
        replaced: list[sql.Row] = []
        for item in wave:
            unit, row = item.unit, item.unit.history
            for blob in unit.blobs:
                blobs.append((blob.digest, blob.data))
                refs.append((row.node, row.generation, blob.digest))
            secrets.extend((row.node, row.generation, secret.name, secret.data) for secret in unit.secrets)
            replaced.extend((row.node, row.generation, OUTPUT) for secret in unit.secrets if secret.name == OUTPUT)
        for statement, rows in (
            (sql.INSERT_BLOB, blobs),
            (sql.INSERT_REF, refs),
            (sql.PUT_SECRET, secrets),
            (sql.DROP_NAMED, replaced),
        ):
            if rows:
                self._db.executemany(statement, rows)

    def _drop(self, unit: Unit) -> None:
        """Earlier generations' references and secrets go; a state in which none is under way keeps at most OUTPUT."""
        snapshot, run = unit.snapshot, self._db.execute
        ended = snapshot.state not in WORKING
        below = (snapshot.node, snapshot.generation + ended)
        loose = run(sql.REFS_BELOW, below).fetchall()
        if loose:
            run(sql.DROP_REFS, below)
            self._loose.update(found[0] for found in loose)
        if snapshot.state in OUTLIVING:
            run(sql.DROP_ALL_BUT, (*below, OUTPUT))
        else:
            run(sql.DROP_SECRETS, below)

    # -- what is not a unit ------------------------------------------------------------------------

    def start(self, ids: Iterable[EffectId]) -> frozenset[EffectId]:
        """Mark effects as started; those win that were still intended and are of the current epoch."""
        epoch, run = self._heads.epoch, self._db.execute
        return frozenset(
            of
            for of in ids
            if of.epoch >= epoch and run(sql.START_EFFECT, (of.node, of.opened, of.epoch)).rowcount == 1
        )

    def fleet(self, entry: FleetEntry) -> None:
        """Append to the journal of the fleet."""
        heads, named = self._heads, digest(entry.payload)
        position = heads.fleet_position + 1
        envelope = (position, self.lineage, heads.epoch, entry.at, entry.kind, entry.name, entry.reason, named)
        current = link(heads.fleet_hash, envelope)
        self._db.execute(sql.INSERT_FLEET, (*envelope, heads.fleet_hash, current, entry.payload))
        self._heads = replace(heads, fleet_position=position, fleet_hash=current)

    def raise_epoch(self) -> int:
        """The next epoch."""
        epoch = self._heads.epoch + 1
        self._db.execute("UPDATE meta SET epoch = ?", (epoch,))
        self._heads = replace(self._heads, epoch=epoch)
        return epoch

    def run(self, job: Callable[[], object]) -> object:
        """Run one of the methods above within the transaction; raises StoreError, StoreFullError."""
        try:
            return job()
        except sqlite3.Error as error:
            raise translated(error, "write") from None
        except (OverflowError, TypeError) as error:
            raise StoreError(str(error)) from None

    def alone(self, job: Callable[[sqlite3.Connection], object]) -> object:
        """Run a job with the connection, outside of a batch; raises what it raises, SQLite's errors translated."""
        self._db.set_progress_handler(lambda: self._interrupted, INTERRUPTED_EVERY)
        try:
            return job(self._db)
        except sqlite3.Error as error:
            raise translated(error, "maintenance") from None
        finally:
            self._db.set_progress_handler(None, 0)
            if self._db.in_transaction:
                self._db.rollback()

    def interrupt(self) -> None:
        """From any thread: have the statement of a job that runs, or runs next, end with an error, undone."""
        self._interrupted = True

    def policy(self, hashed: str, document: bytes, at: int) -> None:
        """Keep a policy's document under its hash, once."""
        self._db.execute(sql.INSERT_POLICY, (hashed, document, at))

    def vault_keys(self, ids: Sequence[str], at: int) -> None:
        """These keys, and no others, seal what is held."""
        for (known,) in self._db.execute(sql.VAULT_KEYS).fetchall():
            if known not in ids:
                self._db.execute(sql.DROP_VAULT_KEY, (known,))
        self._db.executemany(sql.PUT_VAULT_KEY, [(key, at) for key in ids])

    def collect_all(self) -> None:
        """At a start: delete the blobs that an earlier process had no time to collect."""
        self._db.execute(sql.COLLECT_ALL)

    def collect(self) -> None:
        """Within a transaction: delete blobs that nothing refers to, if enough may have lost their reference."""
        if len(self._loose) >= COLLECT_AT:
            self._db.executemany(sql.COLLECT, [(loose,) for loose in self._loose])
            self._loose.clear()

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the write-ahead log has grown past its size."""
        return self._frames >= CHECKPOINT_AT

    def checkpoint(self) -> None:
        """Write the log back, as far as no reader still looks at it: waits for the disk."""
        self._frames = 0
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            raise translated(error, "checkpoint") from None

    def close(self) -> None:
        """Close the connection, which writes the log back."""
        self._db.close()
