"""Units: what one transition makes durable, as values.

Rules:
1. A unit is one transaction; its parts speak of one row of one node.
2. What may hold a secret is sealed before it becomes part of a unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fsm.effects import Intent
from fsm.events import Certainty
from fsm.frozen import quick
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import WAITING, WORKING, State

OUTPUT: Final = "output"
"""The one vault entry that outlives its generation: what the helper said last, which only people read.

It goes when the helper speaks again, and with the generation's end in a state that waits for nothing (provisioned,
gone, forgotten, ...).
"""
OUTLIVING: Final = WORKING | WAITING
"""The states in which what the helper said in an earlier generation is still held."""


@quick
@dataclass(frozen=True, slots=True)
class Blob:
    """Sealed bytes, kept by the digest of what they hold (lower-case hex SHA-256), once for all that share them."""

    digest: str
    data: bytes


@quick
@dataclass(frozen=True, slots=True)
class Secret:
    """Sealed bytes that are kept for one node's generation, under a name; dropped when it closes."""

    name: str
    data: bytes


@quick
@dataclass(frozen=True, slots=True)
class Closing:
    """The end of an open effect: how certain, why, and what was seen; certainty None means that it succeeded."""

    opened: int
    certainty: Certainty | None
    reason: Reason | None
    abandoned: bool = False


@quick
@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One committed transition, before the chain: `payload` is canonical JSON of the event and what it changed."""

    node: str
    epoch: int
    generation: int
    seq: int
    at: int
    table: int
    policy: str
    event: str
    row: str
    source: State
    target: State
    payload: bytes


@quick
@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction: the next snapshot, its history row, the intent that it opens, the one that it closes.

    `blobs` and `secrets` came with the outcome. With `drop` the node's blob references and vault entries of earlier
    generations go, and in a state in which nothing is under way all of them; OUTPUT stays in the OUTLIVING states,
    until a unit brings another.
    """

    snapshot: Snapshot
    history: HistoryRow
    opens: Intent | None = None
    closes: Closing | None = None
    blobs: Sequence[Blob] = ()
    secrets: Sequence[Secret] = ()
    drop: bool = False
