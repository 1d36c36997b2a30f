"""Fingerprints: what stands for a key where its content must not.

Rules:
1. A fingerprint is the beginning of a public key, or of a file's digest; never of a secret.
2. What cannot be read has one too: whoever reads it for its key says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

FINGERPRINT: Final = 16
"""Characters of a public key or a digest that stand for it."""


def key_prints(values: Iterable[str]) -> list[str]:
    """Those of the keys that `jwt_verify_cert` names, each a key or the path of a file."""
    return [_digest(value) if is_file(value) else value[:FINGERPRINT] for value in values]


def told_keys(prints: Sequence[str]) -> str:
    """Keys in words, in the order in which they are tried."""
    return f"the key {prints[0]}" if len(prints) == 1 else f"the keys {' and '.join(prints)}, in this order,"


def is_file(value: str) -> bool:
    """Whether a value is the path of a file, and no key itself."""
    try:
        return Path(value).is_file()
    except (OSError, ValueError):
        return False


def _digest(value: str) -> str:
    try:
        return sha256(Path(value).read_bytes()).hexdigest()[:FINGERPRINT]
    except OSError:
        return value[:FINGERPRINT]
