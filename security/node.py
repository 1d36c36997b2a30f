"""The node's side of the keys: what a server makes of its seed and its token; the simulator is made of it.

Rules:
1. A server judges its own token without verifying it: key, identity and times only (wire/provisioning.md §1.4).
2. Whatever the token's text is, the answer is a sentence or None, never an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsm.errors import TokenError
from security import chain, tokens
from security.keys import SigningKey
from security.tokens import text_of


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A node's ed25519 pair as `gen25519` makes it."""

    pair: SigningKey

    @classmethod
    def generate(cls) -> NodeKey:
        """A new pair (about 20 microseconds)."""
        return cls(SigningKey.generate())

    @property
    def public_key(self) -> str:
        """64 lower-case hexadecimal characters, as the `gen25519` reply has it."""
        return self.pair.public_hex

    def prove(self, nonce: str) -> str:
        """The `signature` of a `gen25519` reply: 128 hexadecimal characters over the nonce's bytes."""
        return self.pair.sign(nonce.encode()).hex()


def server_token_misfit(token: str, public_key: str, identity: str, now: int) -> str | None:
    """Why a server would not use this token, None if it would: as it checks at its start (wire/provisioning.md §1.4).

    `public_key` is hexadecimal, `now` milliseconds.
    """
    try:
        claims = tokens.decode(token).claims
        if text_of(claims, "purpose") != "choria_server":
            return "it is not a server token"
        if text_of(claims, "public_key").lower() != public_key.lower():
            return "its public key is not the seed's"
        if text_of(claims, "identity") != identity:
            return f"identity {identity} does not match caller {text_of(claims, 'identity')} in JWT token"
        end = chain.expiry(claims)
    except TokenError as error:
        return error.detail
    return None if end is not None and now <= end * 1000 else "it has expired"


def server_token_fits(token: str, public_key: str, identity: str, now: int) -> bool:
    """Whether a server would use this token."""
    return server_token_misfit(token, public_key, identity, now) is None
