"""Why a broker may have refused a login: it says "Authorization Violation" to all of them (wire/protocol.md §6.3).

Rules:
1. Here is only reasoning over what was tried; the broker's own log has the last word, and that is said.
2. A cause is named first if what was tried speaks for it, and never as certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

VIOLATION: Final = "authorization violation"
_LOG: Final = "the broker's log has the reason, at level warning"

_ENABLE: Final = (
    "compare broker_provisioning_password with the broker's plugin.choria.network.provisioning.client_password, "
    "and set that one if it is missing"
)
_NO_USER: Final = "no user is sent: broker_provisioning_password is not set, and a provisioner needs it"


class Alone(Enum):
    """What came of logging in with the token and nothing else, as an ordinary client."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client token says of itself that a broker looks at."""

    provisioner: bool
    organization: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What is known of a refused login: the user, what the token alone is worth, what the token says of itself."""

    user: str
    alone: Alone
    shown: Shown


def client_refused(tried: Tried) -> tuple[str, str]:
    """What a refusal of usher's own login likely means, and the next step."""
    enable, organization = _ENABLE, tried.shown.organization or "OU"
    issuer = (
        f"compare the broker's plugin.security.issuer.names and plugin.security.issuer.{organization}"
        ".public with the issuer of the client token, and both clocks"
    )
    if not tried.user:
        return _NO_USER, f"{enable}; {_LOG}"
    if not tried.shown.provisioner:
        return "the client token lacks the permission provisioner", "make it again with --server-provisioner"
    match tried.alone:
        case Alone.ACCEPTED:
            what = (
                f"it takes the client token by itself, so that one is good: the password of user {tried.user} is wrong,"
                " or provisioning is not enabled on this broker"
            )
            return what, f"{enable}; {_LOG}"
        case Alone.REFUSED:
            what = (
                "it does not take the client token by itself either: the token is of another organization or issuer,"
                " or expired by the broker's clock, or this broker has no issuer; the password may be wrong as well"
            )
            return what, f"{issuer}; then {enable}; {_LOG}"
        case Alone.UNKNOWN:
            return "the password, the user or the token is wrong, or provisioning is not enabled", f"{enable}; {_LOG}"


def certified_refused(user: str) -> tuple[str, str]:
    """What a refusal after TLS likely means for who shows a certificate: TLS itself took it, or was not asked for it.

    A broker without issuers wants a certificate that its authority verifies; one with issuers wants a token of a
    provisioner, unless it is told otherwise (§6.3, step 2).
    """
    if not user:
        return _NO_USER, f"{_ENABLE}; {_LOG}"
    what = (
        f"the password of user {user} is wrong, provisioning is not enabled on this broker, it has no authority to"
        " verify client certificates with, or it is one with issuers that wants a token from provisioners"
    )
    step = (
        f"{_ENABLE}; then look at its plugin.security.file.ca, or for one with issuers at"
        " plugin.choria.network.provisioning.provisioner_without_token"
    )
    return what, f"{step}; {_LOG}"


def unsecured_refused(user: str) -> tuple[str, str]:
    """What a refusal likely means for who shows nothing (§6.7)."""
    what = f"the user {user} or its password is wrong" if user else "no user is sent, and it lets nobody in without one"
    step = "compare broker_provisioning_password with what it has; a Choria broker always refuses choria_insecure"
    return what, f"{step}; {_LOG}"


def node_refused(user: str) -> tuple[str, str]:
    """What a refusal of a node's login likely means, and the next step (§6.3, step 5)."""
    what = (
        "nodes with this token are not let in: another issuer signed it than the broker knows, it expired by the"
        " broker's clock, or provisioning is not enabled on this broker"
    )
    if user:
        what += f"; or its password for user {user} is wrong"
    step = (
        "compare the broker's plugin.security.issuer.<ou>.public (for RSA: "
        "plugin.choria.network.provisioning.signer_cert) with who signed the token, and check that "
        f"plugin.choria.network.provisioning.client_password is set; {_LOG}"
    )
    return what, step
