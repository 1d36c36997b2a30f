"""Compact tokens: what is accepted, what is refused, and for which reason."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fsm.errors import TokenError
from fsm.reasons import Reason
from security import tokens
from security.keys import Ed25519Key, RsaKey, SigningKey
from tests.fakes.site import NOW, NOW_S

KEY = SigningKey.from_seed(b"k" * 32)
PUBLIC = Ed25519Key(KEY.public)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_PUBLIC = RsaKey(RSA.public_key())


NAN = b'{"a":NaN}'


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, claims: Any) -> str:
    """A token whose signature is good whatever its header and claims say."""
    covered = f"{part(header)}.{part(claims)}"
    return f"{covered}.{part(KEY.sign(covered.encode()))}"


def reason_of(text: str, key: Ed25519Key | RsaKey = PUBLIC) -> tuple[Reason, str]:
    with pytest.raises(TokenError) as caught:
        tokens.verify(tokens.decode(text), key)
    return caught.value.reason, caught.value.detail


def test_what_is_signed_verifies_and_has_exactly_chorias_header():
    text = tokens.sign({"b": 1, "a": "ü<&>"}, KEY)
    token = tokens.decode(text)
    tokens.verify(token, PUBLIC)
    assert token.claims == {"b": 1, "a": "ü<&>"}
    assert list(token.claims) == ["b", "a"]
    assert text.startswith(part(b'{"alg":"EdDSA","typ":"JWT"}') + ".")
    assert text == tokens.sign({"b": 1, "a": "ü<&>"}, KEY)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_rsa_tokens_verify_with_their_key_only(algorithm: str):
    text = jwt.encode({"a": 1}, RSA, algorithm=algorithm)
    tokens.verify(tokens.decode(text), RSA_PUBLIC)
    other = RsaKey(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key())
    assert reason_of(text, other)[1] == "its signature does not verify with the key that must have signed it"
    assert "ed25519 key" in reason_of(text, PUBLIC)[1]


def test_an_eddsa_token_does_not_fit_an_rsa_key():
    assert "RSA key" in reason_of(tokens.sign({}, KEY), RSA_PUBLIC)[1]


@pytest.mark.parametrize(
    "name", ["none", "None", "HS256", "HS512", "PS256", "ES256", "EDDSA", "eddsa", "", None, 5, ["EdDSA"]]
)
def test_other_algorithms_are_refused_even_with_a_good_signature(name: Any):
    reason, detail = reason_of(signed({"alg": name, "typ": "JWT"}, {}))
    assert reason is Reason.TOKEN_INVALID
    assert "is none of EdDSA, RS256, RS384, RS512" in detail


def test_the_public_key_as_an_hmac_secret_is_refused():
    text = jwt.encode({"a": 1}, KEY.public, algorithm="HS256")
    assert "its algorithm is none of" in reason_of(text)[1]


def test_no_signature_is_refused():
    assert reason_of(f"{part({'alg': 'none'})}.{part({})}.")[0] is Reason.TOKEN_INVALID
    assert reason_of(f"{part({'alg': 'EdDSA'})}.{part({})}.")[0] is Reason.TOKEN_INVALID


def test_one_changed_byte_anywhere_is_refused():
    text = tokens.sign({"identity": "n1"}, KEY)
    for place, letter in enumerate(text[:-2]):
        other = "B" if letter != "B" else "C"
        assert reason_of(text[:place] + other + text[place + 1 :])[0] is Reason.TOKEN_INVALID


def test_a_header_with_critical_extensions_is_refused():
    assert "crit" in reason_of(signed({"alg": "EdDSA", "crit": ["b64"], "b64": False}, {}))[1]


def test_the_longest_token_and_header_are_read():
    start = f"{part({'alg': 'EdDSA'})}.{part({'a': 10})}."
    assert tokens.decode(start + "A" * (65_536 - len(start))).claims == {"a": 10}
    header = json.dumps({"alg": "EdDSA", "x": ""})
    longest = {"alg": "EdDSA", "x": "x" * (768 - len(header))}
    assert len(part(longest)) == 1024
    tokens.verify(tokens.decode(signed(longest, {})), PUBLIC)


def test_white_space_around_a_token_is_harmless():
    assert tokens.decode(f" {tokens.sign({'a': 1}, KEY)}\n").claims == {"a": 1}


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_token_is_missing(text: str):
    assert reason_of(text)[0] is Reason.TOKEN_MISSING


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", "three base64url parts"),
        ("a.b", "three base64url parts"),
        ("a.b.c.d", "three base64url parts"),
        ("a.b.c=", "three base64url parts"),
        ("é.b.c", "three base64url parts"),
        ("\ud800.b.c", "three base64url parts"),
        ("a.b.c", "header is not base64url"),
        (f"{part(b'{')}.YQ.YQ", "header is not JSON"),
        (f"{part([])}.YQ.YQ", "header is not a JSON object"),
        (f"{part({'alg': 'EdDSA', 'x': 'x' * 1200})}.YQ.YQ", "header is too long"),
        (f"{part({'alg': 'EdDSA'})}.{part(5)}.YQ", "claims is not a JSON object"),
        (f"{part({'alg': 'EdDSA'})}.{part(b'[' * 40_000)}.YQ", "claims is not JSON"),
        (f"{part({'alg': 'EdDSA'})}.{part(NAN)}.YQ", "claims is not JSON"),
        (f"{part({'alg': 'EdDSA'})}.{part({})}.Y", "signature is not base64url"),
        ("x" * 65_537, "at most 65536 are read"),
    ],
)  # fmt: skip
def test_garbage_is_named(text: str, why: str):
    reason, detail = reason_of(text)
    assert reason is Reason.TOKEN_INVALID
    assert why in detail


@pytest.mark.parametrize("text", [None, 5, b"a.b.c", ["a"]])
def test_what_is_not_text_is_refused(text: Any):
    assert reason_of(text)[1] == "it is not text"


def refused(claims: dict[str, Any], now: int = NOW) -> Reason:
    with pytest.raises(TokenError) as caught:
        tokens.check_times(claims, now)
    return caught.value.reason


def test_exp_and_nbf_are_checked_to_the_millisecond_without_leeway():
    claims = {"exp": NOW_S, "nbf": NOW_S - 10}
    tokens.check_times(claims, NOW - 1)
    assert refused(claims, NOW) is Reason.TOKEN_EXPIRED
    tokens.check_times(claims, (NOW_S - 10) * 1000)
    assert refused(claims, (NOW_S - 10) * 1000 - 1) is Reason.TOKEN_NOT_YET_VALID


def test_absent_times_are_not_checked_and_iat_never_is():
    tokens.check_times({}, NOW)
    tokens.check_times({"exp": None, "nbf": None, "iat": NOW_S + 500}, NOW)


@pytest.mark.parametrize("value", ["1", True, [], {}, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["exp", "nbf"])
def test_a_time_that_is_no_number_is_refused(name: str, value: Any):
    assert refused({name: value}) is Reason.TOKEN_INVALID


def test_what_json_cannot_hold_is_not_signed():
    with pytest.raises(TokenError) as caught:
        tokens.sign({"a": "\ud800"}, KEY)
    assert caught.value.reason is Reason.SIGNER_UNUSABLE
