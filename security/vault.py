"""The vault's seal: bytes that only whoever holds the key can read, bound to the one place that they belong to.

Rules:
1. XChaCha20-Poly1305 with a fresh nonce each time; the place is authenticated, so an entry that was moved is no entry.
2. A sealed entry names its key, so that several keys can be in use while they are changed.
3. What cannot be opened is None, never an error: a key that was lost costs the nodes under way a new start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_ABYTES,
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError

KEY_BYTES: Final = crypto_aead_xchacha20poly1305_ietf_KEYBYTES
_NONCE: Final = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_VERSION: Final = b"\x01"
_ID: Final = 8
_HEADER: Final = len(_VERSION) + _ID
_TAG: Final = crypto_aead_xchacha20poly1305_ietf_ABYTES


@dataclass(frozen=True, slots=True, repr=False)
class VaultKey:
    """32 bytes that seal and open; `id` is 16 hex characters that name it and say nothing of it."""

    raw: bytes
    id: str

    @classmethod
    def of(cls, raw: bytes) -> VaultKey:
        """The key of 32 bytes; raises ValueError for another length."""
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a key of the vault has {KEY_BYTES} bytes, this has {len(raw)}")
        return cls(raw, sha256(b"usher vault key " + raw).hexdigest()[: 2 * _ID])

    @classmethod
    def fresh(cls) -> VaultKey:
        """A new key, from the operating system's randomness."""
        return cls.of(os.urandom(KEY_BYTES))

    @property
    def header(self) -> bytes:
        """What every entry that this key sealed begins with."""
        return _VERSION + bytes.fromhex(self.id)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of a vault: the first one seals, each of them opens."""

    keys: tuple[VaultKey, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(key.id for key in self.keys)


class SealedVault:
    """fsm.ports.Vault with keys from a ring."""

    def __init__(self, ring: KeyRing) -> None:
        """Seal with the first key of the ring."""
        self.use(ring)

    def use(self, ring: KeyRing) -> None:
        """Seal with the first key of this ring from now on, open with all of them."""
        self.ring = ring
        self._first, self._header = ring.keys[0].raw, ring.keys[0].header
        self._by_header = {key.header: key.raw for key in ring.keys}

    def seal(self, place: str, data: bytes) -> bytes:
        """The bytes, sealed for that place: 49 bytes longer."""
        nonce, header = os.urandom(_NONCE), self._header
        sealed: bytes = crypto_aead_xchacha20poly1305_ietf_encrypt(data, header + place.encode(), nonce, self._first)
        return header + nonce + sealed

    def open(self, place: str, sealed: bytes) -> bytes | None:
        """The bytes that were sealed for that place; None if no key of the ring opens them there."""
        header, nonce = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE]
        key = self._by_header.get(header)
        if key is None or len(sealed) < _HEADER + _NONCE + _TAG:
            return None
        try:
            opened: bytes = crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed[_HEADER + _NONCE :], header + place.encode(), nonce, key
            )
        except CryptoError:
            return None
        return opened


def sealed_by(sealed: bytes) -> str:
    """The id of the key that sealed an entry; empty for bytes that are no entry."""
    return sealed[1:_HEADER].hex() if sealed[:1] == _VERSION and len(sealed) >= _HEADER + _NONCE + _TAG else ""
