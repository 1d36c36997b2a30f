"""The node's side of an x509 network: its RSA key, its request, a key that is sent to it, what it makes of its files.

Rules:
1. Forms are the captured ones: the key in PKCS#1, a request without extensions, a public key in PKCS#1 under the label
   of another form (wire/provisioning.md §2.2).
2. A key that is sent is unwrapped as a server does it: what is in it is not looked at (§2.3).
3. At its start a server judges its files: all there, readable, one key. Who signed them is for the broker to say.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import md5, sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from nacl.bindings import crypto_scalarmult

BITS: Final = 2048
_EXPONENT: Final = 65537
_BLOCK: Final = 16
_HALF: Final = 32
_SUBJECT: Final = {
    "C": NameOID.COUNTRY_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "cn": NameOID.COMMON_NAME,
}
"""What `gencsr` takes for the subject, in the order in which it writes it; `ST` is taken and never written."""
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]+-----\s(.*?)-----END [A-Z0-9 ]+-----", re.DOTALL)
_WRAPPED: Final = re.compile(r"DEK-Info: ?AES-256-CBC,([0-9A-Fa-f]{32})\s+([A-Za-z0-9+/=\s]+)")


@dataclass(frozen=True)
class RsaPair:
    """An RSA pair of a node; `gencsr` makes one in each call, in about 70 milliseconds."""

    _key: RSAPrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> RsaPair:
        """A new pair of 2048 bits."""
        return cls(generate_private_key(_EXPONENT, BITS))

    @cached_property
    def private_pem(self) -> str:
        """The file `private.pem`."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()

    @cached_property
    def public_pem(self) -> str:
        """The `public_key` of a reply: PKCS#1 under the label `PUBLIC KEY`, as servers write it."""
        text = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
        return text.replace("RSA PUBLIC KEY", "PUBLIC KEY")

    def request(self, subject: Mapping[str, str]) -> str:
        """The PEM of a certificate request; raises ValueError for what no subject can hold."""
        named = [x509.NameAttribute(oid, subject[name]) for name, oid in _SUBJECT.items() if subject.get(name)]
        made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(named)).sign(self._key, SHA256())
        return made.public_bytes(Encoding.PEM).decode()


def unwrapped(pem: str, secret: bytes, theirs: str) -> str:
    """A private key that was sent, as `private.pem` gets it; raises ValueError in a server's words.

    `secret` is the node's X25519 secret, empty if its process never made one; `theirs` the provisioner's half in
    hexadecimal (wire/provisioning.md §2.3).
    """
    try:
        half = bytes.fromhex(theirs)
    except ValueError:
        raise ValueError("encoding/hex: invalid byte") from None
    if not secret:
        raise ValueError("private key not set")
    block = _PEM.search(pem)
    if block is None:
        raise ValueError("bad key received")
    wrapped = _WRAPPED.search(block[1])
    if wrapped is None:
        raise ValueError("key is not encrypted")
    plain = _decrypted(_shared(secret, half), bytes.fromhex(wrapped[1]), base64.b64decode(wrapped[2]))
    lines = base64.b64encode(plain).decode()
    body = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n"


def _shared(secret: bytes, half: bytes) -> bytes:
    if len(half) != _HALF:
        raise ValueError(f"bad point length: {len(half)}, expected {_HALF}")
    try:
        return crypto_scalarmult(secret, half)
    except RuntimeError:  # what libsodium says of a half of small order
        raise ValueError("bad input point: low order point") from None


def _decrypted(password: bytes, iv: bytes, data: bytes) -> bytes:
    """RFC 1423 with AES-256-CBC, as Go's DecryptPEMBlock."""
    first = md5(password + iv[:8], usedforsecurity=False).digest()
    key = first + md5(first + password + iv[:8], usedforsecurity=False).digest()
    if not data or len(data) % _BLOCK:
        raise ValueError("x509: encrypted PEM data is not a multiple of the block size")
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    pad = plain[-1]
    if not 0 < pad <= _BLOCK or plain[-pad:] != bytes([pad]) * pad:
        raise ValueError("x509: decryption password incorrect")
    return plain[:-pad]


def tls_misfit(certificate: str | None, key: str | None, ca: str | None) -> str | None:
    """Why a server cannot start with these files (PEM texts), None if it can; an unreadable one is no key of it."""
    if certificate is None or key is None or ca is None:
        return "a file of its TLS is missing"
    try:
        leaf, private = _certificates(certificate)[0], _private(key)
        _certificates(ca)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "a file of its TLS cannot be read"
    same = _fingerprint(leaf.public_key()) == _fingerprint(private.public_key())
    return None if same else "tls: private key does not match public key"


def in_its_time(certificate: str, now_s: int) -> bool:
    """Whether a certificate that can be read is valid at this time (Unix seconds)."""
    leaf, now = _certificates(certificate)[0], datetime.fromtimestamp(now_s, UTC)
    return leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc


def key_fingerprint(pem: str) -> str:
    """The SHA-256 of the public key in the PEM of a certificate or a private key; empty if there is none."""
    try:
        key = _certificates(pem)[0].public_key() if "BEGIN CERTIFICATE" in pem else _private(pem).public_key()
        return _fingerprint(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ""


def _certificates(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode())


def _private(pem: str) -> PrivateKeyTypes:
    return load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)


def _fingerprint(key: PublicKeyTypes) -> str:
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
