"""The hand: what one generation of a node holds beside its snapshot, by name.

Rules:
1. What carries a secret is a vault entry (claims hold the shared token, a helper's reply whatever the site put there);
   only the inventory is a blob, by its digest.
2. What was committed is in the store; the memory here only saves reading it back, and may forget at any time.
3. Something that is not held any more is FactsLostError: the generation begins anew (fsm.reasons.FACTS_LOST).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import orjson

from fsm.ports import Blob, HelperReply, Secret, Store
from fsm.snapshot import Snapshot

REMEMBERED: Final = 8192
"""Entries that are kept in memory: four for each node of the widest admission window, half of them."""


class Name(StrEnum):
    """The vault's entries of a generation."""

    CLAIMS = "claims"
    PROOF = "proof"
    REPLY = "reply"
    TOKEN = "token"  # noqa: S105 the name of an entry


class FactsLostError(Exception):
    """What an earlier step of this generation kept is not held any more"""


class Hand:
    """Keeps and finds what belongs to a node's generation."""

    def __init__(self, store: Store) -> None:
        """Begin with nothing remembered."""
        self._store = store
        self._memory: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()

    def keep(self, snapshot: Snapshot, name: Name, document: Mapping[str, Any]) -> Secret:
        """The vault entry of this document, remembered."""
        return self._keep(snapshot, name, orjson.dumps(document))

    def keep_blob(self, data: bytes) -> Blob:
        """The blob of these bytes, remembered."""
        digest = sha256(data).hexdigest()
        self._remember(("", 0, digest), data)
        return Blob(digest, data)

    def find(self, snapshot: Snapshot, name: Name) -> dict[str, Any]:
        """A document that was kept; raises FactsLostError."""
        key = (snapshot.node, snapshot.generation, name)
        data = self._memory.get(key) or self._store.secret(*key)
        if data is None:
            raise FactsLostError(name)
        document: dict[str, Any] = orjson.loads(data)
        return document

    def find_blob(self, digest: str) -> bytes:
        """Bytes that were kept; raises FactsLostError."""
        data = self._memory.get(("", 0, digest)) or self._store.blob(digest)
        if data is None:
            raise FactsLostError(digest)
        return data

    def keep_reply(self, snapshot: Snapshot, reply: HelperReply) -> Secret:
        """The vault entry of a helper's reply."""
        return self._keep(snapshot, Name.REPLY, orjson.dumps(reply))

    def find_reply(self, snapshot: Snapshot) -> HelperReply:
        """A helper's reply that was kept; raises FactsLostError."""
        return HelperReply(**self.find(snapshot, Name.REPLY))

    def _keep(self, snapshot: Snapshot, name: Name, data: bytes) -> Secret:
        self._remember((snapshot.node, snapshot.generation, name), data)
        return Secret(name, data)

    def _remember(self, key: tuple[str, int, str], data: bytes) -> None:
        self._memory[key] = data
        self._memory.move_to_end(key)
        if len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
