"""The error of the wire: bytes that cannot be what they should be.

Rules:
1. Whatever bytes come in, decoding gives a value or this error, nothing else.
2. The reason is a short code that can be counted; what was received is never repeated in it.
"""

from __future__ import annotations

from fsm.errors import UsherError


class WireError(UsherError):
    """A message has the wrong form"""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Hold a code such as `not_json`, and which layer and field it concerns."""
        super().__init__()
        self.reason = reason
        self.detail = detail
