"""The tokens that nodes may ask for (`cht`), and how one is named without being told.

Rules:
1. A token that a node has let in with is offered to it first; the others follow in the order of the configuration.
2. A token is named by its mark, keyed with a secret of this state directory: many tokens are words, and whoever had an
   unkeyed digest could try all words (docs/rotation.md).
3. The list may change at any time: an effect takes what it needs in one piece, and a token that was taken out of the
   list is not sent any more.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes
from typing import Final

from fsm.snapshot import Snapshot

MARK: Final = 8
"""Hexadecimal characters of a mark."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One token: its text, its place in the configuration (from 1 on), and its mark; an empty token has none."""

    text: str = field(repr=False)
    position: int
    mark: str


class Tokens:
    """The list that is in use."""

    __slots__ = ("_key", "_offers", "_texts")

    def __init__(self, texts: Sequence[str], key: bytes = b"") -> None:
        """Use these tokens; without a key the marks mean nothing to another process."""
        self._key = key or token_bytes(32)
        self._texts: tuple[str, ...] = ()
        self._offers: tuple[Offer, ...] = ()
        self.use(texts)

    def use(self, texts: Sequence[str]) -> None:
        """Use these from now on; none is the same as one that is empty."""
        self._texts = tuple(texts) or ("",)
        self._offers = tuple(Offer(text, number, self.mark(text)) for number, text in enumerate(self._texts, 1))

    def keyed(self, key: bytes) -> None:
        """Mark with this key from now on."""
        self._key = key
        self.use(self._texts)

    def mark(self, text: str) -> str:
        """The mark of a token; empty for an empty one."""
        return hmac.new(self._key, text.encode(), sha256).hexdigest()[:MARK] if text else ""

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All of them, in the order of the configuration."""
        return self._offers

    @property
    def marks(self) -> list[str]:
        """Their marks, in the order of the configuration."""
        return [offer.mark for offer in self._offers]

    def offers_for(self, snapshot: Snapshot) -> tuple[Offer, ...]:
        """All of them, beginning with the one that the node let us in with last."""
        return tuple(sorted(self._offers, key=lambda offer: offer.mark != snapshot.let_in or not offer.mark))

    def of(self, snapshot: Snapshot) -> str:
        """What to send to a node that has been read: the token that it let us in with, else the first."""
        return self.offers_for(snapshot)[0].text
