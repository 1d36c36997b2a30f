"""What a helper supplies for a node's TLS: a certificate, its authority, perhaps a key, judged before they are sent.

Rules:
1. What would give a node rights over others, or leave it dead, is refused in both modes: an authority as a leaf, a
   denied name, another key, a certificate outside its time, one that the node would not find in its bundle.
2. What the older program sent and a node can live with is a named check, which `strict` refuses (design §7).
3. A bundle of authorities has no order; a bundle with the node's certificate begins with it.
4. Nothing that the helper supplied is repeated, no name either: what helpers say is sealed (docs/decisions/0017).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fsm.certifying import Examined, Supplied
from fsm.errors import TokenError
from fsm.reasons import Reason
from security.certificate import UNREADABLE
from security.certpath import leads_to
from security.denying import DenyList, UnfitNameError, alternatives, texts
from security.exchange import read_key

SKEW: Final = timedelta(seconds=5)
"""By so much the clock of an authority may be ahead of ours."""
LONGEST: Final = 65_536
"""Characters of a bundle."""
MOST: Final = 20
"""Certificates of a bundle: each is tried as the issuer of each."""
STRONG: Final = 2048
"""Bits of an RSA key."""
Passed = tuple[str, Reason, str]
"""A named check, the reason that `strict` refuses with, and what is the case in words."""
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
_LABEL: Final = "CERTIFICATE"


class SuppliedVerifier:
    """fsm.certifying.Certificates with the deny list of a site."""

    def __init__(self, denied: Sequence[str], *, strict: bool = False) -> None:
        """Compile the patterns; raises re.error for one that is none, which the configuration has ruled out."""
        self._denied, self._strict = DenyList(denied), strict

    def supplied(self, offer: Supplied, now: int) -> Examined:
        """Check what the helper supplied at `now` (milliseconds); raises TokenError with a reason for each failing."""
        if offer.key and self._strict:
            what = "a key that never left the node is better: use features.pki"
            raise TokenError(Reason.HELPER_KEY_REFUSED, what)
        wanted = _fingerprint(read_key(offer.key).public_key()) if offer.key else offer.fingerprint
        passed: list[Passed] = []
        if offer.certificate.strip():
            passed += self._certificate(offer, wanted, datetime.fromtimestamp(now / 1000, UTC))
        passed += _whole(offer)
        if self._strict and passed:
            _, reason, what = passed[0]
            raise TokenError(reason, what)
        return Examined(tuple(check for check, _, _ in passed), tuple(what for _, _, what in passed))

    def _certificate(self, offer: Supplied, wanted: str, now: datetime) -> list[Passed]:
        bundle, extra = _bundle(offer.certificate, "certificate")
        leaf = bundle[0]
        try:
            key = leaf.public_key()
            _key(bundle, wanted)
            _time(leaf, now)
            _no_authority(leaf)
            names = [*texts(leaf.subject), *alternatives(leaf.extensions)]
            cased = self._denied.judge(names, Reason.CERTIFICATE_DENIED, "certificate_denied_case", _unsaid)
            passed = [(check, Reason.CERTIFICATE_DENIED, what) for check, what in cased.items()]
            passed += _named(leaf, offer.names)
            passed += _chained(bundle, offer.ca, now)
        except UnfitNameError as error:
            _refuse(f"`certificate`: {error}")
        except UNREADABLE as error:
            _refuse(f"`certificate`: it cannot be decoded: {type(error).__name__}")
        if extra:
            passed.append(
                ("certificate_extra", Reason.CERTIFICATE_INVALID, "`certificate` also holds what is no certificate")
            )
        if isinstance(key, RSAPublicKey) and key.key_size < STRONG:
            what = f"`certificate`: its RSA key has {key.key_size} bits, less than {STRONG}"
            passed.append(("certificate_key_size", Reason.CERTIFICATE_KEY, what))
        return passed


# -- the text ---------------------------------------------------------------------------------------------------------


def _bundle(text: str, name: str) -> tuple[list[x509.Certificate], bool]:
    """The certificates of a PEM text, at least one, and whether there is something else; raises TokenError."""
    if len(text) > LONGEST:
        _refuse(f"`{name}` is longer than {LONGEST} characters")
    blocks = [(found[1], found[0]) for found in _BLOCK.finditer(text)]
    others = [label for label, _ in blocks if label != _LABEL]
    if any("PRIVATE KEY" in label for label in others):
        _refuse(f"`{name}` holds a private key, and everybody on the node may read that file")
    bodies = [body for label, body in blocks if label == _LABEL]
    if not bodies:
        _refuse(f"`{name}` is not PEM with a certificate in it")
    if len(bodies) > MOST:
        _refuse(f"`{name}` holds more than {MOST} certificates")
    try:
        return [x509.load_pem_x509_certificate(body.encode()) for body in bodies], bool(others)
    except UNREADABLE:
        _refuse(f"`{name}` has a certificate that cannot be decoded")


def _whole(offer: Supplied) -> list[Passed]:
    """The node takes certificate, authority and directory together or not at all, and a key only with them."""
    parts = {"certificate": offer.certificate, "ca": offer.ca, "ssldir": offer.directory}
    missing = [name for name, value in parts.items() if not value.strip()]
    if not missing or not (offer.key or offer.fingerprint or offer.certificate.strip()):
        return []
    if offer.fingerprint and not offer.certificate.strip() and not offer.key:
        what = "the node has made a request, and the helper supplied no certificate for it"
        return [("certificate_missing", Reason.CERTIFICATE_INVALID, what)]
    what = f"the node ignores certificate, ca and key, since it is sent no {' and no '.join(missing)}"
    return [("certificate_ignored", Reason.CERTIFICATE_INVALID, what)]


# -- what is always refused -------------------------------------------------------------------------------------------


def _key(bundle: Sequence[x509.Certificate], wanted: str) -> None:
    """The first certificate is for the node's key, as far as that is known."""
    if not wanted or _fingerprint(bundle[0].public_key()) == wanted:
        return
    if any(_fingerprint(each.public_key()) == wanted for each in bundle[1:]):
        what = "the node reads the first certificate of the bundle, and the one for its key is not the first"
        raise TokenError(Reason.CERTIFICATE_ORDER, what)
    raise TokenError(Reason.CERTIFICATE_KEY, "its key is neither the one of the node's request nor the one beside it")


