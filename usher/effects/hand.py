"""The hand: what one generation of a node holds beside its snapshot, by name.

Rules:
1. Whatever is kept is sealed before it leaves this room: facts may carry secrets as well as configurations do.
2. What belongs to one node is a vault entry; an inventory is a blob, by the digest of what it says.
3. What was committed is in the store; the memory here only saves reading it back, and may forget at any time.
4. Something that is not held any more, or cannot be opened any more, is FactsLostError: the generation begins anew
   (fsm.reasons.FACTS_LOST).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import orjson

from fsm.ports import HelperReply, Store, Vault
from fsm.snapshot import Snapshot
from fsm.unit import OUTPUT, Blob, Secret

REMEMBERED: Final = 8192
"""Entries that are kept in memory: four for each node of the widest admission window, half of them."""


class Name(StrEnum):
    """The vault's entries of a generation."""

    CLAIMS = "claims"
    PROOF = "proof"
    CSR = "csr"
    REPLY = "reply"
    TOKEN = "token"  # noqa: S105 the name of an entry
    SECRET = "secret"  # noqa: S105 the same
    WRAPPED = "wrapped"
    OUTPUT = OUTPUT


def entry_place(node: str, generation: int, name: str) -> str:
    """Where a vault entry belongs, for its seal; no part can hold a slash."""
    return f"{node}/{generation}/{name}"


def blob_place(digest: str) -> str:
    """Where a blob belongs, for its seal."""
    return f"blob/{digest}"


class FactsLostError(Exception):
    """What an earlier step of this generation kept is not held any more"""


class Hand:
    """Keeps and finds what belongs to a node's generation."""

    def __init__(self, store: Store, vault: Vault) -> None:
        """Begin with nothing remembered."""
        self._store, self._vault = store, vault
        self._memory: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()

    def keep(self, snapshot: Snapshot, name: Name, document: Mapping[str, Any]) -> Secret:
        """The vault entry of this document, remembered."""
        return self._keep(snapshot, name, orjson.dumps(document))

    def seal(self, snapshot: Snapshot, name: Name, document: Mapping[str, Any]) -> Secret:
        """The vault entry of a document that no later step reads: it is not remembered."""
        place = entry_place(snapshot.node, snapshot.generation, name)
        return Secret(name, self._vault.seal(place, orjson.dumps(document)))

    def keep_blob(self, data: bytes) -> Blob:
        """The blob of these bytes, remembered."""
        digest = sha256(data).hexdigest()
        self._remember(("", 0, digest), data)
        return Blob(digest, self._vault.seal(blob_place(digest), data))

    def find(self, snapshot: Snapshot, name: Name) -> dict[str, Any]:
        """A document that was kept; raises FactsLostError."""
        key = (snapshot.node, snapshot.generation, name)
        data = self._memory.get(key) or self._opened(entry_place(*key), self._store.secret(*key))
        if data is None:
            raise FactsLostError(name)
        document: dict[str, Any] = orjson.loads(data)
        return document

    def find_blob(self, digest: str) -> bytes:
        """Bytes that were kept; raises FactsLostError."""
        data = self._memory.get(("", 0, digest)) or self._opened(blob_place(digest), self._store.blob(digest))
        if data is None:
            raise FactsLostError(digest)
        return data

    def keep_reply(self, snapshot: Snapshot, reply: HelperReply) -> tuple[Secret, str]:
        """The vault entry of a helper's reply, and the digest of what it says (hex SHA-256)."""
        data = orjson.dumps(reply)
        return self._keep(snapshot, Name.REPLY, data), sha256(data).hexdigest()

    def find_reply(self, snapshot: Snapshot) -> HelperReply:
        """A helper's reply that was kept; raises FactsLostError."""
        return HelperReply(**self.find(snapshot, Name.REPLY))

    def _keep(self, snapshot: Snapshot, name: Name, data: bytes) -> Secret:
        key = (snapshot.node, snapshot.generation, name)
        self._remember(key, data)
        return Secret(name, self._vault.seal(entry_place(*key), data))

    def _opened(self, place: str, sealed: bytes | None) -> bytes | None:
        return None if sealed is None else self._vault.open(place, sealed)

    def _remember(self, key: tuple[str, int, str], data: bytes) -> None:
        self._memory[key] = data
        self._memory.move_to_end(key)
        if len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
