"""The X25519 half of the private key transport (wire/provisioning.md §2.3): so far what a node answers to `jwt`.

Rules:
1. Keys are 32 raw bytes; hexadecimal is the caller's affair.
2. Only public halves leave this module.
"""

from __future__ import annotations

from nacl.bindings import crypto_scalarmult_base

SIZE = 32
"""Bytes of an X25519 secret and of its public key."""


def public_of(secret: bytes) -> bytes:
    """The X25519 public key of a 32-byte secret; raises ValueError."""
    if len(secret) != SIZE:
        raise ValueError(f"an X25519 secret has {SIZE} bytes, this has {len(secret)}")
    return crypto_scalarmult_base(secret)