def _time(leaf: x509.Certificate, now: datetime) -> None:
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now >= ends:
        raise TokenError(Reason.CERTIFICATE_EXPIRED, f"it ended at {ends:%Y-%m-%dT%H:%M:%SZ}")
    if now < begins - SKEW:
        what = f"it begins at {begins:%Y-%m-%dT%H:%M:%SZ}: compare the clocks"
        raise TokenError(Reason.CERTIFICATE_NOT_YET_VALID, what)


def _no_authority(leaf: x509.Certificate) -> None:
    for extension in leaf.extensions:
        match extension.value:
            case x509.BasicConstraints(ca=True):
                raise TokenError(Reason.CERTIFICATE_AUTHORITY, "it is an authority's (CA:TRUE)")
            case x509.KeyUsage(key_cert_sign=True) | x509.KeyUsage(crl_sign=True):
                raise TokenError(Reason.CERTIFICATE_AUTHORITY, "its key may sign certificates (key usage)")


# -- what the older program sent --------------------------------------------------------------------------------------


def _named(leaf: x509.Certificate, names: Sequence[str]) -> list[Passed]:
    """For this node by its common name or an alternative name."""
    common = [str(found.value) for found in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    said = [*common, *alternatives(leaf.extensions)]
    if names[0] in said:
        return []
    if set(names) & set(said):
        what = "it is for the identity of the configuration, not for the one that the node was provisioned under"
        return [("certificate_identity", Reason.CERTIFICATE_NAME, what)]
    what = "neither its common name nor an alternative name is the node's identity"
    return [("certificate_name", Reason.CERTIFICATE_NAME, what)]


def _chained(bundle: Sequence[x509.Certificate], ca: str, now: datetime) -> list[Passed]:
    """To one of the authorities that came with it, over those of its own bundle, in any order."""
    if not ca.strip():
        return []
    roots = [each for each in _bundle(ca, "ca")[0] if _in_its_time(each, now)]
    between = [each for each in bundle[1:] if _in_its_time(each, now)]
    if leads_to(bundle[0], between, roots):
        return []
    return [("certificate_chain", Reason.CERTIFICATE_CHAIN, "no certificate in `ca` that is valid now leads to it")]


def _in_its_time(authority: x509.Certificate, now: datetime) -> bool:
    return authority.not_valid_before_utc - SKEW <= now < authority.not_valid_after_utc


# -- small pieces -----------------------------------------------------------------------------------------------------


def _fingerprint(key: CertificatePublicKeyTypes) -> str:
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(info).hexdigest()


def _unsaid(name: str) -> str:
    del name
    return "a name in it"


def _refuse(what: str) -> NoReturn:
    raise TokenError(Reason.CERTIFICATE_INVALID, what)
