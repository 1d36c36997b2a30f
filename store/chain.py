"""The chain: each envelope is bound to the one before it, so nobody edits history unseen.

Rules:
1. A link is SHA-256 over the previous link and the envelope as a JSON array of its stored columns, in their order.
2. The payload is covered by its digest alone, so it may go while the chain still verifies.
3. Whoever has SQLite, JSON and SHA-256 can verify it; nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import orjson

START: Final = bytes(32)
"""What the first envelope is bound to."""

ENVELOPE: Final = (
    "position, lineage, epoch, node, generation, seq, at, table_version, policy, event, name, source, target, digest"
)
"""The columns of a history row that its link covers, in order."""

FLEET_ENVELOPE: Final = "position, lineage, epoch, at, kind, name, reason, digest"
"""The columns of an entry of the fleet's journal that its link covers, in order."""


def link(previous: bytes, envelope: Sequence[object]) -> bytes:
    """The 32 bytes that bind an envelope (texts and integers, as they are stored) to the one before it."""
    return sha256(previous + orjson.dumps(envelope)).digest()


def digest(payload: bytes) -> str:
    """The lower-case hex SHA-256 that stays in the envelope."""
    return sha256(payload).hexdigest()
