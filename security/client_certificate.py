"""The certificate that usher shows at an x509 network, with its key and the authority (wire/protocol.md §2.2, §4.2).

Rules:
1. Certificate and key are read together: one that does not belong to the other is never used.
2. A value that was read once; who wants renewed files asks for `reload`, and what is in use stays as it is.
3. `text` is the certificate's file verbatim: requests show it, so nothing secret may stand in it.
4. What a broker may ask for and need not, the chain and the purpose, refuses only with `strict` (design §7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from security.certificate import CertificateFacts, asking_names, facts_of
from security.certpath import leads_to
from security.expiry import certificate_expiring
from security.holder import moment, raise_fatal
from security.obeying import for_clients
from security.pem import read_certificates, read_rsa_key
from security.problems import CredentialError, Problem

_NEW: Final = "have the authority make a new one, and put it in place together with its key: docs/rotation.md"
_MAKE: Final = "have the authority make a certificate for the public half of that key"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the three are, and by which settings, in the same order."""

    certificate: Path
    key: Path
    ca: Path
    settings: tuple[str, str, str]

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """Certificate, key, authority."""
        return self.certificate, self.key, self.ca

    @property
    def places(self) -> tuple[str, str, str]:
        """The three as messages name them."""
        one, two, three = zip(self.settings, self.files, strict=True)
        return _place(*one), _place(*two), _place(*three)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the files held: texts, the certificates with the own one first, the key, the authorities."""

    text: str
    chain: tuple[x509.Certificate, ...]
    key: RSAPrivateKey = field(repr=False)
    ca_text: str
    authorities: tuple[x509.Certificate, ...]


class ClientCertificate:
    """A certificate with its key and the authority that both sides of the TLS connection are verified with."""

    __slots__ = ("_held", "_strict", "paths", "warnings")

    def __init__(self, paths: Paths, *, strict: bool = False) -> None:
        """Read the files; raises CredentialError for the first thing that makes them useless, times excepted."""
        self.paths, self._strict = paths, strict
        read, problems = _read(paths, strict=strict)
        raise_fatal(problems)
        if read is None:  # pragma: no cover - what is missing has a fatal problem
            raise AssertionError
        self._held: _Read = read
        self.warnings: tuple[Problem, ...] = problems
        """What does not stop a start."""

    @property
    def text(self) -> str:
        """The certificate's file, verbatim: the credential of every request."""
        return self._held.text

    def sign(self, message: bytes) -> bytes:
        """The signature over a request's bytes: RSA, PKCS#1 v1.5, SHA-256 (§2.2)."""
        return self._held.key.sign(message, PKCS1v15(), hashes.SHA256())

    @property
    def facts(self) -> CertificateFacts:
        """What the certificate says, for a person."""
        return facts_of(self._held.chain[0])

    @property
    def names(self) -> tuple[str, ...]:
        """Whom it names, as servers look for who asks (§2.8): its common names, then its DNS names."""
        return asking_names(self._held.chain[0])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate: 64 hexadecimal characters."""
        return self._held.chain[0].fingerprint(hashes.SHA256()).hex()

    @property
    def authority_print(self) -> str:
        """SHA-256 of the authority's file."""
        return sha256(self._held.ca_text.encode()).hexdigest()

    @property
    def authority_end(self) -> float:
        """When the last authority of its file ends, in Unix seconds."""
        return max(each.not_valid_after_utc.timestamp() for each in self._held.authorities)

    def same(self, other: ClientCertificate) -> bool:
        """Whether another reading found the same."""
        ours, theirs = self._held, other._held
        if (ours.text, ours.ca_text) != (theirs.text, theirs.ca_text):
            return False
        return ours.key.public_key() == theirs.key.public_key()

    def problems(self, now: int) -> tuple[Problem, ...]:
        """What is wrong with it at `now` (milliseconds): what the files warn about, and the times."""
        return self.warnings + tuple(_time_problems(self._held.chain[0], self.paths.places[0], now))

    def reload(self) -> ClientCertificate:
        """The same files, read anew; raises CredentialError, and this one stays as it is."""
        return ClientCertificate(self.paths, strict=self._strict)


def inspect_certificate(paths: Paths, now: int, *, strict: bool = False) -> tuple[Problem, ...]:
    """Everything that is wrong with the files at `now` (milliseconds), and whether the certificate ends soon."""
    read, problems = _read(paths, strict=strict)
    if read is None:
        return problems
    times = tuple(_time_problems(read.chain[0], paths.places[0], now))
    return (*problems, *(times or certificate_expiring(facts_of(read.chain[0]), paths.places[0], now)))


def _read(paths: Paths, *, strict: bool) -> tuple[_Read | None, tuple[Problem, ...]]:
    found: list[Problem] = []
    shown = trusted = None
    key: RSAPrivateKey | None = None
    try:
        shown = read_certificates(paths.certificate, paths.settings[0], shown=True)
    except CredentialError as error:
        found.append(error.problem)
    try:
        key, warnings = read_rsa_key(paths.key, paths.settings[1], strict=strict)
        found += warnings
    except CredentialError as error:
        found.append(error.problem)
    try:
        trusted = read_certificates(paths.ca, paths.settings[2])
    except CredentialError as error:
        found.append(error.problem)
    if shown is None or key is None or trusted is None:
        return None, tuple(found)
    read = _Read(*shown, key, *trusted)
    return read, (*found, *_fit_problems(read, paths), *_use_problems(read, paths, strict=strict))


def _fit_problems(read: _Read, paths: Paths) -> Iterator[Problem]:
    """Whether the key is that of the first certificate."""
    public, place = read.key.public_key(), paths.places[0]
    keys = [each.public_key() for each in read.chain]
    if keys[0] == public:
        return
    if public in keys:
        what = f"the key of {paths.places[1]} belongs to number {keys.index(public) + 1} of its certificates"
        yield Problem("certificate_order", place, what, "put that one first, and those that issued it after it")
    elif not isinstance(keys[0], RSAPublicKey):
        what = f"it is for a key that is not RSA ({type(keys[0]).__name__.removesuffix('PublicKey').lstrip('_')})"
        yield Problem("certificate_key_type", place, what, _MAKE)
    else:
        what = f"the key of {paths.places[1]} does not belong to it"
        yield Problem("key_mismatch", place, what, f"use the key that it was made for, or {_MAKE}")


def _use_problems(read: _Read, paths: Paths, *, strict: bool) -> Iterator[Problem]:
    """What a broker that asks for a certificate refuses: the purpose, and the chain."""
    leaf, place = read.chain[0], paths.places[0]
    if not for_clients(leaf):
        what = "it is not for clients (its extended key usage has no clientAuth): brokers refuse it"
        yield Problem("certificate_purpose", place, what, "have one made with clientAuth", fatal=strict)
    if not leads_to(leaf, read.chain[1:], read.authorities):
        what = f"it does not lead to an authority of {paths.places[2]}: a broker with the same authority refuses it"
        step = "put the certificates in between after it in its file, or name the authority that made it"
        yield Problem("certificate_chain", place, what, step, fatal=strict)


def _time_problems(leaf: x509.Certificate, place: str, now: int) -> Iterator[Problem]:
    begin, end = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    if now / 1000 < begin:
        what = f"it is not valid before {moment(begin)}"
        yield Problem("certificate_not_yet_valid", place, what, "compare this machine's clock with the authority's")
    elif now / 1000 > end:
        yield Problem("certificate_expired", place, f"it expired at {moment(end)}", _NEW)


def _place(setting: str, path: Path) -> str:
    return f"{setting} ({path})"
