"""Certificate requests: what is let through, and each text and key that is not."""

from __future__ import annotations

import ipaddress
from base64 import encodebytes
from collections.abc import Callable
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from fsm.errors import TokenError
from fsm.ports import CheckedRequest
from security.csr import LARGEST, LONGEST
from tests.fakes.csrs import IDENTITY, USAGE, beside, checked, extended, named, refused, request, rsa_key, subject

# -- what is let through ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_what_a_choria_server_asks_for_is_let_through(strict: bool):
    text = request(name=subject(IDENTITY, COUNTRY_NAME="MT", LOCALITY_NAME="x", ORGANIZATION_NAME="Choria"))
    info = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    der = x509.load_pem_x509_csr(text.encode()).public_bytes(Encoding.DER)
    assert checked(text, strict=strict) == CheckedRequest(sha256(der).hexdigest(), sha256(info).hexdigest())


@pytest.mark.parametrize(
    "key",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["P-256", "P-521", "ed25519"],
)
def test_other_keys_that_are_good_enough_are_taken(key: Callable[[], object]):
    assert checked(request(key=key()), strict=True).checks == ()


def test_a_request_that_was_signed_otherwise_or_has_crlf_lines_is_taken():
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(IDENTITY))
    text = builder.sign(rsa_key(), SHA512()).public_bytes(Encoding.PEM).decode()
    assert checked(text).fingerprint == checked("\r\n" + text.replace("\n", "\r\n")).fingerprint


