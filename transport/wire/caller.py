"""Who asks: the names, the client token and the signature of every request that we send.

Rules:
1. Sender and caller stay the same while a node is provisioned: its lock is kept by both (wire/protocol.md §7.6).
2. The private key stays where it is; the wire only has a function that signs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Asks(Protocol):
    """Who asks, read for each request: token and signing key may be renewed in between, sender and caller not."""

    @property
    def sender(self) -> str:
        """The identity of the requesting side."""
        ...

    @property
    def caller(self) -> str:
        """The `callerid` claim of the token."""
        ...

    @property
    def token(self) -> str:
        """The client token, compact form, trimmed."""
        ...

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """Gives the raw 64 bytes of an ed25519 signature."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """The requesting side: `sender` is its identity, `caller` the `callerid` claim of `token` (compact form, trimmed).

    `sign` gives the raw 64 bytes of an ed25519 signature (wire/protocol.md §3.2).
    """

    sender: str
    caller: str
    token: str = field(repr=False)
    sign: Callable[[bytes], bytes] = field(repr=False)
