"""A store in memory that refuses what the real one refuses; the contract suite holds both to the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from fsm.codec import decode_snapshot, encode_snapshot
from fsm.effects import EffectId, Intent
from fsm.errors import StoreError, UsherError
from fsm.snapshot import Snapshot
from fsm.states import WORKING
from fsm.unit import OUTLIVING, OUTPUT, Unit
from store.checks import consistent
from store.entries import FleetEntry, Status


class MemoryStore:
    """fsm.ports.Store. What is committed is in `units` and `entries`, in order; `hold` keeps commits from the disk."""

    def __init__(self) -> None:
        self.lineage = "0123456789abcdef"
        self.epoch = 0
        self.units: list[Unit] = []
        self.entries: list[FleetEntry] = []
        self.policies: dict[str, bytes] = {}
        self.bodies: dict[str, bytes] = {}
        self.effects: dict[str, tuple[Intent, Status]] = {}  # the open ones, by node
        self.closed: list[tuple[EffectId, Status]] = []
        self.blobs: dict[str, bytes] = {}
        self.refs: set[tuple[str, int, str]] = set()
        self.vault: dict[tuple[str, int, str], bytes] = {}
        self.broken: StoreError | None = None
        self._waiting: list[tuple[Callable[[], object], asyncio.Future[Any]]] = []
        self._held = self._planned = self._closed = False

    def hold(self) -> None:
        """Keep what comes from now on waiting, like a disk that takes its time."""
        self._held = True

    def release(self) -> None:
        """Let what waits be committed."""
        self._held = False
        self._plan()

    def commit(self, unit: Unit) -> asyncio.Future[None]:
        try:
            body = encode_snapshot(consistent(unit).snapshot)
        except UsherError as error:
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused
        return self._put(lambda: self._apply(unit, body))

    def started(self, ids: Sequence[EffectId]) -> asyncio.Future[frozenset[EffectId]]:
        asked = tuple(ids)
        return self._put(lambda: frozenset(of for of in asked if self._start(of)))

    def fleet(self, entry: FleetEntry) -> asyncio.Future[None]:
        return self._put(lambda: self.entries.append(entry))

    def begin_epoch(self) -> asyncio.Future[int]:
        return self._put(self._raise_epoch)

    def remember_policy(self, hashed: str, document: bytes, at: int) -> asyncio.Future[None]:
        del at
        return self._put(lambda: self.policies.setdefault(hashed, document) and None)

    def load(self, node: str) -> Snapshot | None:
        return decode_snapshot(self.bodies[node]) if node in self.bodies else None

    def active(self) -> list[Snapshot]:
        return [snapshot for snapshot in map(decode_snapshot, self.bodies.values()) if snapshot.active]

    def open_effects(self) -> list[tuple[EffectId, bool]]:
        return [(intent.id, status is Status.STARTED) for intent, status in self.effects.values()]

    def blob(self, digest: str) -> bytes | None:
        return self.blobs.get(digest)

    def secret(self, node: str, generation: int, name: str) -> bytes | None:
        return self.vault.get((node, generation, name))

    async def close(self) -> None:
        self._closed = True
        self._held = False
        self._flush()

    def _put(self, change: Callable[[], object]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.broken is not None or self._closed:
            future.set_exception(self.broken or StoreError("the journal is closed"))
        else:
            self._waiting.append((change, future))
            self._plan()
        return future

    def _plan(self) -> None:
        if not self._planned and not self._held:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._planned = False
        if self._held:
            return
        batch, self._waiting = self._waiting, []
        for change, future in batch:
            answer: object = None
            if self.broken is None:
                try:
                    answer = change()
                except StoreError as error:
                    self.broken = error
            if future.done():
                continue
            if self.broken is not None:
                future.set_exception(self.broken)
            else:
                future.set_result(answer)

    def _raise_epoch(self) -> int:
        self.epoch += 1
        return self.epoch

    def _start(self, of: EffectId) -> bool:
        intent, status = self.effects.get(of.node, (None, None))
        wins = intent is not None and intent.id == of and status is Status.INTENDED and of.epoch >= self.epoch
        if wins and intent is not None:
            self.effects[of.node] = (intent, Status.STARTED)
        return wins

    def _apply(self, unit: Unit, body: bytes) -> None:
        snapshot, node = unit.snapshot, unit.snapshot.node
        before = self.load(node)
        if (before.seq if before is not None else 0) != snapshot.seq - 1:
            raise StoreError("its row is not at the sequence before this one", node, snapshot.seq)
        self._effects(unit)
        self.bodies[node] = body
        self.units.append(unit)
        for blob in unit.blobs:
            self.blobs.setdefault(blob.digest, blob.data)
            self.refs.add((node, snapshot.generation, blob.digest))
        for secret in unit.secrets:
            self.vault[node, snapshot.generation, secret.name] = secret.data
            if secret.name == OUTPUT:
                self._forget(lambda key: key[0] == node and key[1] < snapshot.generation and key[2] == OUTPUT)
        if unit.drop:
            kept = OUTPUT if snapshot.state in OUTLIVING else ""
            self._drop(node, snapshot.generation + (snapshot.state not in WORKING), kept)

    def _effects(self, unit: Unit) -> None:
        node, seq, closes = unit.snapshot.node, unit.snapshot.seq, unit.closes
        if closes is not None:
            intent, _ = self.effects.get(node, (None, None))
            if intent is None or intent.id.opened != closes.opened:
                raise StoreError("the effect that it closes is not open", node, seq)
            ended = Status.FAILED if closes.certainty is not None else Status.DONE
            self.closed.append((intent.id, Status.ABANDONED if closes.abandoned else ended))
            del self.effects[node]
        if unit.opens is not None:
            if node in self.effects:
                raise StoreError("it has an open effect already", node, seq)
            self.effects[node] = (unit.opens, Status.INTENDED)

    def secrets(self, node: str) -> list[tuple[int, str, bytes]]:
        return [(generation, name, data) for (of, generation, name), data in sorted(self.vault.items()) if of == node]

    def _forget(self, gone: Callable[[tuple[str, int, str]], bool]) -> None:
        self.vault = {key: data for key, data in self.vault.items() if not gone(key)}

    def _drop(self, node: str, below: int, kept: str) -> None:
        self.refs = {ref for ref in self.refs if ref[0] != node or ref[1] >= below}
        held = {digest for _, _, digest in self.refs}
        self.blobs = {digest: data for digest, data in self.blobs.items() if digest in held}
        self._forget(lambda key: key[0] == node and key[1] < below and key[2] != kept)
