"""The private key transport: X25519 halves, and a key that only the other half's owner can read.

Rules (wire/provisioning.md §2.3):
1. Halves are 32 raw bytes, 64 hexadecimal characters on the wire; the secret that both have is used as it is.
2. What a node calls its half is judged before anything is computed with it; an all-zero secret is refused.
3. A key is written anew as PKCS#1 before it is wrapped: the node puts the label of that over whatever it unwraps.
4. Of a pair only the public half leaves this module, and the secret that it makes with the other.
"""

from __future__ import annotations

import os
from typing import Final, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base

from fsm.certifying import Exchanged
from fsm.errors import TokenError
from fsm.reasons import Reason
from security.keys import exact_hex

SIZE: Final = 32
"""Bytes of an X25519 secret and of its public key."""
LONGEST: Final = 16_384
"""Characters of a private key: one of 8192 bits has half of it."""
SMALLEST, LARGEST = 1024, 8192
"""Bits of an RSA key that a Choria server can use at all, and that it can use in time."""


def public_of(secret: bytes) -> bytes:
    """The X25519 public key of a 32-byte secret; raises ValueError."""
    if len(secret) != SIZE:
        raise ValueError(f"an X25519 secret has {SIZE} bytes, this has {len(secret)}")
    return crypto_scalarmult_base(secret)


def shared(secret: bytes, theirs: str) -> bytes:
    """The 32 bytes that a secret shares with the owner of a half (64 hex); raises TokenError(EXCHANGE_INVALID)."""
    if not theirs:
        raise TokenError(Reason.EXCHANGE_INVALID, "the node sent no ecdh_public")
    try:
        half = exact_hex(theirs, "an X25519 public key")
    except ValueError as error:
        raise TokenError(Reason.EXCHANGE_INVALID, f"ecdh_public: {error}") from None
    try:
        made = crypto_scalarmult(secret, half)
    except RuntimeError:  # what libsodium says of a half of small order
        made = bytes(SIZE)
    if not any(made):
        raise TokenError(Reason.EXCHANGE_INVALID, "ecdh_public: the secret that it makes is all zero, whoever draws it")
    return made


def read_key(text: str) -> RSAPrivateKey:
    """A helper's private key; raises TokenError(HELPER_KEY_INVALID), which never repeats anything of it."""
    if len(text) > LONGEST:
        _refuse(f"it is longer than {LONGEST} characters")
    try:
        key = load_pem_private_key(text.encode(), None)
    except TypeError:
        _refuse("it is encrypted: supply it in plain PEM, usher encrypts it for the node")
    except (ValueError, UnsupportedAlgorithm):
        _refuse("it is no private key in PEM")
    if not isinstance(key, RSAPrivateKey):
        _refuse("it is not an RSA key, and a Choria server takes no other from a provisioner")
    if not SMALLEST <= key.key_size <= LARGEST:
        _refuse(f"it has {key.key_size} bits, {SMALLEST} to {LARGEST} are taken")
    return key


class KeyTransport:
    """fsm.certifying.Transport."""

    def exchange(self, theirs: str) -> Exchanged:
        """Draw our half against the node's; raises TokenError(EXCHANGE_INVALID)."""
        drawn = os.urandom(SIZE)
        return Exchanged(public_of(drawn).hex(), shared(drawn, theirs))

    def wrap(self, key: str, secret: bytes) -> str:
        """The key as RFC 1423 PEM (AES-256-CBC) under the secret; raises TokenError(HELPER_KEY_INVALID)."""
        encrypted = BestAvailableEncryption(secret)
        return read_key(key).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encrypted).decode()


def _refuse(what: str) -> NoReturn:
    raise TokenError(Reason.HELPER_KEY_INVALID, f"`key`: {what}")