def test_two_requests_for_one_key_differ_in_digest_and_share_its_fingerprint():
    one, other = checked(request()), checked(named(x509.DNSName(IDENTITY)))
    assert one.digest != other.digest
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    "value",
    [
        x509.SubjectAlternativeName([x509.DNSName(IDENTITY)]),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.KeyUsage(**dict.fromkeys(USAGE, False) | {"digital_signature": True, "key_encipherment": True}),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectKeyIdentifier.from_public_key(rsa_key().public_key()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_extensions_that_ask_for_nothing_are_let_through(value: x509.ExtensionType):
    assert checked(extended(value), strict=True).checks == ()


# -- named checks: as the older program, or strict --------------------------------------------------------------------

COMPATIBLE = {
    "another DNS name": (lambda: named(x509.DNSName("n2.example.net")), "csr_foreign_name"),
    "an address": (lambda: named(x509.IPAddress(ipaddress.ip_address("10.0.0.1"))), "csr_foreign_name"),
    "a mail address": (lambda: named(x509.RFC822Name("root@example.net")), "csr_foreign_name"),
    "a URI": (lambda: named(x509.UniformResourceIdentifier("https://n1.example.net/")), "csr_foreign_name"),
    "a directory name": (lambda: named(x509.DirectoryName(subject("n1"))), "csr_foreign_name"),
    "a registered id": (lambda: named(x509.RegisteredID(ObjectIdentifier("1.2.3"))), "csr_foreign_name"),
    "denied but for capitals": (lambda: named(x509.DNSName("x.MCollective")), "csr_denied_case"),
    "an unknown extension": (
        lambda: extended(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")), "csr_extension",
    ),
    "must-staple": (lambda: extended(x509.TLSFeature([x509.TLSFeatureType.status_request])), "csr_extension"),
}  # fmt: skip


@pytest.mark.parametrize("what", COMPATIBLE)
def test_what_the_older_program_let_through_is_a_named_check(what: str):
    made, check = COMPATIBLE[what]
    found = checked(made())
    assert check in found.checks
    assert len(found.warnings) == len(found.checks)
    assert refused(made(), strict=True) == "; ".join(found.warnings)


# -- the text ---------------------------------------------------------------------------------------------------------

GOOD = request()
BODY = GOOD.split("-----")[2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is none"),
        (" \n", "there is none"),
        ("x", "not one block of PEM"),
        ("\x00" * 100, "not one block of PEM"),
        (BODY, "not one block of PEM"),
        (GOOD + GOOD, "not one block of PEM"),
        ("key:\n" + GOOD, "not one block of PEM"),
        (GOOD.replace("END CERTIFICATE REQUEST", "END CERTIFICATE"), "not one block of PEM"),
        (GOOD.replace("BEGIN", "begin"), "not one block of PEM"),
        (GOOD.replace("MII", "Proc-Type: 4,ENCRYPTED\n\nMII", 1), "not one block of PEM"),
        (GOOD.replace("CERTIFICATE REQUEST", "CERTIFICATE"), "PEM of another kind: CERTIFICATE"),
        (GOOD.replace("CERTIFICATE REQUEST", "RSA PRIVATE KEY"), "PEM of another kind: RSA PRIVATE KEY"),
        (GOOD.replace("MII", "MI=I", 1), "base64 of its PEM is broken"),
        (GOOD.replace("MII", "AII", 1), "cannot be decoded"),
        (GOOD.replace(BODY, "\nAAAA\n"), "cannot be decoded"),
        (GOOD.replace(BODY, BODY[:200] + "\n"), "cannot be decoded"),
        ("a" * (LONGEST + 1), f"longer than {LONGEST}"),
        ("-----BEGIN CERTIFICATE REQUEST-----" + "\n" * (LONGEST - 100), "not one block of PEM"),
        ("é" * 10, "not one block of PEM"),
    ],
)
def test_what_is_no_request_is_said(text: str, says: str):
    assert says in refused(text)


def test_every_cut_and_every_flipped_byte_is_refused_and_never_an_error():
    der = bytearray(x509.load_pem_x509_csr(GOOD.encode()).public_bytes(Encoding.DER))
    for place in range(0, len(der), 7):
        broken = bytearray(der)
        broken[place] ^= 0x55
        with pytest.raises(TokenError):
            checked(pem(bytes(broken)))
        with pytest.raises(TokenError):
            checked(pem(bytes(der[:place])))


# -- the key ----------------------------------------------------------------------------------------------------------


def der(tag: int, *parts: bytes) -> bytes:
    """A DER element."""
    body = b"".join(parts)
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1)
    return bytes([tag]) + (size if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body


def pem(data: bytes) -> str:
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{encodebytes(data).decode()}-----END CERTIFICATE REQUEST-----\n"


def unsigned(key: object) -> str:
    """A request for a key of which nobody has the private half, with a signature that is none."""
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    body = der(0x30, b"\x02\x01\x00", subject(IDENTITY).public_bytes(), info, der(0xA0))
    algorithm = bytes.fromhex("300d06092a864886f70d01010b0500")
    return pem(der(0x30, body, algorithm, der(0x03, b"\x00" + bytes(256))))


def large(bits: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) | 1).public_key()


KEYS = {
    "1024 bits": (lambda: request(key=rsa_key(bits=1024)), "1024 bits, 2048 to 8192"),
    "16384 bits": (lambda: unsigned(large(16_384)), "16384 bits"),
    "one bit too many": (lambda: unsigned(large(LARGEST + 1)), f"{LARGEST + 1} bits"),
    "a huge exponent": (lambda: unsigned(large(2048, (1 << 40) + 1)), "exponent"),
    "a small curve": (lambda: request(key=ec.generate_private_key(ec.SECP224R1())), "secp224r1"),
    "another curve": (lambda: request(key=ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
    "DSA": (lambda: request(key=dsa.generate_private_key(2048)), "kind that is not taken"),
    "ed448": (lambda: request(key=ed448.Ed448PrivateKey.generate()), "kind that is not taken"),
    "not its own": (lambda: unsigned(rsa_key().public_key()), "not signed with the key"),
}


@pytest.mark.parametrize("what", KEYS)
def test_a_key_that_is_not_good_enough_is_said(what: str):
    made, says = KEYS[what]
    assert says in refused(made())


def test_the_key_beside_a_request_is_its_own_in_whichever_form():
    key = rsa_key().public_key()
    for said in ("", beside(key), beside(key, PublicFormat.SubjectPublicKeyInfo)):
        assert checked(GOOD, beside=said).checks == ()


@pytest.mark.parametrize("said", ["x", "a" * 1_000_000, beside(rsa_key(bits=1024).public_key()), GOOD])
def test_another_key_beside_a_request_is_refused(said: str):
    assert "public_key beside it" in refused(GOOD, beside=said)
