"""The register: of every subject the newest decision, merged from wherever it comes.

A subject is a node, the fleet as a whole, or names that have a pattern. Of two decisions the later stamp wins, and
of equal stamps the larger one by the other fields: so whoever has heard the same decisions, in whatever order and
however often, holds the same.

Rules:
1. Pure: no clock, no socket, no database; nothing is forgotten but what a later decision replaces.
2. Who decides after having heard of a decision wins over it, whatever the clocks say (`next_stamp`).
3. It holds at most MOST nodes and patterns, and the fleet always; one more is refused, and whoever brings it is told.
4. What two registers hold is compared by marks: a digest of each of a few buckets, empty ones left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

import orjson

from transport.wire.decisions import BUCKETS, IN_FORCE, LATEST, Decision

MOST: Final = 20_000
_MARK: Final = 8
"""Bytes of a mark."""


def rank(decision: Decision) -> tuple[int, str, str, str, str, str]:
    """Larger is later; equal only for one and the same decision on a subject."""
    return decision.stamp, decision.origin, decision.lineage, decision.kind, decision.by, decision.reason


def bucket_of(node: str) -> int:
    """Where a subject is counted."""
    return sha256(node.encode()).digest()[0] % BUCKETS


class Register:
    """What is decided, by subject."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._newest: dict[str, Decision] = {}
        self._sums: dict[int, int] = {}
        self._members: dict[int, set[str]] = {}

    def __len__(self) -> int:
        """How many subjects something was ever decided on."""
        return len(self._newest)

    def of(self, node: str) -> Decision | None:
        """The newest decision on a subject."""
        return self._newest.get(node)

    def news(self, decision: Decision) -> bool:
        """Whether it is later than what is held, and there is room for it."""
        held = self._newest.get(decision.node)
        if held is None:
            return not decision.node or len(self) < MOST
        return rank(decision) > rank(held)

    def take(self, decision: Decision) -> bool:
        """Hold it if it is news; answers whether it was."""
        if not self.news(decision):
            return False
        bucket, held = bucket_of(decision.node), self._newest.get(decision.node)
        self._newest[decision.node] = decision
        self._members.setdefault(bucket, set()).add(decision.node)
        self._sums[bucket] = self._sums.get(bucket, 0) ^ _sum(decision) ^ (_sum(held) if held else 0)
        return True

    def next_stamp(self, node: str, now: int) -> int:
        """The stamp of a decision that is made now, knowing this one."""
        held = self._newest.get(node)
        return min(max(now, held.stamp + 1 if held else 0), LATEST - 1)

    def in_force(self) -> Iterator[Decision]:
        """What holds something now: a pause, quarantines, names that are denied."""
        return (decision for decision in self._newest.values() if decision.kind in IN_FORCE)

    @property
    def marks(self) -> Mapping[int, str]:
        """What it comes to, by bucket."""
        return {bucket: _text(total) for bucket, total in self._sums.items()}

    def beyond(self, marks: Mapping[int, str]) -> Iterator[Decision]:
        """What somebody with these marks may not have seen, bucket by bucket."""
        for bucket in sorted(self._members):
            if marks.get(bucket) != _text(self._sums[bucket]):
                yield from (self._newest[node] for node in sorted(self._members[bucket]))


def _sum(decision: Decision) -> int:
    """A digest of one decision; a bucket's is all of them added up bit by bit, so that their order does not count."""
    said = orjson.dumps([decision.node, *rank(decision)])
    return int.from_bytes(sha256(said).digest()[:_MARK], "big")


def _text(total: int) -> str:
    return f"{total:0{2 * _MARK}x}"
