"""Authorities and certificates as helpers supply them, and as nobody should: real keys, real signatures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.fakes.csrs import IDENTITY, rsa_key
from tests.fakes.site import NOW

BEGAN = datetime.fromtimestamp(NOW / 1000).astimezone() - timedelta(hours=1)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def named(*names: str) -> x509.Name:
    """A subject of these common names."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


@dataclass(frozen=True)
class Ca:
    """An authority: its certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def signs(
        self,
        name: x509.Name,
        key: PrivateKey | None = None,
        *extensions: x509.ExtensionType,
        begins: timedelta = timedelta(),
        lasts: timedelta = timedelta(days=365),
    ) -> x509.Certificate:
        """A certificate for this name and key; it begins so long after BEGAN."""
        return issue(self.certificate.subject, self.key, name, key or rsa_key(), extensions, begins, lasts)

    def leaf(self, *names: str, key: PrivateKey | None = None, **times: timedelta) -> str:
        """A certificate for these common names, as PEM."""
        made = self.signs(named(*(names or (IDENTITY,))), key, **times)
        return made.public_bytes(Encoding.PEM).decode()

    def under(self, name: str, *, ca: bool = True) -> Ca:
        """An authority that this one has made."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Ca(self.signs(named(name), key, x509.BasicConstraints(ca=ca, path_length=None)), key)


def issue(
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    name: x509.Name,
    key: PrivateKey,
    extensions: tuple[x509.ExtensionType, ...] = (),
    begins: timedelta = timedelta(),
    lasts: timedelta = timedelta(days=365),
) -> x509.Certificate:
    """Any certificate."""
    builder = (
        x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(BEGAN + begins)
        .not_valid_after(BEGAN + begins + lasts)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, SHA256())


def authority(name: str = "site ca", **times: timedelta) -> Ca:
    """An authority that has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = (x509.BasicConstraints(ca=True, path_length=None),)
    return Ca(issue(named(name), key, named(name), key, extensions, **times), key)


@cache
def the_ca() -> Ca:
    """The one of the site."""
    return authority()


def private(key: PrivateKey, form: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> str:
    """A private key as a helper prints it."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
