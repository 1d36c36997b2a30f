"""The private key transport: the vector of the wire, halves that are none, and keys that only the node can read."""

from __future__ import annotations

import re
from base64 import b64decode
from hashlib import md5

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from fsm.errors import TokenError
from fsm.reasons import Reason
from security.exchange import LONGEST, KeyTransport, public_of, shared
from tests.fakes.certificates import private
from tests.fakes.csrs import rsa_key

# wire/provisioning.md §2.3
NODE = bytes.fromhex("67e4a9b3934a3030470ed7a30f89eeaf7dab7b492aa9ee02fb864d690b7e6eeb")
OURS = bytes.fromhex("3e150feab1f2c709af9afa28e626f258dbf1b683d3bc35225a9b0489de485870")
SHARED = "53a4887b448755a3f0a0618b289eb2369ec4b2461d44890abdfa3084ef080c55"


def test_the_vector_of_the_wire():
    assert public_of(NODE).hex() == "88a9a0ed27dc93c29466ea2bef99e078342b27e7a1d789fc35a9131f86c3a022"
    assert public_of(OURS).hex() == "c25fab933b16b2a4589e2c2d297669b818c82881f2f9bfd08cb8fd298924a41b"
    assert shared(OURS, public_of(NODE).hex()).hex() == SHARED
    assert shared(NODE, public_of(OURS).hex()).hex() == SHARED


def test_each_exchange_draws_another_half_and_both_sides_have_its_secret():
    made = [KeyTransport().exchange(public_of(NODE).hex()) for _ in range(2)]
    assert made[0].ours != made[1].ours
    for each in made:
        assert each.secret == shared(NODE, each.ours)
        assert each.secret.hex() not in repr(each)


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        ("", "sent no ecdh_public"),
        ("ab" * 31, "this has 62"),
        ("ab" * 33, "this has 66"),
        ("zz" * 32, "other characters"),
        ("ab" * 32 + "\n", "newline"),
        ("00" * 32, "all zero"),
        ("01" + "00" * 31, "all zero"),
        ("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "all zero"),
    ],
)
def test_a_half_that_is_none_is_named(theirs: str, says: str):
    with pytest.raises(TokenError, match=says) as caught:
        KeyTransport().exchange(theirs)
    assert caught.value.reason is Reason.EXCHANGE_INVALID


def unwrapped(pem: str, secret: bytes) -> bytes:
    """As Go's x509.DecryptPEMBlock does it: AES-256-CBC, EVP_BytesToKey with MD5, one round."""
    found = re.fullmatch(
        r"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,([0-9A-F]{32})\n\n"
        r"([A-Za-z0-9+/=\n]+)-----END RSA PRIVATE KEY-----\n",
        pem,
    )
    assert found is not None
    iv, data = bytes.fromhex(found[1]), b64decode(found[2])
    first = md5(secret + iv[:8]).digest()  # noqa: S324 what the wire has
    key = first + md5(first + secret + iv[:8]).digest()  # noqa: S324
    plain = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor().update(data)
    return plain[: -plain[-1]]


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_a_key_is_wrapped_as_pkcs1_whatever_its_form_and_the_node_can_read_it(form: PrivateFormat):
    secret = bytes.fromhex(SHARED)
    wrapped = KeyTransport().wrap(private(rsa_key(), form), secret)
    assert unwrapped(wrapped, secret) == rsa_key().private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    assert load_pem_private_key(wrapped.encode(), secret).private_numbers() == rsa_key().private_numbers()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "no private key in PEM"),
        ("x", "no private key in PEM"),
        (private(rsa_key()).replace("M", "N"), "no private key in PEM"),
        ("x" * (LONGEST + 1), "longer than"),
        (private(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        (private(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8), "not an RSA key"),  # type: ignore[arg-type]
        (
            rsa_key()
            .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x"))
            .decode(),
            "it is encrypted",
        ),
    ],
)
def test_a_key_that_no_node_could_use_is_named_and_never_repeated(key: str, says: str):
    with pytest.raises(TokenError, match=says) as caught:
        KeyTransport().wrap(key, bytes.fromhex(SHARED))
    assert caught.value.reason is Reason.HELPER_KEY_INVALID
    assert "MII" not in str(caught.value)
