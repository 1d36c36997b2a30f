"""Who signs server tokens: a key, and with a signer token the chain that it is part of.

Rules:
1. Signing is a pure function of the order and the authority: the same order gives the same bytes.
2. What nobody could verify is not signed: the signer token must be a chain issuer's, and not be expired (§1.6, §3.7).
3. The identity is the order's, never the helper's; the id carries the order's second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from fsm.errors import TokenError
from fsm.identity import is_safe
from fsm.ports import ServerToken, TokenOrder
from fsm.reasons import Reason
from security import chain, tokens
from security.holder import Holder, moment
from security.keys import Ed25519Key, TokenKey, exact_hex
from security.ksuid import ksuid
from security.problems import Problem
from security.server_claims import Wishes, expiry, wishes
from security.tokens import seconds, text_of

ISSUER: Final = "Choria Provisioner"
"""`iss` of a server token that is not chained (wire/provisioning.md §3.7)."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A signing key and its signer token, None where the site has none; `id` names the two."""

    key: TokenKey
    holder: Holder | None
    id: str

    @classmethod
    def of(cls, key: TokenKey, holder: Holder | None) -> Authority:
        """The authority of a key, with the chain of its signer token if there is one."""
        token = holder.token if holder else ""
        name = sha256(f"{key.id}.{token}".encode()).hexdigest()[:16]
        return cls(key, holder, name)

    def server_token(self, order: TokenOrder, validity: int, *, spread: int = 0, strict: bool = False) -> ServerToken:
        """Sign a server token (§3.7); `validity` in seconds, `spread` as in `earlier`. Raises TokenError."""
        at = order.at // 1000
        public, jti = _public_key(order), _jti(at, order)
        wished = wishes(order.claims, order.configuration, strict=strict)
        limit, link = self._link(order.at, jti)
        expires, warnings = expiry(wished.expires, at, validity, limit)
        if wished.expires is None or expires < wished.expires:  # what the helper chose is kept, unless it is cut
            expires = earlier(order.identity, at, expires, spread)
        claims = {**_wished(order.identity, wished), **_standard(link, public, expires, at, jti)}
        text = tokens.sign(claims, self.key)
        return ServerToken(text, jti, expires, self.id, wished.warnings + warnings, wished.checks)

    def _link(self, at: int, jti: str) -> tuple[int | None, chain.Link]:
        """What the chain adds to a token, and the latest expiry that it allows; without a signer token neither."""
        if self.holder is None:
            return None, chain.Link(ISSUER, "")
        _usable(self.holder.claims, at)
        limit = seconds(self.holder.claims, "exp")
        return None if limit is None else int(limit), chain.issued(self.holder.claims, self.holder.key, jti)


def earlier(identity: str, at: int, expires: int, spread: int) -> int:
    """An end that is up to `spread` seconds earlier, by a part that follows from the identity; half its time stays."""
    most = min(spread, (expires - at) // 2)
    return expires - most * int.from_bytes(sha256(identity.encode()).digest()[:4], "big") // (1 << 32)


def signer_problems(holder: Holder) -> tuple[Problem, ...]:
    """What makes a signer token useless for a chain, whatever the time: `tcs`, issuer, expiry, and both signatures."""
    claims, place = holder.claims, holder.place
    next_step = "make it again with `choria jwt client --issuer --server-provisioner`"
    trust, issuer = text_of(claims, "tcs"), text_of(claims, "iss")
    if not trust:
        return (Problem("signer_tcs", place, "no Trust Chain Signature claim (tcs) in it", next_step),)
    try:
        organization = Ed25519Key.from_hex(issuer.removeprefix(chain.ORGANIZATION))
    except ValueError:
        organization = None
    if organization is None or not issuer.startswith(chain.ORGANIZATION):
        what = "its iss is not an organization issuer's (I- and 64 hexadecimal characters): it cannot issue"
        return (Problem("signer_issuer", place, what, next_step),)
    try:
        chain.verify_issuer_signature(claims, organization)
        tokens.verify(tokens.decode(holder.token), organization)
    except TokenError as error:
        return (Problem("signer_chain", place, f"the chain to its issuer is broken: {error.detail}", next_step),)
    return ()


def _usable(signer: Mapping[str, Any], at: int) -> None:
    """Refuse to sign with a signer token that is not valid at `at` (milliseconds)."""
    end, begin = seconds(signer, "exp"), seconds(signer, "nbf")
    if end is None:
        raise TokenError(
            Reason.SIGNER_UNUSABLE, "the signer token (jwt_signing_token) has no exp: no chain is possible"
        )
    if at >= end * 1000:
        said = f"the signer token (jwt_signing_token) expired at {moment(end)}: have the issuer make a new one"
        raise TokenError(Reason.SIGNER_UNUSABLE, said)
    if begin is not None and at < begin * 1000:
        said = f"the signer token (jwt_signing_token) is not valid before {moment(begin)}: compare the clocks"
        raise TokenError(Reason.SIGNER_UNUSABLE, said)


def _public_key(order: TokenOrder) -> str:
    if not is_safe(order.identity):
        raise TokenError(Reason.SIGNER_UNUSABLE, "the identity is not a safe name")
    try:
        return exact_hex(order.public_key, "an ed25519 public key").hex()
    except ValueError as error:
        raise TokenError(Reason.KEY_INVALID, str(error)) from None


def _jti(at: int, order: TokenOrder) -> str:
    try:
        return ksuid(at, order.entropy)
    except ValueError as error:
        raise TokenError(Reason.SIGNER_UNUSABLE, str(error)) from None


def _wished(identity: str, wished: Wishes) -> dict[str, Any]:
    """The claims of a server, in the order of the captured tokens."""
    claims: dict[str, Any] = {"identity": identity, "collectives": list(wished.collectives)}
    if wished.permissions is not None:
        claims["permissions"] = dict(wished.permissions)
    claims["ou"] = wished.ou
    if wished.pub_subjects:
        claims["pub_subjects"] = list(wished.pub_subjects)
    return claims


def _standard(link: chain.Link, public: str, expires: int, at: int, jti: str) -> dict[str, Any]:
    claims: dict[str, Any] = {"purpose": "choria_server"}
    if link.tcs:
        claims["tcs"] = link.tcs
    claims["public_key"] = public
    if link.issexp is not None:
        claims["issexp"] = link.issexp
    return claims | {"iss": link.iss, "exp": expires, "nbf": at, "iat": at, "jti": jti}
