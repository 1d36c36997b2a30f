"""Compact JWS as Choria uses it: decode, verify, sign, and the times.

Rules:
1. RS256, RS384, RS512 and EdDSA, nothing else, ever; the algorithm must fit the type of the key.
2. Nothing is believed before `verify`; whatever the bytes are, the only error is TokenError.
3. Time is passed in, and there is no leeway (wire/provisioning.md §1.1).
4. Signing is a pure function: the same claims and key give the same bytes.
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn

import orjson
from jwt.algorithms import RSAAlgorithm

from fsm.errors import TokenError
from fsm.reasons import Reason
from security.keys import Ed25519Key, RsaKey, SigningKey, TokenKey, VerifyKey, signed_by

LONGEST: Final = 65_536
"""Characters of the longest token that is looked at."""
_LONGEST_HEADER: Final = 1_024
_SHAPE: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_EDDSA_HEADER: Final = urlsafe_b64encode(b'{"alg":"EdDSA","typ":"JWT"}').rstrip(b"=")
_RS256_HEADER: Final = urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').rstrip(b"=")


class Algorithm(StrEnum):
    """Every algorithm that is accepted, by its name in the header."""

    EDDSA = "EdDSA"
    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"


_KNOWN: Final = {str(algorithm): algorithm for algorithm in Algorithm}
_RSA: Final = {
    Algorithm.RS256: RSAAlgorithm(RSAAlgorithm.SHA256),
    Algorithm.RS384: RSAAlgorithm(RSAAlgorithm.SHA384),
    Algorithm.RS512: RSAAlgorithm(RSAAlgorithm.SHA512),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was decoded and not verified: its algorithm, claims, the bytes that are signed, the signature."""

    algorithm: Algorithm
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def decode(text: str) -> Token:
    """Take a token apart without believing it; white space around it is harmless. Raises TokenError."""
    text = text.strip() if isinstance(text, str) else _refuse("it is not text")
    if not text:
        raise TokenError(Reason.TOKEN_MISSING, "the token is empty")
    if len(text) > LONGEST:
        _refuse(f"it has {len(text)} characters, at most {LONGEST} are read")
    parts = _SHAPE.fullmatch(text) or _refuse("it is not three base64url parts joined by dots")
    header, payload, signature = parts.groups()
    algorithm = _algorithm(header)
    claims = _document(payload, "claims")
    return Token(algorithm, claims, f"{header}.{payload}".encode(), _base64(signature, "signature"))


def verify(token: Token, key: VerifyKey) -> None:
    """Check that the key signed the token; the algorithm must fit the key's type. Raises TokenError."""
    match key:
        case Ed25519Key():
            if token.algorithm is not Algorithm.EDDSA:
                _refuse(f"it is signed with {token.algorithm}, and the key is an ed25519 key, which verifies EdDSA")
            good = signed_by(key.public, token.signed, token.signature)
        case RsaKey():
            if token.algorithm is Algorithm.EDDSA:
                _refuse("it is signed with EdDSA, and the key is an RSA key, which verifies RS256, RS384 and RS512")
            good = _RSA[token.algorithm].verify(token.signed, key.key, token.signature)
    if not good:
        _refuse("its signature does not verify with the key that must have signed it")


def check_times(claims: Mapping[str, Any], now: int) -> None:
    """Check `exp` and `nbf`, where present, at `now` (milliseconds), without leeway. Raises TokenError."""
    expires, begins = seconds(claims, "exp"), seconds(claims, "nbf")
    if expires is not None and now >= expires * 1000:
        raise TokenError(Reason.TOKEN_EXPIRED, f"exp is {expires:.0f}, and now it is {now // 1000}")
    if begins is not None and now < begins * 1000:
        detail = f"nbf is {begins:.0f}, and now it is {now // 1000}: compare the clocks"
        raise TokenError(Reason.TOKEN_NOT_YET_VALID, detail)


def seconds(claims: Mapping[str, Any], name: str) -> float | None:
    """A time claim in Unix seconds, None where it is absent or null. Raises TokenError for what is not a number."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(f"{name} is not a number of seconds")
    return value


def text_of(claims: Mapping[str, Any], name: str) -> str:
    """A text claim, empty where it is absent or null. Raises TokenError for what is not text."""
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse(f"{name} is not text")
    return value


def sign(claims: Mapping[str, Any], key: TokenKey) -> str:
    """The compact token of the claims, in their order, signed with EdDSA or RS256; the header is exactly Choria's.

    Raises TokenError (SIGNER_UNUSABLE) for what JSON cannot hold.
    """
    try:
        payload = orjson.dumps(claims)
    except orjson.JSONEncodeError as error:
        raise TokenError(Reason.SIGNER_UNUSABLE, f"the claims cannot be written as JSON: {error}") from None
    header = _EDDSA_HEADER if isinstance(key, SigningKey) else _RS256_HEADER
    signed = header + b"." + _unpadded(payload)
    return (signed + b"." + _unpadded(key.sign(signed))).decode()


def _algorithm(part: str) -> Algorithm:
    if len(part) > _LONGEST_HEADER:
        _refuse("its header is too long")
    header = _document(part, "header")
    name = header.get("alg")
    known = _KNOWN.get(name) if isinstance(name, str) else None
    if known is None:
        _refuse(f"its algorithm is none of {', '.join(Algorithm)}")
    if "crit" in header:
        _refuse("its header demands extensions (crit), and there are none")
    return known


def _document(part: str, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_base64(part, what))
    except orjson.JSONDecodeError:
        _refuse(f"its {what} is not JSON")
    if not isinstance(value, dict):
        _refuse(f"its {what} is not a JSON object")
    return value


def _base64(part: str, what: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (Base64Error, ValueError):
        _refuse(f"its {what} is not base64url")


def _unpadded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _refuse(detail: str) -> NoReturn:
    raise TokenError(Reason.TOKEN_INVALID, detail)
