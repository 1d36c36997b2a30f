"""Certificate authorities, and certificates as they should be and as nobody should have them: real keys throughout.

Keys are from a pool, since making one takes a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security.client_certificate import Paths
from tests.fakes.csrs import IDENTITY, rsa_key
from tests.fakes.site import NOW_S, written

DAY = timedelta(days=1)
BEGAN = datetime.fromtimestamp(NOW_S, UTC) - timedelta(hours=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
SETTINGS = ("plugin.security.file.certificate", "plugin.security.file.key", "plugin.security.file.ca")


def key_pem(key: CertificateIssuerPrivateKeyTypes, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A private key as its file has it."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def pem(*certificates: x509.Certificate) -> str:
    """Certificates as a file has them."""
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


def private(key: CertificateIssuerPrivateKeyTypes, form: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> str:
    """A private key as a helper prints it."""
    return key_pem(key, form)


def named(*names: str) -> x509.Name:
    """A subject of these common names."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


@dataclass(frozen=True)
class Authority:
    """Issues certificates; `begin` is when what it issues is valid from, if nothing else is said."""

    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    begin: datetime

    @property
    def pem(self) -> str:
        """Its certificate."""
        return pem(self.certificate)

    def signs(
        self,
        name: x509.Name,
        key: CertificateIssuerPrivateKeyTypes | None = None,
        *extensions: x509.ExtensionType,
        begins: timedelta = timedelta(),
        lasts: timedelta = 365 * DAY,
    ) -> x509.Certificate:
        """Any certificate, which begins so long after `begin`."""
        begin = self.begin + begins
        return _signed(self.certificate.subject, self.key, name, key or rsa_key(), (begin, begin + lasts), extensions)

    def issue(
        self,
        name: str,
        key: CertificateIssuerPrivateKeyTypes | None = None,
        *,
        names: Sequence[str] = (),
        uses: Sequence[x509.ObjectIdentifier] = (CLIENT,),
        begin: datetime | None = None,
        days: float = 365,
    ) -> x509.Certificate:
        """A certificate for a client or a broker of that name, and for `names` (hosts and addresses)."""
        extensions: list[x509.ExtensionType] = [x509.BasicConstraints(ca=False, path_length=None)]
        extensions += [x509.ExtendedKeyUsage(list(uses))] if uses else []
        extensions += [x509.SubjectAlternativeName([_general(each) for each in (*names, name)])]
        begins = (begin or self.begin) - self.begin
        return self.signs(named(name), key, *extensions, begins=begins, lasts=days * DAY)

    def leaf(self, *names: str, key: CertificateIssuerPrivateKeyTypes | None = None, **times: timedelta) -> str:
        """A node's certificate for these common names, as PEM."""
        return pem(self.signs(named(*(names or (IDENTITY,))), key, **times))

    def between(self, name: str, *, ca: bool = True) -> Authority:
        """An authority that this one vouches for; without `ca` one that is none."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self.signs(named(name), key, x509.BasicConstraints(ca=ca, path_length=None))
        return Authority(name, key, made, self.begin)


def make_authority(name: str = "usher-test-ca", begin: datetime | None = None, days: float = 3650) -> Authority:
    """A new authority, valid from the day of the fakes unless another is named."""
    begin = begin or datetime.fromtimestamp(NOW_S, UTC) - DAY
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.BasicConstraints(ca=True, path_length=None)
    made = _signed(named(name), key, named(name), key, (begin, begin + days * DAY), (own,))
    return Authority(name, key, made, begin)


def authority(name: str = "site ca", lasts: timedelta = 365 * DAY) -> Authority:
    """A new authority of a site's helper, an hour old."""
    return make_authority(name, BEGAN, lasts / DAY)


@cache
def the_ca() -> Authority:
    """The one of the site."""
    return authority()


def _signed(
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    name: x509.Name,
    key: CertificateIssuerPrivateKeyTypes,
    times: tuple[datetime, datetime],
    extensions: Sequence[x509.ExtensionType],
) -> x509.Certificate:
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(times[0]).not_valid_after(times[1])
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(signer, hashes.SHA256())


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
