"""What becomes of a message that is to be sent: it is on its way, or it was not sent and why.

Rules:
1. A message is on its way once it was handed to a login, and belongs to that login alone.
2. A reason is a value; figures are its detail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fsm.errors import UsherError


def command(subject: str, payload: bytes, reply: str = "", headers: bytes = b"") -> bytes:
    """The line and the bytes that publish; `headers` begin with NATS/1.0 and end with an empty line, or are none."""
    to = f"{subject} {reply}" if reply else subject
    size = len(headers) + len(payload)
    head = f"HPUB {to} {len(headers)} {size}\r\n" if headers else f"PUB {to} {size}\r\n"
    return b"".join((head.encode("ascii"), headers, payload, b"\r\n"))


class WhyNot(StrEnum):
    """Why nothing was sent."""

    DISCONNECTED = "disconnected"
    CONGESTED = "congested"
    TOO_LARGE = "too_large"


class NotSentError(UsherError):
    """Nothing was sent"""

    def __init__(self, why: WhyNot, detail: str = "") -> None:
        """Hold why, and in figures."""
        super().__init__()
        self.why = why
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Handed:
    """A message that is on its way: over which login; `command` is what to ask `Connection.withdraw` for."""

    connection: str
    command: bytes


Ended = Callable[[str, Sequence[bytes]], None]
"""Told at the end of a login: its id, and the commands that were never handed to a socket."""
