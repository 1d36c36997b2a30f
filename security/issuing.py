"""A site of one's own: issuer, signer, provisioning token and a broker's certificate, for demo, simulator and tests.

Rules:
1. What is made here is what `choria jwt` makes: the same claims in the same order (wire/provisioning.md §1.3, §1.5).
2. Nothing here touches a file; who wants files writes what it is given, seeds with mode 0600.
3. The certificate is for loopback brokers: it signs itself, and it is its own authority.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from security import chain, tokens
from security.keys import SigningKey, TokenKey
from security.ksuid import ENTROPY, ksuid

PERMISSIONS: Final = {
    "streams_user": True,
    "events_viewer": True,
    "election_user": True,
    "fleet_management": True,
    "service": True,
    "provisioner": True,
}
"""What the captured provisioner's token permits (wire/keys/provisioner-client.jwt)."""
_PACKAGE: Final = "Choria Tokens Package"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An organization issuer: seed and public key, 64 hexadecimal characters each."""

    seed_hex: str = field(repr=False)
    public_hex: str


@dataclass(frozen=True, slots=True)
class SignerMaterial:
    """A provisioner's credentials: seed and public key in hexadecimal, and its client token, a chain issuer's."""

    seed_hex: str = field(repr=False)
    public_hex: str
    token: str


def make_issuer(entropy: bytes | None = None) -> Issuer:
    """A new organization issuer; 32 bytes of `entropy` make the same one again."""
    key = SigningKey.from_seed(entropy) if entropy is not None else SigningKey.generate()
    return Issuer(key.seed_hex, key.public_hex)


def make_signer(
    issuer: Issuer, callerid: str, now_s: int, validity_s: int, *, permissions: Mapping[str, bool] | None = None
) -> SignerMaterial:
    """The credentials of a provisioner: a client token that is a chain issuer (wire/provisioning.md §1.5, §1.6)."""
    organization, key = SigningKey.from_hex(issuer.seed_hex), SigningKey.generate()
    jti = ksuid(now_s, os.urandom(ENTROPY))
    link = chain.chain_issuer(organization, jti, key.public_hex)
    claims = {
        "callerid": callerid,
        "ou": "choria",
        "permissions": dict(PERMISSIONS if permissions is None else permissions),
        "purpose": "choria_client_id",
        "tcs": link.tcs,
        "public_key": key.public_hex,
        "iss": link.iss,
        **_times(now_s, validity_s, jti),
    }
    return SignerMaterial(key.seed_hex, key.public_hex, tokens.sign(claims, organization))


def make_provisioning_token(
    issuer: Issuer | TokenKey,
    now_s: int,
    validity_s: int,
    *,
    token: str,
    urls: Sequence[str],
    user: str = "",
    password: str = "",
    extensions: Mapping[str, Any] | None = None,
    v2: bool = True,
    default: bool = True,
) -> str:
    """A provisioning token, signed by the organization issuer itself, or by the RSA key of a site without one (§1.3).

    `token` is the agent's shared secret, `urls` the brokers, `user` and `password` the node's NATS login.
    """
    claims: dict[str, Any] = {"cht": token, "chs": False, "chu": ",".join([urls] if isinstance(urls, str) else urls)}
    claims["chpd"] = default
    claims |= {name: value for name, value in (("chusr", user), ("chpwd", password)) if value}
    claims |= {"extensions": None if extensions is None else dict(extensions), "ou": "choria"}
    if v2:
        claims["v2"] = True
    claims |= {"purpose": "choria_provisioning", "iss": _PACKAGE, "sub": "choria_provisioning"}
    claims |= _times(now_s, validity_s, ksuid(now_s, os.urandom(ENTROPY)))
    return tokens.sign(claims, SigningKey.from_hex(issuer.seed_hex) if isinstance(issuer, Issuer) else issuer)


def make_broker_certificate(hosts: Sequence[str], *, days: int = 365) -> tuple[str, str]:
    """A certificate for the hosts (names and addresses) that signs itself, and its key: two PEM texts.

    It is its own authority, so the same PEM serves clients as the CA file.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for extension, critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_key_usage(), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([_name(host) for host in hosts]), False),
        (identifier, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
    ):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), secret.decode()


def _times(now_s: int, validity_s: int, jti: str) -> dict[str, Any]:
    return {"exp": now_s + validity_s, "nbf": now_s, "iat": now_s, "jti": jti}


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
