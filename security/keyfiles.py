"""Key and token files as sites have them: what is read, what is refused, what is warned about.

Rules:
1. A seed file is exactly 64 hexadecimal characters; a newline at its end is an error that says so (§1.1).
2. A secret that everybody may read is a warning, and with `strict` it is refused.
3. Every refusal is a CredentialError that names the setting, the file and the next step; it never shows the content.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from security.keys import Ed25519Key, RsaKey, RsaSigningKey, SigningKey, TokenKey, VerifyKey
from security.pem import load_rsa_key
from security.problems import Problem, refuse
from security.textfiles import mode_problems, read_text

_STRONG: Final = 2048
_PEM: Final = "-----BEGIN"
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE"
_PUBLIC: Final = "-----BEGIN PUBLIC KEY"


def read_seed(path: Path, setting: str, *, strict: bool = False) -> tuple[SigningKey, tuple[Problem, ...]]:
    """The ed25519 pair of a seed file, and what is wrong with the file's mode; `setting` is what names the file.

    With `strict` that is a fatal problem: the caller decides when to stop, so that the others are found too. Raises
    CredentialError where there is no key.
    """
    place = f"{setting} ({path})"
    text = read_text(path, place)
    if text.startswith(_PEM):
        what = "it is a key in PEM, and what has a token of its own needs an ed25519 seed"
        refuse("rsa_signing_key", place, what, "name an ed25519 seed, as `choria jwt keys` makes it")
    return _seed(path, place, text), mode_problems(path, place, strict=strict)


def read_signing_key(path: Path, setting: str, *, strict: bool = False) -> tuple[TokenKey, tuple[Problem, ...]]:
    """The key of a file that signs without a token of its own: a seed, or an RSA key in PEM (§1.1).

    Raises CredentialError as `read_seed` does.
    """
    place = f"{setting} ({path})"
    text = read_text(path, place)
    key = _rsa_pair(text, place) if text.startswith(_PEM) else _seed(path, place, text)
    return key, mode_problems(path, place, strict=strict)


def _seed(path: Path, place: str, text: str) -> SigningKey:
    try:
        return SigningKey.from_hex(text)
    except ValueError as error:
        refuse("seed_format", place, str(error), f"write it again without anything else: printf %s SEED > {path}")


def _rsa_pair(text: str, place: str) -> RsaSigningKey:
    key = load_rsa_key(text, place, "give an ed25519 key as its seed, 64 hexadecimal characters")
    if key.key_size < _STRONG:
        what = f"its RSA key has {key.key_size} bits, at least {_STRONG} are taken"
        refuse("rsa_signing_key", place, what, "make a larger one, and name it at the broker (server_signer_cert)")
    return RsaSigningKey(key)


def read_token(path: Path, setting: str) -> str:
    """The text of a token file without the white space around it; not verified. Raises CredentialError."""
    place = f"{setting} ({path})"
    text = read_text(path, place).strip()
    if not text:
        refuse("token_empty", place, "it is empty", "put the token there, as `choria jwt` wrote it")
    return text


def verify_key(value: str, setting: str = "jwt_verify_cert") -> VerifyKey:
    """The key that a setting names: an existing path is a file (RSA PEM or hexadecimal ed25519), else hexadecimal.

    As the older program reads `jwt_verify_cert` (wire/provisioning.md §1.1, §3.2). Raises CredentialError.
    """
    path = Path(value)
    if not value:
        refuse("verify_key_missing", setting, "it is empty", "name the issuer's public key")
    if not _exists(path):
        next_step = "give 64 hexadecimal characters or an existing file"
        return _hex_key(value, f"{setting} ({value[:80]})", f"it is no existing file; {next_step}")
    place = f"{setting} ({path})"
    text = read_text(path, place)
    if text.startswith((_CERTIFICATE, _PUBLIC)):
        return _rsa_key(text, place)
    if text.startswith(_PEM):
        what = f"it is PEM of a kind that is not supported: {text.splitlines()[0][:60]}"
        refuse("verify_key_format", place, what, "use PEM with CERTIFICATE or PUBLIC KEY (RSA), or hexadecimal ed25519")
    return _hex_key(text, place, f"write it again without anything else: printf %s KEY > {path}")


def verify_keys(values: Sequence[str], setting: str = "jwt_verify_cert") -> tuple[VerifyKey, ...]:
    """The keys that a setting names, in order. Raises CredentialError for the first that is none."""
    return tuple(verify_key(value, setting) for value in values)


def _hex_key(text: str, place: str, next_step: str) -> Ed25519Key:
    try:
        return Ed25519Key.from_hex(text)
    except ValueError as error:
        return refuse("verify_key_format", place, str(error), next_step)


def _rsa_key(text: str, place: str) -> RsaKey:
    try:
        data = text.encode()
        certificate = text.startswith(_CERTIFICATE)
        key = x509.load_pem_x509_certificate(data).public_key() if certificate else load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        refuse("verify_key_format", place, "its PEM cannot be decoded", "copy the file again from where it was made")
    if not isinstance(key, RSAPublicKey):
        what = f"its key is not RSA ({type(key).__name__}); PEM is for RSA keys only"
        refuse("verify_key_format", place, what, "give an ed25519 key as 64 hexadecimal characters")
    return RsaKey(key)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
