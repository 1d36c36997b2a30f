"""Newer: the names that only another version of usher knows, told as they are written.

Rules:
1. What is told of the past may have such names: whoever tells it shows them, and derives nothing from them.
2. What is decided, or counted, has none: there an unknown name is an error when it is read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from fsm.errors import StoreError

E = TypeVar("E", bound=StrEnum)


class Newer(str):
    """A name that is none of this usher's; it is shown like a member."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The name."""
        return str(self)


def known(kind: type[E], text: str) -> E | Newer:
    """The member that a text of the database names, or the text as a name of another version."""
    try:
        return kind(text)
    except ValueError:
        return Newer(text)


def member(kind: type[E], text: str) -> E:
    """The member that a text of the database names; raises StoreError for one that only another version knows."""
    try:
        return kind(text)
    except ValueError:
        raise StoreError(f"the database was written by another version of usher: use that one ({text!r})") from None


def known_or_none(kind: type[E], text: str | None) -> E | Newer | None:
    """The same of a text that may be absent."""
    return None if text is None else known(kind, text)
