"""The lease: who leads, and what can happen to that; a vocabulary of frozen values (wire/protocol.md §9).

Who wrote the key of the election's bucket last holds it until it is as old as the bucket's TTL; every write names the
sequence that it replaces.

Rules:
1. A lease is a value; transport.campaign decides what becomes of it, transport.election asks the broker.
2. A lease counts from the instant before its confirmed write was handed over: it ends here before it ends there.
3. An answer names the question that it answers, since answers may come late, or after another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

from fsm.instant import Instant


class Role(StrEnum):
    """Where an usher stands in the election."""

    OPENING = "opening"
    CANDIDATE = "candidate"
    ELECTED = "elected"
    LEADER = "leader"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Open:
    """The question what the bucket is like."""


@dataclass(frozen=True, slots=True)
class Write:
    """The question to write the key over this sequence (0: over nothing); the win works no earlier than `works`."""

    over: int
    works: float = 0.0


Question = Open | Write


@dataclass(frozen=True, slots=True)
class Began:
    """The election began; `last` is the sequence that we ourselves handed over with at our last end, 0 if none."""

    last: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """The time has come for the next question."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The bucket is there, and its TTL is this (seconds)."""

    ttl: float


@dataclass(frozen=True, slots=True)
class Missing:
    """The bucket is not there."""

    why: str


@dataclass(frozen=True, slots=True)
class Written:
    """The key was written; `sent` is the instant before that was asked."""

    asked: Write
    sequence: int
    sent: Instant


@dataclass(frozen=True, slots=True)
class Refused:
    """The key was not written: its last sequence is another one; 0 if it is not there."""

    asked: Write
    last: int


@dataclass(frozen=True, slots=True)
class Denied:
    """The broker does not want to."""

    why: str


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody answers for the bucket: it is gone, or the broker's streams are not there for the moment."""

    asked: Question
    why: str


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer came in time, or nothing could be sent at all."""

    asked: Question
    why: str
    sent: bool = True


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Somebody says that he led, with this sequence, and ends; his requests may be alive for `wait` seconds more."""

    sequence: int
    wait: float


@dataclass(frozen=True, slots=True)
class Ended:
    """Usher stops, and takes no part any more."""


Event = Began | Due | Opened | Missing | Nobody | Written | Refused | Denied | Silent | HandedOver | Ended


_OURS: Final = frozenset({Role.ELECTED, Role.LEADER})


@dataclass(frozen=True, slots=True)
class Lease:
    """Where we stand. Times are seconds since the machine started; `due` is infinite while a question is under way.

    `sequence` is the key's: ours while it is ours, else the last that a refusal named. `confirmed` is the instant
    before our last confirmed write, `lost` how many since then were not answered, `works` when the win begins to count.
    `seen` is when the key was last known to have another sequence, `asked` when it last answered, `looked` when the
    bucket was last asked about, `heeded` when a hand-over was last tried; `last` is still to be tried at a start.
    """

    role: Role = Role.OPENING
    ttl: float = 0.0
    sequence: int = 0
    confirmed: Instant | None = None
    works: float = inf
    lost: int = 0
    tries: int = 0
    due: float = inf
    seen: float = -inf
    asked: float = -inf
    looked: float = -inf
    heeded: float = -inf
    last: int = 0
    trouble: str = ""

    @property
    def ours(self) -> bool:
        """Whether we have written the key and nothing has said since that it is another's."""
        return self.role in _OURS

    @property
    def end(self) -> float:
        """When our lease is over; it was never there if it is not ours."""
        return self.confirmed.boot + self.ttl if self.ours and self.confirmed else -inf

    def leads(self, boot: float) -> bool:
        """Whether we lead at this moment."""
        return self.role is Role.LEADER and self.works <= boot < self.end
