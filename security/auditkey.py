"""The audit key: an ed25519 pair that signs checkpoints, floors and bundles; auditors keep its public half.

Rules:
1. The file holds a seed a line, 64 hexadecimal characters: the first signs, a second is that of the key before it.
2. A file that anybody but its owner may read or write is refused: whoever has the seed can sign another history.
3. Every refusal is a CredentialError that names the file and the next step; it never shows the content.
"""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from security.keys import SIZE, SigningKey, exact_hex
from security.problems import refuse
from security.textfiles import read_lines, write_secret

_MOST: Final = 2
_HEAD: Final = "# The seed of usher's audit key, in hexadecimal: who has it can sign another history.\n"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAKE: Final = "openssl rand -hex 32"


def read_audit_keys(path: Path, setting: str) -> tuple[SigningKey, ...]:
    """The key that signs, and after it the one that it takes over from, if there is one; raises CredentialError."""
    place = f"{setting} ({path})"
    lines = read_lines(path, place, "audit_key", "put it back; another key breaks what auditors hold")
    _check_mode(path, place)
    keys = tuple(_key(line, number, place) for number, line in lines)
    if not keys:
        refuse("audit_key_empty", place, "it holds no seed", f"write one: {_MAKE} > {path}")
    if len(keys) > _MOST:
        refuse("audit_key_many", place, f"it holds more than {_MOST} seeds", "keep the new one and the one before it")
    return keys


def write_audit_keys(path: Path, keys: tuple[SigningKey, ...]) -> None:
    """Put these keys in place of what is there, readable by this user alone; raises OSError."""
    write_secret(path, (_HEAD + "".join(f"{key.seed_hex}\n" for key in keys)).encode())


def read_public(value: str, setting: str) -> str:
    """The public key (64 hex characters) of a PEM file, a file with it in hexadecimal, or hexadecimal itself."""
    place, text = f"{setting} ({value[:80]})", value.strip()
    path = Path(value)
    if len(text) != 2 * SIZE or path.exists():
        text = _text(path, place)
    if text.startswith("-----BEGIN"):
        return _pem_key(text, place)
    try:
        return exact_hex(text.lower(), "an ed25519 public key").hex()
    except ValueError as error:
        return refuse("audit_public_key", place, str(error), "name the file or the line that usher audit key printed")


def pem(public: str) -> str:
    """A public key (64 hex characters) as PEM, which openssl reads."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(public: str) -> str:
    """The hex SHA-256 of a public key's DER: `openssl pkey -pubin -in KEY.pem -outform DER | sha256sum`."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _check_mode(path: Path, place: str) -> None:
    mode = path.stat().st_mode
    if mode & _OTHERS:
        what = f"others than its owner may use it (mode {stat.S_IMODE(mode):04o}), and it signs what auditors trust"
        refuse("audit_key_mode", place, what, f"chmod 0600 {path}")


def _key(line: str, number: int, place: str) -> SigningKey:
    try:
        return SigningKey.from_hex(line)
    except ValueError:
        kind = "a key in PEM" if line.startswith("-----BEGIN") else f"not {2 * SIZE} hexadecimal characters"
        return refuse("audit_key_format", place, f"line {number} is {kind}", f"it holds a seed: {_MAKE}")


def _text(path: Path, place: str) -> str:
    try:
        return path.read_bytes()[: 1 << 16].decode("ascii").strip()
    except FileNotFoundError:
        step = "give 64 hexadecimal characters, or the file that usher audit key --pem wrote"
        return refuse("audit_public_key", place, "it is no existing file", step)
    except (OSError, ValueError):
        step = "name the file or the line that usher audit key printed"
        return refuse("audit_public_key", place, "it cannot be read as text", step)


def _pem_key(text: str, place: str) -> str:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        step = "name a file of PUBLIC KEY, as usher audit key --pem prints it"
        return refuse("audit_public_key", place, "its PEM holds no public key", step)
    if not isinstance(key, Ed25519PublicKey):
        what = f"its key is not ed25519 ({type(key).__name__.lstrip('_')})"
        return refuse("audit_public_key", place, what, "name the key that usher audit key --pem prints")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
