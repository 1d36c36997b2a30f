"""PEM files: which blocks there are, of what kind, and the RSA key or the certificates in them.

Rules:
1. A file is judged by its labels before anything of it is decoded; what is said of it never shows its content.
2. Keys are RSA, in PKCS#1 or PKCS#8, one a file and not encrypted (wire/protocol.md §2.2).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from security.certificate import UNREADABLE
from security.keyfiles import mode_problems, read_text
from security.problems import CredentialError, Problem

CERTIFICATE: Final = "CERTIFICATE"
_PRIVATE: Final = "PRIVATE KEY"
_BEGIN: Final = re.compile(r"^-----BEGIN ([^\n]{1,60}?)-----[ \t\r]*$", re.MULTILINE)
_RENEW: Final = "write it anew, as PEM: openssl x509 -in FILE"
_AGAIN: Final = "write it anew, as PEM: openssl pkey -in FILE"


def read_rsa_key(path: Path, setting: str, *, strict: bool = False) -> tuple[RSAPrivateKey, tuple[Problem, ...]]:
    """The RSA key of a file, and what is wrong with the file's mode; raises CredentialError."""
    place = f"{setting} ({path})"
    text = read_text(path, place)
    labels = _BEGIN.findall(text)
    private = [label for label in labels if label.endswith(_PRIVATE)]
    if not private:
        _refuse("key_format", place, f"it holds no private key in PEM{_instead(labels)}", _AGAIN)
    if len(private) > 1:
        _refuse("key_format", place, f"it holds {len(private)} private keys", "leave the certificate's key in it alone")
    return _loaded(text[text.index(f"-----BEGIN {private[0]}") :], place), mode_problems(path, place, strict=strict)


def _loaded(text: str, place: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except TypeError:
        step = "store it without a passphrase, mode 0600: openssl pkey -in FILE -out FILE.new"
        _refuse("key_encrypted", place, "it is encrypted with a passphrase, and nobody is there to type it", step)
    except (ValueError, UnsupportedAlgorithm):
        _refuse("key_format", place, "its private key cannot be decoded", _AGAIN)
    if not isinstance(key, RSAPrivateKey):
        what = f"its key is not RSA ({type(key).__name__.removesuffix('PrivateKey').lstrip('_')})"
        _refuse("key_type", place, what, "have a certificate made for an RSA key: protocol v1 knows no other")
    return key


def read_certificates(path: Path, setting: str, *, shown: bool = False) -> tuple[str, tuple[x509.Certificate, ...]]:
    """The text of a file of certificates, and those in it, in order; raises CredentialError.

    `shown` says that the text is shown to others as it is, so that nothing else may stand in it.
    """
    place = f"{setting} ({path})"
    text = read_text(path, place)
    labels = _BEGIN.findall(text)
    if shown and any(label.endswith(_PRIVATE) for label in labels):
        what = "it holds a private key, and every request shows this file as it is"
        _refuse("certificate_with_key", place, what, "leave only the certificates in it, and take that key for known")
    if CERTIFICATE not in labels:
        _refuse("certificate_format", place, f"it holds no certificate in PEM{_instead(labels)}", _RENEW)
    if shown and labels[0] != CERTIFICATE:
        what = f"it begins with {labels[0][:40]}, and nodes read the first block"
        _refuse("certificate_format", place, what, "leave only the certificates in it, its own one first")
    try:
        found = tuple(x509.load_pem_x509_certificates(text.encode()))
        for each in found:
            _ = each.extensions, each.public_key()  # the library looks at them when they are asked for
    except UNREADABLE:
        _refuse("certificate_format", place, "a certificate in it cannot be decoded", _RENEW)
    return text, found


def _instead(labels: list[str]) -> str:
    return f", but {', '.join(label[:40] for label in labels[:3])}" if labels else ""


def _refuse(check: str, place: str, what: str, next_step: str) -> NoReturn:
    raise CredentialError(Problem(check, place, what, next_step))
