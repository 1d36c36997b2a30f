"""Counting: which replies could be read and which not, as the libraries of the older program count them.

Rules:
1. Every reply that is decoded is counted once, before anything else is made of it.
2. These are sums and nothing else: who watches reads them, and nothing here is ever reset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from transport.wire.errors import WireError
from transport.wire.versions import Wire, WireReply

_UNPARSABLE: Final = frozenset({"not_json", "too_large", "too_deep"})
_FORGED: Final = "wrong_hash"


@dataclass(slots=True)
class ReplyCounts:
    """Replies of one wire by what became of them (go-choria: `protocol/v2/schemas.go`, `secure_reply.go`, and of v1).

    `valid`: the hash fits; `invalid`: it does not, or a document is not as its schema says; `unparsable`: no JSON;
    `errors`: unparsable, or not as its schema says.
    """

    wire: Wire = field(repr=False, compare=False)
    valid: int = 0
    invalid: int = 0
    unparsable: int = 0
    errors: int = 0

    def decode(self, data: bytes) -> WireReply:
        """The reply in these bytes, counted; raises WireError."""
        try:
            reply = self.wire.decode_reply(data)
        except WireError as error:
            self._refused(error.reason)
            raise
        self.valid += 1
        return reply

    def _refused(self, reason: str) -> None:
        unparsable = reason in _UNPARSABLE
        self.unparsable += unparsable
        self.invalid += not unparsable
        self.errors += reason != _FORGED
