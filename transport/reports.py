"""What a connection tells the program about itself, and how what is thrown away is counted.

Rules:
1. Every change of a connection's state is one frozen value, in the order in which it happened.
2. A reason is a sentence for an operator; no password, token or signature is ever part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Connected:
    """Logged in, subscriptions in place: `connection` names this login, `server` is the broker's address."""

    purpose: str
    connection: str
    server: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A login ended: `unsent` messages were never handed to a socket, so they can not arrive any more."""

    purpose: str
    connection: str
    server: str
    reason: str
    unsent: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An attempt to log in did not succeed; the next follows in `again` seconds."""

    purpose: str
    server: str
    reason: str
    again: float


@dataclass(frozen=True, slots=True)
class Complaint:
    """The broker complained and the login lives on: a permission violation, for instance."""

    purpose: str
    connection: str
    server: str
    reason: str


Report = Connected | Disconnected | Refused | Complaint


class Discards(Protocol):
    """Counts what was received and not used."""

    def count(self, reason: str) -> None:
        """One more that was thrown away for this reason, a short fixed code."""
        ...
