"""What a certificate says, for a person, and what is signed with its key: whom to trust is decided elsewhere.

Rules:
1. It is a stranger's: what cannot be read is None or no, and names are cut.
2. No type of a library leaves this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

UNREADABLE: Final = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip
"""What the library raises of a certificate or a request that it cannot read, now or when it is asked for a part."""
_MOST: Final = 5
_LONGEST: Final = 100
_LONGEST_SERIAL: Final = 40  # hex digits of 20 bytes (RFC 5280)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Whom it is for, who made it, and its times in Unix seconds."""

    names: tuple[str, ...]
    issuer: str
    begins: float
    ends: float


def certificate_facts(der: bytes) -> CertificateFacts | None:
    """What a DER certificate says; None if it is none."""
    try:
        return facts_of(x509.load_der_x509_certificate(der))
    except UNREADABLE:
        return None


def facts_of(read: x509.Certificate) -> CertificateFacts:
    """What a certificate says; raises what is UNREADABLE."""
    begins, ends = read.not_valid_before_utc.timestamp(), read.not_valid_after_utc.timestamp()
    return CertificateFacts(_names(read), read.issuer.rfc4514_string()[:_LONGEST], begins, ends)


def signed_by_certificate(pem: str, message: bytes, signature: bytes) -> bool:
    """Whether an RSA PKCS#1 v1.5 SHA-256 signature was made with the key of the first certificate of a PEM text.

    So requests of protocol v1 are signed (wire/protocol.md §2.2). Who signed the certificate is not looked at.
    """
    try:
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(signature, message, PKCS1v15(), SHA256())
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def asking_names(read: x509.Certificate) -> tuple[str, ...]:
    """Under which names its holder may ask servers (wire/protocol.md §2.8): the common names, then the DNS names."""
    return tuple(dict.fromkeys((*_common(read), *(_alternative(read, x509.DNSName) or ()))))


def _names(read: x509.Certificate) -> tuple[str, ...]:
    said = _alternative(read, x509.DNSName, x509.IPAddress)
    found = _common(read) if said is None else said
    return tuple(name[:_LONGEST] for name in found[:_MOST])


def _alternative(read: x509.Certificate, *kinds: type[x509.GeneralName]) -> list[str] | None:
    """The alternative names of these kinds; None if there is no list of them."""
    try:
        said = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    return [str(name.value) for name in said if isinstance(name, kinds)]


def _common(read: x509.Certificate) -> list[str]:
    return [str(name.value) for name in read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]


@dataclass(frozen=True, slots=True)
class CertificateMarks:
    """What an incident finds it by: serial (lower-case hex), SHA-256 of its DER (hex), end (Unix seconds)."""

    serial: str
    digest: str
    ends: int


def certificate_marks(pem: str) -> CertificateMarks | None:
    """The marks of the first certificate of a PEM text; None if it is none."""
    try:
        read = x509.load_pem_x509_certificate(pem.encode())
        der, ends = read.public_bytes(Encoding.DER), int(read.not_valid_after_utc.timestamp())
        return CertificateMarks(f"{read.serial_number:x}"[:_LONGEST_SERIAL], sha256(der).hexdigest(), ends)
    except UNREADABLE:
        return None
