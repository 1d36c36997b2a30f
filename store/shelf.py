"""The shelf: what is committed, for the daemon to read: snapshots, open effects, blobs and the vault.

Rules:
1. Only what is committed is seen: reading has a connection of its own, which cannot write.
2. A blob or secret that is not held any more is None, never an error.
3. Every cursor is emptied at once: one that stays open would keep the log from being written back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from fsm.codec import decode_snapshot
from fsm.effects import EffectId
from fsm.errors import StoreError
from fsm.snapshot import Snapshot
from fsm.states import ENDS, State
from store import statements as sql
from store.entries import Status
from store.trouble import translated

PAGE: Final = 1000
"""Nodes that are read at once when a start takes them up."""
_ENDS: Final = tuple(sorted(state.value for state in ENDS))
_RESTLESS: Final = tuple(state.value for state in State if state not in ENDS and state is not State.UNSEEN)


class Shelf:
    """Reads on the loop's thread; writers do not hold it up."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Take a connection that is query_only."""
        self._db = db

    def load(self, node: str) -> Snapshot | None:
        """The snapshot of a node; None if it was never seen."""
        body = self._only(sql.BODY, (node,))
        return None if body is None else decode_snapshot(body)

    def active(self) -> Iterator[Snapshot]:
        """Every node that has something under way, due, or waits for admission; nothing may be committed meanwhile."""
        for state in _RESTLESS:
            after: tuple[int, int] | None = (-1, -1)
            while after is not None:
                rows = self._rows(sql.ACTIVE, (state, *after, PAGE))
                for _, _, body in rows:
                    yield decode_snapshot(body)
                after = rows[-1][:2] if len(rows) == PAGE else None
        for (body,) in self._rows(sql.ROUSED):
            yield decode_snapshot(body)

    def aged(self, before: int, most: int) -> list[str]:
        """Nodes at rest that have been in their state since then (milliseconds) or longer, no more than so many."""
        found: list[str] = []
        for state in _ENDS:
            if len(found) < most:
                found += [node for (node,) in self._rows(sql.AGED, (state, before, most - len(found)))]
        return found

    def open_effects(self) -> list[tuple[EffectId, bool]]:
        """The effects that are open, oldest first, and whether each was started."""
        return [(EffectId(*of), status == Status.STARTED) for *of, status in self._rows(sql.OPEN_EFFECTS)]

    def blob(self, digest: str) -> bytes | None:
        """The bytes of a blob, None if it is not held."""
        return self._only(sql.BLOB, (digest,))

    def secret(self, node: str, generation: int, name: str) -> bytes | None:
        """The bytes of a vault entry, None if it is not held."""
        return self._only(sql.SECRET, (node, generation, name))

    def secrets(self, node: str) -> list[tuple[int, str, bytes]]:
        """Every vault entry of a node: its generation, name and sealed bytes, oldest generation first."""
        return [(generation, name, data) for generation, name, data in self._rows(sql.ENTRIES, (node,))]

    def vault_keys(self) -> tuple[str, ...]:
        """The ids of the keys that sealed what is held."""
        return tuple(key for (key,) in self._rows(sql.VAULT_KEYS))

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _only(self, query: str, values: tuple[str | int, ...]) -> bytes | None:
        rows = self._rows(query, values)
        return rows[0][0] if rows else None

    def _rows(self, query: str, values: tuple[str | int, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(str(translated(error, "read"))) from None


class Lending:
    """What is committed, as fsm.ports.Store has it read: whoever writes inherits it."""

    _shelf: Shelf

    def load(self, node: str) -> Snapshot | None:
        """The committed snapshot of a node; None if it was never seen."""
        return self._shelf.load(node)

    def active(self) -> Iterator[Snapshot]:
        """Every node that has something under way, due, or waits for admission; nothing may be committed meanwhile."""
        return self._shelf.active()

    def aged(self, before: int, most: int) -> list[str]:
        """Nodes at rest that have been in their state since then (milliseconds) or longer, no more than so many."""
        return self._shelf.aged(before, most)

    def open_effects(self) -> list[tuple[EffectId, bool]]:
        """The effects that are open, oldest first: what an earlier process left for fsm.recovery."""
        return self._shelf.open_effects()

    def blob(self, digest: str) -> bytes | None:
        """The bytes of a blob that a committed unit brought; None if it is not held any more."""
        return self._shelf.blob(digest)

    def secret(self, node: str, generation: int, name: str) -> bytes | None:
        """The bytes of a vault entry; None if it is not held any more."""
        return self._shelf.secret(node, generation, name)

    def secrets(self, node: str) -> list[tuple[int, str, bytes]]:
        """Every vault entry of a node: its generation, name and sealed bytes, oldest generation first."""
        return self._shelf.secrets(node)

    def vault_keys(self) -> tuple[str, ...]:
        """The ids of the keys that sealed what is held, as far as is known."""
        return self._shelf.vault_keys()
