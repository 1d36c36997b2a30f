"""PEM files: which blocks there are, of what kind, and the RSA key or the certificates in them.

Rules:
1. A file is judged by its labels before anything of it is decoded; what is said of it never shows its content.
2. Keys are RSA, in PKCS#1 or PKCS#8, one a file and not encrypted (wire/protocol.md §2.2).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from security.certificate import UNREADABLE
from security.problems import Problem, refuse
from security.textfiles import mode_problems, read_text

CERTIFICATE: Final = "CERTIFICATE"
_PRIVATE: Final = "PRIVATE KEY"
_BEGIN: Final = re.compile(r"^-----BEGIN ([^\n]{1,60}?)-----[ \t\r]*$", re.MULTILINE)
_RENEW: Final = "write it anew, as PEM: openssl x509 -in FILE"
_AGAIN: Final = "write it anew, as PEM: openssl pkey -in FILE"


def read_rsa_key(path: Path, setting: str, *, strict: bool = False) -> tuple[RSAPrivateKey, tuple[Problem, ...]]:
    """The RSA key of a file, and what is wrong with the file's mode; raises CredentialError."""
    place = f"{setting} ({path})"
    key = load_rsa_key(
        read_text(path, place), place, "have a certificate made for an RSA key: protocol v1 has no other"
    )
    return key, mode_problems(path, place, strict=strict)


def load_rsa_key(text: str, place: str, instead: str) -> RSAPrivateKey:
    """The RSA key in the text of a file; `instead` is the next step for a key of another kind.

    Raises CredentialError.
    """
    labels = _BEGIN.findall(text)
    private = [label for label in labels if label.endswith(_PRIVATE)]
    if not private:
        refuse("key_format", place, f"it holds no private key in PEM{_instead(labels)}", _AGAIN)
    if len(private) > 1:
        refuse("key_format", place, f"it holds {len(private)} private keys", "leave the one that is meant in it alone")
    try:
        key = load_pem_private_key(text[text.index(f"-----BEGIN {private[0]}") :].encode(), password=None)
    except TypeError:
        step = "store it without a passphrase, mode 0600: openssl pkey -in FILE -out FILE.new"
        refuse("key_encrypted", place, "it is encrypted with a passphrase, and nobody is there to type it", step)
    except (ValueError, UnsupportedAlgorithm):
        refuse("key_format", place, "its private key cannot be decoded", _AGAIN)
    if not isinstance(key, RSAPrivateKey):
        what = f"its key is not RSA ({type(key).__name__.removesuffix('PrivateKey').lstrip('_')})"
        refuse("key_type", place, what, instead)
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
        refuse("certificate_with_key", place, what, "leave only the certificates in it, and take that key for known")
    if CERTIFICATE not in labels:
        refuse("certificate_format", place, f"it holds no certificate in PEM{_instead(labels)}", _RENEW)
    if shown and labels[0] != CERTIFICATE:
        what = f"it begins with {labels[0][:40]}, and nodes read the first block"
        refuse("certificate_format", place, what, "leave only the certificates in it, its own one first")
    try:
        found = tuple(x509.load_pem_x509_certificates(text.encode()))
        for each in found:
            _ = each.extensions, each.public_key()  # the library looks at them when they are asked for
    except UNREADABLE:
        refuse("certificate_format", place, "a certificate in it cannot be decoded", _RENEW)
    return text, found


def _instead(labels: list[str]) -> str:
    return f", but {', '.join(label[:40] for label in labels[:3])}" if labels else ""
