"""A share: the journal as the engine of one network has it, with the nodes that are its own.

Rules:
1. Everything is durable in the one journal: only what a start takes up is chosen here.
2. Reading and writing one node is not restricted: who may ask for it is a matter of usher.networks.owners.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from fsm.effects import EffectId
from fsm.ports import Store
from fsm.snapshot import Snapshot
from fsm.unit import Unit


class Share:
    """fsm.ports.Store over a store, for the nodes that `owns` says are its own."""

    def __init__(self, store: Store, owns: Callable[[Snapshot], bool]) -> None:
        """Take the store of all."""
        self._store, self._owns = store, owns

    def commit(self, unit: Unit) -> Awaitable[None]:
        """Make one transition durable."""
        return self._store.commit(unit)

    def started(self, ids: Sequence[EffectId]) -> Awaitable[frozenset[EffectId]]:
        """Mark intents as started, durably; answers those that were still intended."""
        return self._store.started(ids)

    def load(self, node: str) -> Snapshot | None:
        """The committed snapshot of a node; None if it was never seen."""
        return self._store.load(node)

    def active(self) -> Iterator[Snapshot]:
        """Every node of its own that has something under way, due, or waits for admission."""
        return (snapshot for snapshot in self._store.active() if self._owns(snapshot))

    def blob(self, digest: str) -> bytes | None:
        """The bytes of a blob; None if it is not held any more."""
        return self._store.blob(digest)

    def secret(self, node: str, generation: int, name: str) -> bytes | None:
        """The bytes of a vault entry; None if it is not held any more."""
        return self._store.secret(node, generation, name)

    def open_effects(self) -> Sequence[tuple[EffectId, bool]]:
        """Every effect that an earlier process left open, in whichever network, and whether it had been started."""
        return self._store.open_effects()
