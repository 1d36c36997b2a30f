"""Certificate requests as nodes make them, and as nobody should: real keys, real signatures, one change each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from fsm.errors import TokenError
from fsm.ports import CheckedRequest
from fsm.reasons import Reason
from security.csr import RequestVerifier
from usher.config.keys import DENIED

IDENTITY = "n1.example.net"
PRIVILEGED = "boss.privileged.mcollective"
USAGE = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
Change = Callable[[x509.CertificateSigningRequestBuilder], x509.CertificateSigningRequestBuilder]


@cache
def rsa_key(number: int = 0, *, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of that number and size, the same one for the whole run: they are slow to make."""
    del number
    return rsa.generate_private_key(65537, bits)


def subject(*names: str, **others: str) -> x509.Name:
    """A subject of these common names, and others by the names of their attributes."""
    rest = [x509.NameAttribute(getattr(NameOID, name), value) for name, value in others.items()]
    return x509.Name([*rest, *(x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names)])


def request(change: Change | None = None, *, name: x509.Name | None = None, key: object = None) -> str:
    """A request as a node makes it, with one change."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name if name is not None else subject(IDENTITY))
    builder = change(builder) if change else builder
    key = key or rsa_key()
    pure = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    signed = builder.sign(key, None if pure else SHA256())  # type: ignore[arg-type]  # any private key
    return signed.public_bytes(Encoding.PEM).decode()


def extended(value: x509.ExtensionType, *, critical: bool = False) -> str:
    """A request with an extension."""
    return request(lambda builder: builder.add_extension(value, critical))


def named(*names: x509.GeneralName) -> str:
    """A request with alternative names."""
    return extended(x509.SubjectAlternativeName(names))


def beside(key: object, kind: PublicFormat = PublicFormat.PKCS1) -> str:
    """The `public_key` of a reply: PKCS#1 under the label of the other form, as servers write it."""
    text = key.public_bytes(Encoding.PEM, kind).decode()  # type: ignore[attr-defined]
    return text.replace("RSA PUBLIC KEY", "PUBLIC KEY")


def checked(text: str, *, strict: bool = False, beside: str = "", identity: str = IDENTITY) -> CheckedRequest:
    """What is found in a request, with the deny list that sites have."""
    return RequestVerifier(DENIED, strict=strict).certificate_request(text, beside, identity)


def refused(text: str, *, strict: bool = False, beside: str = "") -> str:
    """Why it is refused, as one that nobody may sign."""
    with pytest.raises(TokenError) as caught:
        checked(text, strict=strict, beside=beside)
    assert caught.value.reason is Reason.CSR_INVALID
    return caught.value.detail


def denied(text: str) -> str:
    """Which denied pattern a name matches."""
    with pytest.raises(TokenError) as caught:
        checked(text)
    assert caught.value.reason is Reason.CSR_DENIED
    return caught.value.detail
