"""The ports of certificates and of keys on their way: what the helper supplies, judged, and wrapped for the node.

Rules:
1. As in fsm.ports: a call gives a frozen value or raises the one error that its docstring names.
2. What may hold a secret is no part of a value's repr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fsm.frozen import quick


@dataclass(frozen=True, slots=True)
class Supplied:
    """What a helper supplied for a node's TLS, as PEM; empty where it supplied none.

    `fingerprint` is that of the key in the node's own request (hex SHA-256 of its SubjectPublicKeyInfo), empty where
    there is no request; `directory` says where the node will keep the files; `names` are the node's identity and what
    its configuration will call it.
    """

    names: Sequence[str]
    certificate: str
    ca: str
    key: str = field(repr=False)
    fingerprint: str
    directory: str


@quick
@dataclass(frozen=True, slots=True)
class Examined:
    """What may be sent: `checks` is what `strict` would have refused, `warnings` says it in words."""

    checks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Certificates(Protocol):
    """Judges what helpers supply."""

    def supplied(self, offer: Supplied, now: int) -> Examined:
        """Check certificate, authority and key at `now` (milliseconds); raises fsm.errors.TokenError."""
        ...


@quick
@dataclass(frozen=True, slots=True)
class Exchanged:
    """Our half of a shared secret: the public one (64 hex), and the secret that both have (32 bytes)."""

    ours: str
    secret: bytes = field(repr=False)


class Transport(Protocol):
    """Carries a private key to a node (wire/provisioning.md §2.3)."""

    def exchange(self, theirs: str) -> Exchanged:
        """Draw our half against the node's (64 hex); raises fsm.errors.TokenError(EXCHANGE_INVALID)."""
        ...

    def wrap(self, key: str, secret: bytes) -> str:
        """The key (PEM), encrypted with the secret as the node expects it; raises TokenError(HELPER_KEY_INVALID)."""
        ...
