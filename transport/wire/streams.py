"""What the election says to JetStream, and what it answers (wire/protocol.md §9.3).

Rules:
1. Pure functions over bytes; any bytes give a frozen value or a WireError.
2. Who answers is the broker's own account `choria`, over subjects that nodes cannot reach; it is checked all the same.
3. What a broker says is not repeated: a number and its own short code are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from transport.wire.documents import integer, read_object
from transport.wire.errors import WireError

WRONG_LAST: Final = 10071
"""JetStream's code for a write over another sequence than the last."""
NOT_FOUND: Final = 404
_LAST: Final = re.compile(r"wrong last sequence: ([0-9]{1,18})", re.ASCII)
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """The stream behind the bucket; `ttl` in seconds."""

    ttl: float


@dataclass(frozen=True, slots=True)
class Stored:
    """The key was written, with this sequence."""

    sequence: int


@dataclass(frozen=True, slots=True)
class WrongLast:
    """It was not: the last sequence is this one, 0 if there is none."""

    last: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """JetStream does not want to: its codes."""

    code: int
    err_code: int


def expecting(sequence: int) -> bytes:
    """The headers of a write over exactly this sequence of the key, 0 for one that must not be there."""
    return f"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: {sequence}\r\n\r\n".encode("ascii")


def read_info(data: bytes) -> Bucket | Refusal:
    """The answer to STREAM.INFO; raises WireError."""
    document = read_object(data, "info")
    if refused := _refusal(document):
        return refused
    config = document.get("config")
    if type(config) is not dict:
        raise WireError("wrong_field", "info.config")
    integer(config, "max_msgs_per_subject", "info.config", least=1)
    return Bucket(integer(config, "max_age", "info.config", least=0) / _NANOSECONDS)


def read_stored(data: bytes) -> Stored | WrongLast | Refusal:
    """The answer to a write; raises WireError."""
    document = read_object(data, "stored")
    refused = _refusal(document)
    if refused is None:
        return Stored(integer(document, "seq", "stored", least=1))
    if refused.err_code != WRONG_LAST:
        return refused
    found = _LAST.fullmatch(str(document["error"].get("description")))
    if found is None:
        raise WireError("wrong_field", "stored.error.description")
    return WrongLast(int(found[1]))


def _refusal(document: dict[str, Any]) -> Refusal | None:
    error = document.get("error")
    if error is None:
        return None
    if type(error) is not dict:
        raise WireError("wrong_field", "error")
    err_code = error.get("err_code", 0)
    return Refusal(integer(error, "code", "error", least=0), err_code if type(err_code) is int else 0)
