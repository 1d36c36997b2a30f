"""Batches: what a transaction is made of, and where the chains stand before and after it.

Rules:
1. A wave is a part of a batch in which no node comes twice: a statement runs once for all of it.
2. Frozen values; nothing here asks the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fsm.unit import Unit


@dataclass(frozen=True, slots=True)
class Heads:
    """Where the database stands: the last position and link of both chains, and the epoch."""

    position: int
    hash: bytes
    fleet_position: int
    fleet_hash: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A unit and its encoded snapshot."""

    unit: Unit
    body: bytes


class Mismatch(Exception):  # noqa: N818 never leaves this room
    """A statement counted other rows than it should."""


def waves(batch: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """The batch in order, cut where a node comes again."""
    wave: list[Prepared] = []
    nodes: set[str] = set()
    for item in batch:
        node = item.unit.history.node
        if node in nodes:
            yield wave
            wave, nodes = [], set()
        wave.append(item)
        nodes.add(node)
    if wave:
        yield wave
