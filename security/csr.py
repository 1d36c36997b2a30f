"""Certificate requests: what a node may ask to have certified, before the site's helper hands it to an authority.

Rules:
1. What would give a node another's name or another's rights is refused in both modes; what the older program let pass
   and harms nobody by itself is a named check, which `strict` refuses (design §7).
2. A pattern of `cert_deny_list` is searched in every name, of every kind (security.denying).
3. The key is judged before anything is computed with it; whatever the text is, the answer is TokenError or a value.
4. Nothing here knows a private key, and nothing that a node wrote is repeated at length.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from fsm.errors import TokenError
from fsm.ports import CheckedRequest
from fsm.reasons import Reason
from security.certificate import UNREADABLE
from security.denying import DenyList, UnfitNameError, alternatives, shown, texts

LONGEST: Final = 16_384
"""Characters of a request: one with an RSA key of 8192 bits has a fifth of it."""
SMALLEST, LARGEST = 2048, 8192
"""Bits of an RSA key. A larger one costs whoever checks its signatures more than it protects."""
_EXPONENT: Final = 1 << 32
_CURVES: Final = (SECP256R1, SECP384R1, SECP521R1)
_PEM: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]+)-----END \1-----")
_LABEL: Final = "CERTIFICATE REQUEST"
_PUPPET: Final = "1.3.6.1.4.1.34380.1.3."
"""Puppet's authorization extensions: with them a certificate has rights at a Puppet authority."""
_KNOWN: Final = frozenset(
    {ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}
    | {ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.SUBJECT_KEY_IDENTIFIER}
)
_PURPOSES: Final = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH})


class RequestVerifier:
    """fsm.ports.Requests with the deny list of a site."""

    def __init__(self, denied: Sequence[str], *, strict: bool = False) -> None:
        """Compile the patterns; raises re.error for one that is none, which the configuration has ruled out."""
        self._denied, self._strict = DenyList(denied), strict

    def certificate_request(self, text: str, public_key: str, identity: str) -> CheckedRequest:
        """The request's digest and its key's fingerprint; raises TokenError(CSR_INVALID | CSR_DENIED)."""
        der = _decoded(text)
        try:
            request = x509.load_der_x509_csr(der)
            info = _key(request)
            if not request.is_signature_valid:
                _refuse("it is not signed with the key that it holds")
            subject, names = list(texts(request.subject)), list(alternatives(request.extensions))
            passed = dict(_extensions(request))
        except UnfitNameError as error:
            _refuse(str(error))
        except UNREADABLE as error:
            _refuse(f"it cannot be decoded: {error}")
        _common_name(request, identity)
        _same_key(public_key, info, request)
        passed |= self._denied.judge([*subject, *names], Reason.CSR_DENIED, "csr_denied_case")
        passed |= _foreign(names, identity)
        if self._strict and passed:
            _refuse("; ".join(passed.values()))
        return CheckedRequest(sha256(der).hexdigest(), sha256(info).hexdigest(), tuple(passed), tuple(passed.values()))


# -- the text, and the key --------------------------------------------------------------------------------------------


def _decoded(text: str) -> bytes:
    if not text.strip():
        _refuse("there is none")
    if len(text) > LONGEST:
        _refuse(f"it is longer than {LONGEST} characters")
    found = _PEM.fullmatch(text.strip())
    if found is None:
        _refuse("it is not one block of PEM")
    if found[1] != _LABEL:
        _refuse(f"it is PEM of another kind: {found[1]}")
    return _body(found[2])


def _body(lines: str) -> bytes:
    try:
        return base64.b64decode("".join(lines.split()), validate=True)
    except binascii.Error:
        _refuse("the base64 of its PEM is broken")


def _key(request: x509.CertificateSigningRequest) -> bytes:
    """The SubjectPublicKeyInfo of a key that is good enough."""
    key = request.public_key()
    if isinstance(key, RSAPublicKey):
        if not SMALLEST <= key.key_size <= LARGEST:
            _refuse(f"its RSA key has {key.key_size} bits, {SMALLEST} to {LARGEST} are taken")
        if key.public_numbers().e > _EXPONENT:
            _refuse("the exponent of its RSA key is too large")
    elif isinstance(key, EllipticCurvePublicKey):
        if not isinstance(key.curve, _CURVES):
            _refuse(f"its key is on the curve {key.curve.name}, P-256, P-384 and P-521 are taken")
    elif not isinstance(key, Ed25519PublicKey):
        _refuse(f"its key is of a kind that is not taken: {type(key).__name__}")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _same_key(said: str, info: bytes, request: x509.CertificateSigningRequest) -> None:
    """The key that stands beside a request is the request's: a node labels PKCS#1 as if it were the other form."""
    if not said.strip():
        return
    found = _PEM.fullmatch(said.strip()) if len(said) <= LONGEST else None
    key = request.public_key()
    forms = {info} | ({key.public_bytes(Encoding.DER, PublicFormat.PKCS1)} if isinstance(key, RSAPublicKey) else set())
    if found is None or _body(found[2]) not in forms:
        _refuse("the public_key beside it is not the key that it holds")


# -- names ----------------------------------------------------------------------------------------------------------


def _common_name(request: x509.CertificateSigningRequest, identity: str) -> None:
    names = [attribute.value for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1:
        _refuse(f"it has {len(names)} common names")
    if names[0] != identity:
        _refuse(f"its common name {shown(str(names[0]))} is not the node's identity")


def _foreign(names: Iterable[str], identity: str) -> dict[str, str]:
    for name in names:
        if "*" in name:
            _refuse(f"its alternative name {shown(name)} stands for many")
        if not name.isprintable() or not name.strip() == name != "":
            _refuse(f"its alternative name {shown(name)} is not a name")
    others = [name for name in names if name != identity]
    return {"csr_foreign_name": f"it has the name {shown(others[0])} besides its own"} if others else {}


# -- extensions -----------------------------------------------------------------------------------------------------


def _extensions(request: x509.CertificateSigningRequest) -> Iterator[tuple[str, str]]:
    """The named checks that an extension falls under; refuses one that asks for rights."""
    for extension in request.extensions:
        oid, value = extension.oid, extension.value
        if oid.dotted_string.startswith(_PUPPET):
            _refuse(f"it asks for rights at a Puppet authority ({oid.dotted_string})")
        match value:
            case x509.BasicConstraints(ca=True):
                _refuse("it asks to be an authority")
            case x509.KeyUsage() if value.key_cert_sign or value.crl_sign:
                _refuse("it asks to sign certificates")
            case x509.ExtendedKeyUsage() if not set(value) <= _PURPOSES:
                _refuse("it asks for other purposes than those of a server and its connection")
        if oid not in _KNOWN:
            yield "csr_extension", f"it has the extension {oid.dotted_string}, of which nothing is known here"


def _refuse(what: str) -> NoReturn:
    raise TokenError(Reason.CSR_INVALID, what)
