"""Who asks: the version, the names, the credential and the signature of every request that we send.

Rules:
1. Version, sender and caller stay the same while a node is provisioned: its lock is kept by the last two
   (wire/protocol.md §7.6).
2. The private key stays where it is; the wire only has a function that signs.
3. Who has nothing to sign with says so: `sign` is None, and `credential` is the word that stands for it (§2.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from transport.wire.messages import Version

INSECURE: Final = "insecure"
"""The credential of who has none, and then the signature too; v1 only (§2.2, §3.6)."""
Sign = Callable[[bytes], bytes]


class Asks(Protocol):
    """Who asks, read for each request: credential and key may be renewed in between; version and names not."""

    @property
    def version(self) -> Version:
        """The version of the protocol that its requests, and the replies to them, are written in."""
        ...

    @property
    def sender(self) -> str:
        """The identity of the requesting side."""
        ...

    @property
    def caller(self) -> str:
        """Who asks: the `callerid` claim of the token (v2), `choria=<certname>` (v1, §2.7)."""
        ...

    @property
    def credential(self) -> str:
        """The client token, compact form, trimmed (v2); the certificate file's text, verbatim (v1); or INSECURE."""
        ...

    @property
    def sign(self) -> Sign | None:
        """Gives the raw 64 bytes of an ed25519 signature (v2), or an RSA PKCS#1 v1.5 SHA-256 signature (v1).

        None is unsecured.
        """
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """The requesting side, each part as `Asks` says it."""

    version: Version
    sender: str
    caller: str
    credential: str = field(repr=False)
    sign: Sign | None = field(repr=False)
