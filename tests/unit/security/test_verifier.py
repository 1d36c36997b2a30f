"""What nodes show: provisioning tokens and the proof of their key."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fsm.errors import TokenError
from fsm.reasons import Reason
from security import tokens
from security.issuing import make_provisioning_token
from security.keys import RsaKey, SigningKey
from security.verifier import TokenVerifier
from tests.fakes.site import ISSUER, NODE, NOW, NOW_S, ORGANIZATION, SIGNER, VERIFIES, YEAR, changed, claims_of

TOKEN = make_provisioning_token(ISSUER, NOW_S, YEAR, token="s3cret", urls=["nats://localhost:4222"])
NONCE = "3a1a44363fecd44df223e9c75489a0f0"


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(VERIFIES)


def refusal(verifier: TokenVerifier, text: Any, now: int = NOW) -> Reason:
    with pytest.raises(TokenError) as caught:
        verifier.provisioning_token(text, now)
    return caught.value.reason


def made(**changes: Any) -> str:
    return tokens.sign(changed(claims_of(TOKEN), **changes), ORGANIZATION)


def test_a_good_token_gives_its_claims(verifier: TokenVerifier):
    shown = verifier.provisioning_token(TOKEN + "\n", NOW)
    assert shown.claims == claims_of(TOKEN)
    assert shown.jti == claims_of(TOKEN)["jti"]
    assert shown.provisions_by_default is True
    assert verifier.provisioning_token(made(chpd=False), NOW).provisions_by_default is False


def test_times_are_checked_at_each_use(verifier: TokenVerifier):
    verifier.provisioning_token(TOKEN, NOW)
    assert refusal(verifier, TOKEN, NOW - 1) is Reason.TOKEN_NOT_YET_VALID
    assert refusal(verifier, TOKEN, NOW + YEAR * 1000) is Reason.TOKEN_EXPIRED
    verifier.provisioning_token(TOKEN, NOW + YEAR * 1000 - 1)


def test_what_one_caller_does_to_the_claims_does_not_reach_the_next(verifier: TokenVerifier):
    dict.clear(verifier.provisioning_token(TOKEN, NOW).claims)  # type: ignore[arg-type]
    assert verifier.provisioning_token(TOKEN, NOW).claims == claims_of(TOKEN)


def test_it_remembers_a_bounded_number_of_tokens(verifier: TokenVerifier):
    texts = [made(jti=str(number)) for number in range(300)]
    for text in texts:
        verifier.provisioning_token(text, NOW)
    assert len(verifier._verified) == 256
    assert verifier.provisioning_token(texts[0], NOW).jti == "0"


def test_another_key_is_refused(verifier: TokenVerifier):
    forged = tokens.sign(claims_of(TOKEN), NODE)
    assert refusal(verifier, forged) is Reason.TOKEN_INVALID
    verifier.provisioning_token(TOKEN, NOW)
    assert refusal(verifier, forged) is Reason.TOKEN_INVALID


def test_several_keys_are_tried_in_order_and_another_is_none_of_them():
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    verifier = TokenVerifier(RsaKey(private.public_key()), VERIFIES)
    theirs = jwt.encode(claims_of(TOKEN), private, algorithm="RS256")
    assert {verifier.provisioning_token(text, NOW).jti for text in (TOKEN, theirs)} == {claims_of(TOKEN)["jti"]}
    with pytest.raises(TokenError) as caught:
        verifier.provisioning_token(tokens.sign(claims_of(TOKEN), NODE), NOW)
    assert caught.value.reason is Reason.TOKEN_INVALID
    assert caught.value.detail.startswith("none of 2 keys verifies it; by the first it is signed with EdDSA")
    verifier.use(VERIFIES)
    assert refusal(verifier, theirs) is Reason.TOKEN_INVALID, "a key that is taken out verifies nothing more"
    assert verifier.provisioning_token(TOKEN, NOW).jti


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_an_rsa_key_verifies_rsa_tokens(algorithm: str):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    verifier = TokenVerifier(RsaKey(key.public_key()))
    text = jwt.encode(claims_of(TOKEN), key, algorithm=algorithm)
    assert verifier.provisioning_token(text, NOW).claims == claims_of(TOKEN)
    assert refusal(verifier, TOKEN) is Reason.TOKEN_INVALID
    assert refusal(TokenVerifier(VERIFIES), text) is Reason.TOKEN_INVALID


def test_another_purpose_is_refused(verifier: TokenVerifier):
    assert refusal(verifier, SIGNER.token) is Reason.TOKEN_PURPOSE
    assert refusal(verifier, made(purpose="choria_server", sub=...)) is Reason.TOKEN_PURPOSE
    assert refusal(verifier, made(purpose=..., sub=...)) is Reason.TOKEN_PURPOSE
    assert verifier.provisioning_token(made(purpose=...), NOW).claims["purpose"] == ""
    assert verifier.provisioning_token(made(sub=...), NOW)


def test_a_tcs_asks_for_a_chain_issuer_that_has_not_expired(verifier: TokenVerifier):
    good = {"tcs": "a.b", "iss": "C-a.b", "issexp": NOW_S + 10}
    assert verifier.provisioning_token(made(**good), NOW)
    assert refusal(verifier, made(**good), NOW + 10_001) is Reason.TOKEN_EXPIRED
    assert refusal(verifier, made(**{**good, "issexp": ...})) is Reason.TOKEN_EXPIRED
    assert refusal(verifier, made(**{**good, "iss": "I-" + ISSUER.public_hex})) is Reason.TOKEN_EXPIRED
    assert refusal(verifier, made(**{**good, "issexp": "x"})) is Reason.TOKEN_INVALID


def test_a_token_that_a_chain_issuer_signed_is_refused(verifier: TokenVerifier):
    text = tokens.sign(claims_of(TOKEN), SigningKey.from_hex(SIGNER.seed_hex))
    assert refusal(verifier, text) is Reason.TOKEN_INVALID


@pytest.mark.parametrize("text", [None, 5, [], {}, b"x", "x", "a.b.c"])
def test_garbage_is_refused(verifier: TokenVerifier, text: Any):
    assert refusal(verifier, text) is Reason.TOKEN_INVALID


def test_no_token_is_missing(verifier: TokenVerifier):
    assert refusal(verifier, "") is Reason.TOKEN_MISSING


def test_a_claim_of_another_type_is_refused(verifier: TokenVerifier):
    assert refusal(verifier, made(chpd="yes")) is Reason.TOKEN_INVALID
    assert refusal(verifier, made(exp="never")) is Reason.TOKEN_INVALID


def test_a_proof_is_the_keys_signature_over_the_nonces_characters(verifier: TokenVerifier):
    verifier.proof(NODE.public_hex, NODE.sign(NONCE.encode()).hex(), NONCE)
    verifier.proof(NODE.public_hex.upper(), NODE.sign(NONCE.encode()).hex().upper(), NONCE)


def proof_refusal(verifier: TokenVerifier, public_key: Any, signature: Any, nonce: str = NONCE) -> Reason:
    with pytest.raises(TokenError) as caught:
        verifier.proof(public_key, signature, nonce)
    return caught.value.reason


GOOD = NODE.sign(NONCE.encode()).hex()


@pytest.mark.parametrize(
    "key", ["", NODE.public_hex[:-2], NODE.public_hex + "00", "z" * 64, NODE.public_hex + "\n", None, 5, ["a"], b"x"]
)
def test_a_key_of_another_length_or_form_is_refused(verifier: TokenVerifier, key: Any):
    assert proof_refusal(verifier, key, GOOD) is Reason.KEY_INVALID


@pytest.mark.parametrize("signature", ["", GOOD[:-2], GOOD + "00", "z" * 128, "0" * 128, None, 5, [GOOD]])
def test_a_signature_of_another_length_or_form_is_refused(verifier: TokenVerifier, signature: Any):
    assert proof_refusal(verifier, NODE.public_hex, signature) is Reason.PROOF_INVALID


def test_a_replayed_or_foreign_signature_is_refused(verifier: TokenVerifier):
    assert proof_refusal(verifier, NODE.public_hex, GOOD, "0" * 32) is Reason.PROOF_INVALID
    assert proof_refusal(verifier, ORGANIZATION.public_hex, GOOD) is Reason.PROOF_INVALID
    assert proof_refusal(verifier, NODE.public_hex, NODE.sign(bytes.fromhex(NONCE)).hex()) is Reason.PROOF_INVALID


def test_a_key_of_small_order_proves_nothing(verifier: TokenVerifier):
    neutral = "01" + "00" * 31
    assert proof_refusal(verifier, neutral, neutral + "00" * 32) is Reason.PROOF_INVALID
