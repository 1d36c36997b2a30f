"""A small certificate authority: RSA keys from a pool, and certificates that are wrong in one chosen way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.client_certificate import Paths
from tests.fakes.site import NOW_S, written

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
SETTINGS = ("plugin.security.file.certificate", "plugin.security.file.key", "plugin.security.file.ca")


_pool: dict[int, rsa.RSAPrivateKey] = {}


def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """The key of that number, always the same one within a process: making one takes a while."""
    if number not in _pool:
        _pool[number] = rsa.generate_private_key(65537, 2048)
    return _pool[number]


def key_pem(key: CertificateIssuerPrivateKeyTypes, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A private key as its file has it."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def pem(*certificates: x509.Certificate) -> str:
    """Certificates as a file has them."""
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


@dataclass(frozen=True)
class Authority:
    """Issues certificates; `begin` is when what it issues is valid from, if nothing else is said."""

    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    begin: datetime

    def issue(
        self,
        name: str,
        key: CertificateIssuerPrivateKeyTypes | None = None,
        *,
        names: Sequence[str] = (),
        uses: Sequence[x509.ObjectIdentifier] = (CLIENT,),
        begin: datetime | None = None,
        days: float = 365,
        ca: bool = False,
    ) -> x509.Certificate:
        """A certificate for that name, and for `names` (hosts and addresses)."""
        begin = begin or self.begin
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            self.certificate.subject, subject, (key or rsa_key()).public_key(), x509.random_serial_number()
        )
        builder = builder.not_valid_before(begin).not_valid_after(begin + days * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(uses)), critical=False)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general(each) for each in (*names, name)]), critical=False
        )
        return builder.sign(self.key, hashes.SHA256())

    def between(self, name: str) -> Authority:
        """An authority that this one vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Authority(name, key, self.issue(name, key, uses=(), ca=True), self.begin)


def make_authority(name: str = "usher-test-ca", begin: datetime | None = None, days: float = 3650) -> Authority:
    """A new authority, valid from the day of the fakes unless another is named."""
    begin = begin or datetime.fromtimestamp(NOW_S, UTC) - DAY
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + days * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Authority(name, key, builder.sign(key, hashes.SHA256()), begin)


def put(where: Path, certificate: str, key: str, ca: str) -> Paths:
    """The three files in that directory."""
    return Paths(
        written(where / "cert.pem", certificate),
        written(where / "key.pem", key),
        written(where / "ca.pem", ca),
        SETTINGS,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
