"""The seal on what ushers of one cluster say to each other: a keyed digest that only they can make.

Rules:
1. The key is made from the broker's password, which every usher of a cluster has and no node: docs/decisions/0026.
2. The password is stretched with scrypt before it is a key: whoever overhears messages cannot try passwords cheaply.
3. What is not sealed with our key is None, whatever it is; digests are compared in constant time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import scrypt
from typing import Final

LARGEST: Final = 128 * 1024
"""Bytes of the largest message that is looked at."""
_SALT: Final = b"io.choria.usher.v1.peers"
_WORK: Final = 2**14
_DIGEST: Final = "sha256"
_LENGTH: Final = 64
"""Hex characters before the body."""


class PeerSeal:
    """Seals and opens with the password that is used now; without one nothing is sealed and nothing opens."""

    def __init__(self, password: Callable[[], str]) -> None:
        """Hold who knows the password."""
        self._password = password
        self._of, self._key = "", b""

    @property
    def usable(self) -> bool:
        """Whether there is a password to seal with."""
        return bool(self._password())

    def seal(self, body: bytes) -> bytes:
        """The body behind its digest; there must be a password."""
        return self._digest(body).encode() + body

    def open(self, data: bytes) -> bytes | None:
        """The body; None if it is not sealed with our key."""
        if not self.usable or not _LENGTH < len(data) <= LARGEST:
            return None
        body = data[_LENGTH:]
        return body if hmac.compare_digest(self._digest(body).encode(), data[:_LENGTH]) else None

    def _digest(self, body: bytes) -> str:
        password = self._password()
        if password != self._of:
            self._of = password
            self._key = scrypt(password.encode(), salt=_SALT, n=_WORK, r=8, p=1, dklen=32)
        return hmac.digest(self._key, body, _DIGEST).hex()
