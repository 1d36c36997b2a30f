"""The trust chain: an organization issuer vouches for a chain issuer, which vouches for servers.

Rules:
1. What is built is what verifies: both directions live here (wire/provisioning.md §1.6, §1.7).
2. One level: the organization issuer O, a chain issuer H (`I-` tokens), what H issues (`C-` tokens).
3. The chain covers ids and keys; everything else of a token is covered by the token's own signature.
4. Whatever a token claims, the only error is TokenError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from fsm.errors import TokenError
from fsm.reasons import Reason
from security import ksuid, tokens
from security.keys import SIGNATURE, Ed25519Key, SigningKey, exact_hex, signed_by
from security.tokens import seconds, text_of

ORGANIZATION: Final = "I-"
CHAIN: Final = "C-"


@dataclass(frozen=True, slots=True)
class Link:
    """What a chain adds to a token: its `iss`, its `tcs`, and for a `C-` token the issuer's expiry, else None."""

    iss: str
    tcs: str
    issexp: int | None = None


def chain_issuer(organization: SigningKey, jti: str, public_key: str) -> Link:
    """What makes the holder of `public_key` a chain issuer: H.iss and H.tcs of §1.6."""
    signature = organization.sign(f"{jti}.{public_key}".encode())
    return Link(f"{ORGANIZATION}{organization.public_hex}", signature.hex())


def issued(holder: Mapping[str, Any], key: SigningKey, jti: str) -> Link:
    """What a token with `jti` gets from the chain issuer whose claims are `holder`: T.iss, T.tcs, T.issexp of §1.6.

    Raises TokenError where the holder has no id, key, expiry or tcs.
    """
    identity, public = _required(holder, "jti"), _required(holder, "public_key")
    expires, trust = _required_time(holder, "exp"), _required(holder, "tcs")
    signature = key.sign(f"{jti}.{trust}".encode())
    return Link(f"{CHAIN}{identity}.{public}", f"{trust}.{signature.hex()}", int(expires))


def signer_of(claims: Mapping[str, Any], organization: Ed25519Key) -> Ed25519Key:
    """The key whose signature the token must carry, after the chain was verified back to O by §1.7, rules 1 to 4.

    Raises TokenError.
    """
    for name in ("iss", "public_key", "tcs", "jti"):
        _required(claims, name)
    for name in ("iat", "exp"):
        _required_time(claims, name)
    _id_fits_time(claims)
    issuer = text_of(claims, "iss")
    if issuer.startswith(ORGANIZATION):
        return verify_issuer_signature(claims, organization)
    if issuer.startswith(CHAIN):
        return _issued_verified(claims, organization)
    return _refuse("unsupported issuer format: a chain begins with I- or C-")


def expiry(claims: Mapping[str, Any]) -> float | None:
    """The effective expiry in Unix seconds: the earlier of `exp` and `issexp`, whichever exist (§1.2)."""
    known = [value for value in (seconds(claims, "exp"), seconds(claims, "issexp")) if value is not None]
    return min(known, default=None)


def check_issuer_expiry(claims: Mapping[str, Any], now: int) -> None:
    """What a token with a `tcs` must keep where that is asked (§1.3, §1.7 rule 5): a `C-` issuer that has not expired.

    `now` is milliseconds. Raises TokenError.
    """
    if not text_of(claims, "iss").startswith(CHAIN):
        raise TokenError(Reason.TOKEN_EXPIRED, "it has a tcs, and its issuer is not a chain issuer (C-)")
    if seconds(claims, "issexp") is None:
        raise TokenError(Reason.TOKEN_EXPIRED, "it has a tcs, and the expiry of its issuer (issexp) is not set")
    end = expiry(claims)
    if end is not None and now > end * 1000:
        raise TokenError(Reason.TOKEN_EXPIRED, f"it or its issuer expired at {end:.0f}, and now it is {now // 1000}")


def verify_holder(text: str, organization: Ed25519Key, now: int) -> dict[str, Any]:
    """The claims of a server or client token as a broker or a server accepts it at `now` (milliseconds), §1.7.

    A `C-` token is verified through its chain, any other with the organization's key. Raises TokenError.
    """
    token = tokens.decode(text)
    claims = token.claims
    chained = text_of(claims, "iss").startswith(CHAIN)
    tokens.verify(token, signer_of(claims, organization) if chained else organization)
    tokens.check_times(claims, now)
    purpose = text_of(claims, "purpose")
    if purpose not in {"choria_server", "choria_client_id"}:
        raise TokenError(Reason.TOKEN_PURPOSE, f"its purpose is {purpose[:40]!r}")
    if text_of(claims, "tcs") and (chained or purpose == "choria_server"):
        check_issuer_expiry(claims, now)
    return claims


def verify_issuer_signature(claims: Mapping[str, Any], organization: Ed25519Key) -> Ed25519Key:
    """Rule 2 of §1.7: the `tcs` of a chain issuer's token is the organization's; raises TokenError."""
    if text_of(claims, "iss") != f"{ORGANIZATION}{organization.public.hex()}":
        _refuse("its issuer is another organization's key")
    covered = f"{text_of(claims, 'jti')}.{text_of(claims, 'public_key')}"
    _signed(organization, covered, text_of(claims, "tcs"), "its tcs is not the organization issuer's")
    return organization


def _issued_verified(claims: Mapping[str, Any], organization: Ed25519Key) -> Ed25519Key:
    if seconds(claims, "issexp") is None:
        _refuse("no issuer expires set (issexp)")
    identity, public = _pair(text_of(claims, "iss").removeprefix(CHAIN), "iss")
    trust, signature = _pair(text_of(claims, "tcs"), "tcs")
    _signed(
        organization, f"{identity}.{public}", trust, "its chain issuer is not vouched for by the organization issuer"
    )
    holder = _key(public)
    covered = f"{text_of(claims, 'jti')}.{trust}"
    _signed(holder, covered, signature, "its tcs is not the chain issuer's")
    return holder


def _id_fits_time(claims: Mapping[str, Any]) -> None:
    try:
        made = ksuid.seconds_of(text_of(claims, "jti"))
    except ValueError as error:
        _refuse(f"its jti is no KSUID: {error}")
    if made != seconds(claims, "iat"):
        _refuse("id is not based on issued time: the time in jti is not iat")


def _pair(text: str, name: str) -> tuple[str, str]:
    parts = text.split(".")
    if len(parts) != 2 or not all(parts):
        _refuse(f"its {name} is not two parts joined by a dot")
    return parts[0], parts[1]


def _key(text: str) -> Ed25519Key:
    try:
        return Ed25519Key.from_hex(text)
    except ValueError as error:
        _refuse(f"the key in its iss: {error}")


def _signed(key: Ed25519Key, covered: str, signature: str, otherwise: str) -> None:
    try:
        raw = exact_hex(signature, "a signature", SIGNATURE)
    except ValueError as error:
        _refuse(f"a part of its tcs: {error}")
    if not signed_by(key.public, covered.encode(), raw):
        _refuse(otherwise)


def _required(claims: Mapping[str, Any], name: str) -> str:
    return text_of(claims, name) or _refuse(f"{name} is not set")


def _required_time(claims: Mapping[str, Any], name: str) -> float:
    value = seconds(claims, name)
    return value or _refuse(f"{name} is not set")


def _refuse(detail: str) -> NoReturn:
    raise TokenError(Reason.TOKEN_INVALID, detail)
