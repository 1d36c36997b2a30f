"""Payloads: what a step has learnt, as the adapter that carried it out has reduced it.

Rules:
1. At most 1 KB, no blob, no secret: digests name the first, the vault holds the second.
2. Whatever a row needs to know of an answer stands here; the rest is beside it, sealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fsm.frozen import quick


class Verdict(StrEnum):
    """What the helper wants to happen."""

    CONFIGURE = "configure"
    DEFER = "defer"
    SHUTDOWN = "shutdown"


@quick
@dataclass(frozen=True, slots=True)
class JwtFacts:
    """A verified provisioning token: digest of its text, its id, whether provisioning is its default (chpd).

    `let_in` marks the site's token that the node let us in with: a keyed fingerprint of 8 hexadecimal characters.
    """

    digest: str
    jti: str
    provisions_by_default: bool
    let_in: str = ""


@quick
@dataclass(frozen=True, slots=True)
class InventoryFacts:
    """An inventory: digest of the document, the node's Choria version, whether it can be upgraded."""

    digest: str
    version: str
    upgradable: bool


@quick
@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A proven ed25519 key: 64 hex characters, and the directory that the node keeps it in."""

    public_key: str
    directory: str


@quick
@dataclass(frozen=True, slots=True)
class CsrFacts:
    """A checked certificate request: digest of its DER, its key's fingerprint, the node's directory for certificates.

    Both are hex SHA-256; the fingerprint is that of the SubjectPublicKeyInfo, which a certificate for the key shares.
    `checks` names, one space between two, what `strictness: strict` would have refused.
    """

    digest: str
    fingerprint: str
    directory: str
    checks: str = ""


@quick
@dataclass(frozen=True, slots=True)
class HelperFacts:
    """What the helper answered: digest of its reply, its verdict and message, whether provisioning would stay on.

    `key` says that it supplied a private key for the node. `checks` names, one space between two, what `strictness:
    strict` would have refused of its certificate. `serial` (lower-case hex), `certificate` (the hex SHA-256 of its DER)
    and `certificate_expires` (Unix seconds) are those of the certificate that it brought.
    """

    digest: str
    verdict: Verdict
    message: str
    keeps_provisioning: bool = False
    key: bool = False
    checks: str = ""
    serial: str = ""
    certificate: str = ""
    certificate_expires: int = 0


@quick
@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A signed server token: its id, digest and expiry (Unix seconds), and the id of the key that signed it.

    `checks` names, one space between two, what `strictness: strict` would have refused.
    """

    jti: str
    digest: str
    expires: int
    signer: str
    warning: str = ""
    checks: str = ""


@quick
@dataclass(frozen=True, slots=True)
class PairFacts:
    """The public halves of an exchange, the node's and ours: 16 hex characters of each, which are enough to tell."""

    theirs: str
    ours: str


@quick
@dataclass(frozen=True, slots=True)
class WrapFacts:
    """The helper's private key, encrypted for the node: digest of the PEM that configure sends (hex SHA-256)."""

    digest: str


@quick
@dataclass(frozen=True, slots=True)
class Ack:
    """The node's own words for what it did; `digest` names the bytes of a configuration."""

    message: str
    digest: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look saw: nobody subscribed (`present` false), or a process of this age (milliseconds, never too old).

    The age is the reply's time less the process's start, both of the node's own clock, so skew does not matter; the
    start is cut to a second, which errs towards an older process (wire/protocol.md §7.7).
    """

    present: bool
    age: int = 0


Payload = (
    JwtFacts | InventoryFacts | KeyFacts | CsrFacts | HelperFacts | TokenFacts | PairFacts | WrapFacts | Ack | Sighting
)
