"""Checks what nodes show: provisioning tokens, and the proof that a node holds its key.

Rules:
1. A provisioning token is signed directly by one of the configured keys; the chain is never unwrapped for it (§1.3).
2. One file serves a whole fleet, so a text that verified is not verified again; its times are checked at each use.
3. Whatever a node sends, the only error is TokenError.
"""

from __future__ import annotations

from typing import Any, Final

from fsm.errors import TokenError
from fsm.ports import ProvisioningClaims
from fsm.reasons import Reason
from security import tokens
from security.chain import check_issuer_expiry
from security.claims import Purpose, provisioning_claims, purpose_of
from security.keys import SIGNATURE, VerifyKey, exact_hex, signed_by

_REMEMBERED: Final = 256


class TokenVerifier:
    """`fsm.ports.Verifier` with the keys that `jwt_verify_cert` names, tried in order; none where a site has none."""

    def __init__(self, *keys: VerifyKey) -> None:
        """Verify with these keys from now on."""
        self._keys = keys
        self._verified: dict[str, dict[str, Any]] = {}

    def use(self, *keys: VerifyKey) -> None:
        """Verify with these keys from now on; what others had verified counts no more."""
        self._keys = keys
        self._verified.clear()

    def provisioning_token(self, text: str, now: int) -> ProvisioningClaims:
        """The claims of a provisioning token that verifies at `now` (milliseconds); raises TokenError.

        Signature, purpose, `exp` and `nbf`; with a `tcs` also a `C-` issuer and `issexp` (wire/provisioning.md §1.3).
        """
        if not isinstance(text, str):
            raise TokenError(Reason.TOKEN_INVALID, "it is not text")
        text = text.strip()
        claims = self._verified.get(text)
        if claims is None:
            claims = self._verify(text)
        tokens.check_times(claims, now)
        if claims.get("tcs"):
            check_issuer_expiry(claims, now)
        return ProvisioningClaims(dict(claims), claims.get("jti", ""), claims["chpd"])

    def proof(self, public_key: str, signature: str, nonce: str) -> None:
        """Check an ed25519 key (64 hex) and its signature (128 hex) over the nonce's bytes; raises TokenError."""
        try:
            public = exact_hex(_text(public_key), "an ed25519 public key")
        except ValueError as error:
            raise TokenError(Reason.KEY_INVALID, str(error)) from None
        try:
            raw = exact_hex(_text(signature), "an ed25519 signature", SIGNATURE)
        except ValueError as error:
            raise TokenError(Reason.PROOF_INVALID, str(error)) from None
        if not signed_by(public, nonce.encode(), raw):
            raise TokenError(Reason.PROOF_INVALID, "the signature over the nonce does not verify with the public key")

    def _verify(self, text: str) -> dict[str, Any]:
        if not self._keys:
            raise TokenError(Reason.TOKEN_INVALID, "jwt_verify_cert is not set")
        token = tokens.decode(text)
        self._signed(token)
        if purpose_of(token.claims) is not Purpose.PROVISIONING:
            raise TokenError(Reason.TOKEN_PURPOSE, f"its purpose is not {Purpose.PROVISIONING}")
        claims = provisioning_claims(token.claims)
        if len(self._verified) >= _REMEMBERED:
            self._verified.pop(next(iter(self._verified)))
        self._verified[text] = claims
        return claims

    def _signed(self, token: tokens.Token) -> None:
        """Check that one of the keys signed it; raises TokenError with what the first of them says."""
        refusals: list[TokenError] = []
        for key in self._keys:
            try:
                return tokens.verify(token, key)
            except TokenError as error:
                refusals.append(error)
        if len(refusals) == 1:
            raise refusals[0]
        raise TokenError(
            Reason.TOKEN_INVALID, f"none of {len(refusals)} keys verifies it; by the first {refusals[0].detail}"
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it is not text")  # noqa: TRY004 what a node sends is a wrong value, whatever its type
    return value
