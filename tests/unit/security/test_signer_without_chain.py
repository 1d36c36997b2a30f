"""Signers without a signer token: an RSA key or a seed, and no chain leads to their tokens (§3.7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from fsm.errors import TokenError
from security import tokens
from security.keys import Ed25519Key, RsaKey
from security.problems import CredentialError
from security.signer import FileSigner, NoSigner
from tests.fakes.csrs import rsa_key
from tests.fakes.site import NODE, SIGNER, YEAR, claims_of, order, signer_files, written


@pytest.fixture(scope="module")
def pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_rsa_key_signs_tokens_without_a_chain(tmp_path: Path, pair: rsa.RSAPrivateKey, form: PrivateFormat):
    pem = pair.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    signer = FileSigner(written(tmp_path / "key.pem", pem), None, YEAR)
    made = signer.server_token(order())
    assert made == signer.server_token(order())
    assert jwt.get_unverified_header(made.text) == {"alg": "RS256", "typ": "JWT"}
    tokens.verify(tokens.decode(made.text), RsaKey(pair.public_key()))
    claims = claims_of(made.text)
    assert (claims["iss"], claims["purpose"], "tcs" in claims, "issexp" in claims) == (
        "Choria Provisioner", "choria_server", False, False,
    )  # fmt: skip
    assert (claims["public_key"], made.signer, len(signer.id)) == (NODE.public_hex, signer.id, 16)


def test_a_seed_without_a_signer_token_signs_tokens_without_a_chain(tmp_path: Path):
    seed, _ = signer_files(tmp_path)
    made = FileSigner(seed, None, YEAR).server_token(order())
    claims = claims_of(made.text)
    assert (claims["iss"], "tcs" in claims, "issexp" in claims) == ("Choria Provisioner", False, False)
    tokens.verify(tokens.decode(made.text), Ed25519Key.from_hex(SIGNER.public_hex))


def test_an_rsa_key_with_a_signer_token_is_refused_by_name(tmp_path: Path, pair: rsa.RSAPrivateKey):
    _, token = signer_files(tmp_path)
    pem = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(CredentialError, match="needs an ed25519 seed") as caught:
        FileSigner(written(tmp_path / "key.pem", pem), token, YEAR)
    assert caught.value.problem.check == "rsa_signing_key"


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (lambda: _pem(rsa_key(1024)), "has 1024 bits"),
        (lambda: _pem(ec.generate_private_key(ec.SECP256R1())), "not RSA"),
        (lambda: _pem(rsa.generate_private_key(65537, 2048), BestAvailableEncryption(b"x")), "it is encrypted"),
        (lambda: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "no private key"),
        (lambda: "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----\n", "no private key"),
    ],
)
def test_pem_that_cannot_sign_is_refused_by_name_and_never_shown(tmp_path: Path, pem: Callable[[], str], says: str):
    text = pem()
    with pytest.raises(CredentialError, match=says) as caught:
        FileSigner(written(tmp_path / "key.pem", text), None, YEAR)
    assert caught.value.problem.check == "rsa_signing_key"
    assert text.splitlines()[1] not in str(caught.value)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, sealed: KeySerializationEncryption | None = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed or NoEncryption()).decode()


def test_a_site_without_server_tokens_has_a_signer_that_says_so():
    signer = NoSigner()
    with pytest.raises(TokenError, match="jwt_signing_key is not set"):
        signer.server_token(order())
    assert (signer.id, dict(signer.claims)) == ("", {})
