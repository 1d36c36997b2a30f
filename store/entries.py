"""Entries: what the store takes and gives that is not a port of the machine.

Rules:
1. Frozen values; times are milliseconds since 1970.
2. No library's type is in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How far an effect is: `intended` was decided, `started` may have been sent; the others are closed."""

    INTENDED = "intended"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class FleetEntry:
    """Something that concerns the whole fleet: what (`pause`, `resume`, ...), who, why, and canonical JSON of more."""

    at: int
    kind: str
    name: str
    reason: str
    payload: bytes = b"{}"
