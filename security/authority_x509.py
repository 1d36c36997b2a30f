"""A certificate authority of one's own: for demo, simulator and tests of an x509 network.

Rules:
1. What it issues is what such networks have: RSA for clients, since requests of protocol v1 are signed with RSA alone
   (wire/protocol.md §2.2); names as alternative names.
2. Nothing here touches a file; who wants files writes what it is given, keys with mode 0600.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY: Final = timedelta(days=1)
_BITS: Final = 2048
_CLIENT: Final = ExtendedKeyUsageOID.CLIENT_AUTH
_SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH
Pair = tuple[str, str]
"""A certificate and its private key, two PEM texts."""


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Issues certificates that are valid from yesterday on; `pem` is its own."""

    pem: str
    _certificate: x509.Certificate = field(repr=False)
    _key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def key_pem(self) -> str:
        """Its private key; only for writing that file."""
        return _secret(self._key)

    def client(self, name: str, *, days: int = 365) -> Pair:
        """A client certificate for a certname, such as `provisioner.mcollective` (§2.7); takes 70 ms."""
        return self._issue(generate_rsa_key(65537, _BITS), [name], _CLIENT, days)

    def server(self, hosts: Sequence[str], *, days: int = 365) -> Pair:
        """A server certificate for names and addresses."""
        return self._issue(generate_private_key(SECP256R1()), hosts, _SERVER, days)

    def _issue(
        self, key: RSAPrivateKey | EllipticCurvePrivateKey, names: Sequence[str], use: x509.ObjectIdentifier, days: int
    ) -> Pair:
        builder = _builder(names[0], days).issuer_name(self._certificate.subject).public_key(key.public_key())
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([use]), False),
            (x509.SubjectAlternativeName([_general(name) for name in names]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        ):
            builder = builder.add_extension(extension, critical)
        return _text(builder.sign(self._key, SHA256())), _secret(key)


def make_authority(name: str = "usher-demo-ca", *, days: int = 3650) -> CertificateAuthority:
    """A new authority."""
    key = generate_private_key(SECP256R1())
    builder = _builder(name, days).public_key(key.public_key())
    builder = builder.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    for extension, critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_USAGE, True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, SHA256())
    return CertificateAuthority(_text(certificate), certificate, key)


_USAGE: Final = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


def _builder(name: str, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _DAY).not_valid_after(now + days * _DAY)


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _secret(key: RSAPrivateKey | EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
