"""The book: the database as the views need it.

Rules:
1. It only reads, in short transactions; what it cannot read it refuses in one sentence.
2. A node's history never reaches beyond the snapshot that is told with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import State
from store.reader import PAGE, Reader, open_reader
from store.records import begins
from store.views import EndView, FleetView, Group, HistoryView, Marked, NodeView
from usher.views.openings import OpeningView, openings, openings_between
from usher.views.past import Opened, Past, read

MANY: Final = 1000
"""Nodes a page where all of them are asked for."""


class Book:
    """What the views read."""

    def __init__(self, reader: Reader) -> None:
        """Take the open database."""
        self._reader = reader

    def node(self, node: str) -> Snapshot | None:
        """The committed snapshot of a node; None if it was never seen."""
        return self._reader.node(node)

    def nodes(
        self,
        state: State | None = None,
        reason: Reason | None = None,
        before: int | None = None,
        limit: int | None = None,
        mark: str | None = None,
        network: str | None = None,
        looping: int | None = None,
    ) -> Iterator[NodeView]:
        """Nodes by name, no more than `limit`; `before` (milliseconds) keeps those in their state since then.

        Forgotten ones are only listed where their state is asked for. `mark` is that of the token that let us in,
        `network` that of their record, `looping` the time since when one that is well now does not loop any more.
        """
        after: str | None = ""
        left = limit
        while after is not None and left != 0:
            size = MANY if left is None else min(left, PAGE)
            page = self._reader.nodes(state, reason, before, after, size, mark, network, looping)
            shown = [node for node in page.nodes if state is State.UNSEEN or node.state is not State.UNSEEN]
            yield from shown
            after, left = page.after, None if left is None else left - len(shown)

    def ending(self, until: int, limit: int | None, network: str | None = None) -> tuple[EndView, ...]:
        """Provisioned nodes whose server token ends until then (Unix seconds), the soonest first."""
        return self._reader.ending(until, limit, network)

    def history(self, node: str, limit: int, until: int | None = None) -> list[Past]:
        """The newest lines of a node's history (up to seq `until`), oldest first."""
        rows = [row for row in reversed(self._reader.latest(node, limit)) if until is None or row.seq <= until]
        if not rows:
            return []
        opened = {each.seq: each for each in openings(self._reader, node, rows[0].seq, rows[-1].seq)}
        return [self._past(row, opened.get(row.seq)) for row in rows]

    def begins(self, node: str) -> tuple[int, int] | None:
        """The seq that a node's history begins with, and when what was before was pruned (ms); None if it is whole."""
        return begins(self._reader, node)

    def opening(self, node: str) -> Callable[[int], OpeningView | None]:
        """What answers which effect a row of this node opened; asked in the rows' order, it reads page by page."""
        page: dict[int, OpeningView] = {}
        last = 0

        def find(seq: int) -> OpeningView | None:
            nonlocal page, last
            if seq > last:
                last = seq + PAGE - 1
                page = {each.seq: each for each in openings(self._reader, node, seq, last)}
            return page.get(seq)

        return find

    def lines(self, node: str, until: int | None = None) -> Iterator[Past]:
        """All lines of a node's history, up to a position, oldest first, a page at a time."""
        after = 0
        while True:
            rows = self._reader.history(node, after)
            kept = [row for row in rows if until is None or row.position <= until]
            if kept:
                opened = {each.seq: each for each in openings(self._reader, node, kept[0].seq, kept[-1].seq)}
                yield from (self._past(row, opened.get(row.seq)) for row in kept)
            if len(rows) < PAGE or len(kept) < len(rows):
                return
            after = rows[-1].seq

    def failures(self) -> tuple[Group, ...]:
        """Failed and deferred nodes by reason, the largest group first."""
        return self._reader.failures()

    @property
    def networked(self) -> bool:
        """Whether there are several networks here, or were."""
        return self._reader.networked

    def marks(self) -> tuple[Marked, ...]:
        """How many nodes let us in with which token last."""
        return self._reader.marks()

    def offered(self) -> list[str]:
        """The marks of the tokens that nodes are offered, in order; empty before a daemon has written them down."""
        last = self._reader.last("tokens")
        found = json.loads(last.payload or b"{}").get("tokens", []) if last else []
        return [str(mark) for mark in found]

    def after(self, position: int, limit: int) -> list[tuple[str, Past]]:
        """What was committed after this position, in order, each with its node."""
        rows = self._reader.following(position, limit)
        if not rows:
            return []
        found = openings_between(self._reader, rows[0].position, rows[-1].position)
        opened = {each.position: each for each in found}
        return [(row.node, self._past(row, opened.get(row.position))) for row in rows]

    def arrivals(self, position: int) -> dict[State, int]:
        """How many nodes came into each state after this position."""
        return self._reader.arrivals(position)

    def end(self) -> int:
        """The position of the last row of the history, 0 where there is none."""
        return self._reader.end()

    def before(self, at: int) -> int:
        """The position of the last row that was committed before this time (milliseconds)."""
        return self._reader.before(at)

    def began(self) -> int | None:
        """When the first row that is kept was committed (milliseconds); None where there is none."""
        first = self._reader.following(0, 1)
        return first[0].at if first else None

    def counts(self) -> dict[State, int]:
        """How many nodes are in each state."""
        return self._reader.counts()

    def counts_at(self, at: int) -> dict[State, int]:
        """How many nodes were in each state at this time (milliseconds); a look at every row since."""
        return self._reader.counts_at(at)

    def reasons(self) -> list[tuple[Reason, int]]:
        """The most frequent reasons of failed nodes, with how many have them."""
        return self._reader.reasons()

    def waiting(self) -> int:
        """How many nodes are in the waiting room."""
        return self._reader.waiting()

    def lineage(self) -> str:
        """The database's random name, which a restored one does not share."""
        return self._reader.meta().lineage

    def names(self) -> Iterator[str]:
        """The names of all nodes that were ever seen, in their order."""
        return self._reader.names()

    def paused(self) -> FleetView | None:
        """Who paused usher, when and why; None while it is not paused."""
        return self._reader.paused()

    def _past(self, row: HistoryView, opening: OpeningView | None) -> Past:
        return _past(row, opening, self._reader.policy_networks.get(row.policy, ""))


def _past(row: HistoryView, opening: OpeningView | None, network: str) -> Past:
    said = read(row.payload)
    opened = None
    if opening is not None:
        opened = Opened(opening.effect, opening.tries, opening.status.value, opening.certainty, opening.reason)
    return Past(
        position=row.position,
        at=row.at,
        epoch=row.epoch,
        generation=row.generation,
        seq=row.seq,
        event=row.event,
        row=row.name,
        source=row.source,
        target=row.target,
        ended=said.ended,
        opened=opened,
        detail=said.detail,
        note=said.note,
        network=network,
    )


@contextmanager
def open_book(path: Path) -> Iterator[Book]:
    """The database at `path`; raises StoreError that says what to do."""
    with open_reader(path) as reader:
        yield Book(reader)
