"""Keys in memory: ed25519 and RSA keys that sign, and those that verify.

Rules:
1. A seed never appears in a repr, a message or a log line.
2. A key has its type: what verifies with one kind of algorithm cannot be handed to another.
3. Hexadecimal is exact: 64 characters, nothing before and nothing after (wire/provisioning.md §1.1).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

SIZE: Final = 32
"""Bytes of an ed25519 seed and of an ed25519 public key."""
SIGNATURE: Final = 64
"""Bytes of an ed25519 signature."""
_HEX: Final = re.compile(r"[0-9A-Fa-f]*")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ed25519 pair: `public` is 32 bytes; the secret half stays inside."""

    public: bytes
    _secret: bytes = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The pair of a 32-byte seed; raises ValueError."""
        if len(seed) != SIZE:
            raise ValueError(f"an ed25519 seed has {SIZE} bytes, this has {len(seed)}")
        public, secret = crypto_sign_seed_keypair(seed)
        return cls(public, secret)

    @classmethod
    def from_hex(cls, text: str) -> SigningKey:
        """The pair of a seed in 64 hexadecimal characters; raises ValueError that says what is wrong with them."""
        return cls.from_seed(exact_hex(text, "an ed25519 seed"))

    @classmethod
    def generate(cls) -> SigningKey:
        """A new pair from the system's randomness."""
        return cls.from_seed(os.urandom(SIZE))

    @property
    def public_hex(self) -> str:
        """The public half as tokens and files have it: 64 lower-case hexadecimal characters."""
        return self.public.hex()

    @property
    def seed_hex(self) -> str:
        """The seed as its file has it: 64 hexadecimal characters. Only for writing that file."""
        return self._secret[:SIZE].hex()

    @property
    def id(self) -> str:
        """A stable name of the pair: its public half."""
        return self.public_hex

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of the message; plain ed25519, no pre-hash."""
        return crypto_sign(message, self._secret)[:SIGNATURE]


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """An ed25519 public key of 32 bytes: it verifies EdDSA."""

    public: bytes

    @classmethod
    def from_hex(cls, text: str) -> Ed25519Key:
        """The key of 64 hexadecimal characters; raises ValueError that says what is wrong with them."""
        return cls(exact_hex(text, "an ed25519 public key"))

    @property
    def id(self) -> str:
        """The key itself, in hexadecimal."""
        return self.public.hex()


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA public key: it verifies RS256, RS384, RS512. `id` is the SHA-256 of its numbers."""

    key: RSAPublicKey = field(repr=False)

    @property
    def id(self) -> str:
        """A stable name of the key."""
        numbers = self.key.public_numbers()
        return sha256(f"{numbers.n}.{numbers.e}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RsaSigningKey:
    """An RSA pair: it signs RS256 and nothing else (wire/provisioning.md §1.1)."""

    key: RSAPrivateKey = field(repr=False)

    @property
    def public(self) -> RsaKey:
        """What verifies it."""
        return RsaKey(self.key.public_key())

    @property
    def id(self) -> str:
        """A stable name of the pair: that of its public half."""
        return self.public.id

    def sign(self, message: bytes) -> bytes:
        """The PKCS#1 v1.5 signature of the message's SHA-256; the same message gives the same bytes."""
        return self.key.sign(message, PKCS1v15(), SHA256())


VerifyKey = Ed25519Key | RsaKey
TokenKey = SigningKey | RsaSigningKey
"""What signs server tokens."""


def signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an ed25519 signature over the message is the key's; wrong lengths are simply no."""
    if len(public) != SIZE or len(signature) != SIGNATURE:
        return False
    try:
        crypto_sign_open(signature + message, public)
    except CryptoError:
        return False
    return True


def exact_hex(text: str, what: str, size: int = SIZE) -> bytes:
    """The bytes of exactly 2 x `size` hexadecimal characters; raises ValueError that never repeats the text."""
    if len(text) == 2 * size and _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if text != text.strip() and _HEX.fullmatch(text.strip()):
        raise ValueError(
            f"{what} is exactly {2 * size} hexadecimal characters, and this has a newline or a space around them"
        )
    if not _HEX.fullmatch(text):
        raise ValueError(f"{what} is exactly {2 * size} hexadecimal characters, and this has other characters")
    raise ValueError(f"{what} is exactly {2 * size} hexadecimal characters, and this has {len(text)}")
