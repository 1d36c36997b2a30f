"""A small certificate authority, for demo, simulator and tests: it certifies what nodes ask for.

Rules:
1. What a node asks for is its key alone: the name is the one that it was provisioned under, and nothing else is taken
   from its request.
2. Nothing here touches a file; who wants files writes what it is given, the key with mode 0600.
3. It keeps no record and revokes nothing: a site of one's own has an authority of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.node_tls import RsaPair

_EARLIER: Final = timedelta(minutes=5)
"""By so much a certificate begins before it is made: the clocks of a site differ."""
_USAGE: Final = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip


@dataclass(frozen=True, slots=True)
class SmallCa:
    """An authority: its certificate (PEM), and the key that signs."""

    certificate: str
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def make(cls, name: str, now: int, seconds: int) -> SmallCa:
        """A new one that certifies itself; `now` in Unix seconds."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = _builder(subject, subject, key.public_key(), now, seconds)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        return cls(_pem(builder.sign(key, hashes.SHA256())), key)

    @classmethod
    def of(cls, certificate: str, key: str) -> SmallCa:
        """The one of these two texts (PEM); raises ValueError."""
        loaded = load_pem_private_key(key.encode(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError("the authority's key is not one that it made")  # noqa: TRY004 a wrong text, not a type
        return cls(certificate, loaded)

    @property
    def key(self) -> str:
        """The key as its file has it: PEM. Only for writing that file."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def issue(self, name: str, now: int, seconds: int, *, hosts: Sequence[str] = ()) -> tuple[str, str]:
        """A certificate for a client or a broker, and its RSA key: two PEM texts. `hosts` are names and addresses."""
        pair = RsaPair.generate()
        return self.certify(pair.request({"cn": name}), name, now, seconds, hosts=hosts), pair.private_pem

    def certify(self, request: str, identity: str, now: int, seconds: int, *, hosts: Sequence[str] = ()) -> str:
        """A certificate for the key of a request (PEM), under this name and for `hosts`; raises ValueError."""
        asked = x509.load_pem_x509_csr(request.encode())
        if not asked.is_signature_valid:
            raise ValueError("the request is not signed with its key")
        issuer = x509.load_pem_x509_certificate(self.certificate.encode()).subject
        builder = _builder(issuer, _name(identity), asked.public_key(), now, seconds)
        for extension in (
            x509.BasicConstraints(ca=False, path_length=None),
            x509.SubjectAlternativeName([_general(name) for name in (identity, *hosts)]),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            _usage("digital_signature", "key_encipherment"),
        ):
            builder = builder.add_extension(extension, critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256()))


def _builder(
    issuer: x509.Name, subject: x509.Name, key: CertificatePublicKeyTypes, now: int, seconds: int
) -> x509.CertificateBuilder:
    at = datetime.fromtimestamp(now, UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(at - _EARLIER)
        .not_valid_after(at + timedelta(seconds=seconds))
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*on: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in on for name in _USAGE})


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
