"""The reader: what the commands read, with a daemon at work or without one.

Rules:
1. It cannot write: the file is opened read-only, the connection is query_only, and it never checkpoints.
2. Long answers come in pages by key; a page is one short transaction, so the daemon's log is never held up.
3. Rows come as frozen values; what is stored is decoded, and an error names the node.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from sqlite_utils import Database

from fsm.codec import decode_snapshot
from fsm.effects import EffectId
from fsm.errors import StoreError
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import State
from store import queries as sql
from store import refusals
from store.identity import look, ours, refused
from store.newer import member
from store.trouble import translated
from store.versions import migrations
from store.views import EffectView, EndView, FleetView, Group, HistoryView, Marked, Meta, NodeView, Page, node_view

PAGE: Final = 200
NAMES: Final = 10_000
"""Names a transaction, where nothing but names is read."""


MOVES: Final = 20_000
"""Rows a transaction, where moves are counted."""


class Reader:
    """A database that is read; use it as a context, or close it."""

    def __init__(self, db: Database) -> None:
        """Take a connection that cannot write."""
        self._db = db

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._db.conn.close()

    # -- nodes -------------------------------------------------------------------------------------

    def nodes(
        self,
        state: State | None = None,
        reason: Reason | None = None,
        before: int | None = None,
        after: str = "",
        limit: int = PAGE,
        mark: str | None = None,
        network: str | None = None,
        looping: int | None = None,
    ) -> Page:
        """Nodes in the order of their names, in this state, for this reason, in their state since `before` or longer.

        `after` is the last name of the page before; `mark` that of the token that they let us in with last,
        `network` the one of their record; empty where there was one alone. `looping` keeps those that come back again
        and again, and were not well since that time or longer.
        """
        conditions = {"node > ?": after, "state = ?": state, "reason = ?": reason, "since <= ?": before}
        conditions |= {f"{sql.LET_IN} = ?": mark, f"ifnull({sql.NETWORK}, '') = ?": network, sql.LOOPING: looping}
        where, values = sql.where(conditions)
        found = f"{sql.nodes(self._network)} INDEXED BY {self._index(state, reason, before)}"
        rows = self.rows(f"{found} WHERE {where} ORDER BY node LIMIT ?", (*values, limit + 1))
        views = tuple(node_view(row) for row in rows[:limit])
        return Page(views, views[-1].node if len(rows) > limit else None)

    def _index(self, state: State | None, reason: Reason | None, before: int | None) -> str:
        """By name, unless another index finds few."""
        for index, conditions in sql.indices(state, reason, before):
            where, values = sql.where(conditions)
            if self.rows(sql.some(index, where), values)[0]["nodes"] <= sql.FEW:
                return index
        return "sqlite_autoindex_nodes_1"

    def names(self, limit: int = NAMES) -> Iterator[str]:
        """The names of all nodes that were ever seen, in their order, `limit` a transaction."""
        after: str | None = ""
        while after is not None:
            rows = self.rows(sql.NAMES, (after, limit))
            yield from (row["node"] for row in rows)
            after = rows[-1]["node"] if len(rows) == limit else None

    def node(self, node: str) -> Snapshot | None:
        """The committed snapshot of a node; None if it was never seen."""
        rows = self.rows("SELECT body FROM nodes WHERE node = ?", (node,))
        return decode_snapshot(rows[0]["body"]) if rows else None

    def history(self, node: str, after: int = 0, limit: int = PAGE) -> tuple[HistoryView, ...]:
        """A node's rows with a seq above `after`, in order."""
        return self._history(f"{sql.HISTORY} WHERE node = ? AND seq > ? ORDER BY seq LIMIT ?", (node, after, limit))

    def latest(self, node: str, limit: int = PAGE) -> tuple[HistoryView, ...]:
        """A node's last rows, the latest first."""
        return self._history(f"{sql.HISTORY} WHERE node = ? ORDER BY seq DESC LIMIT ?", (node, limit))

    def following(self, position: int, limit: int = PAGE) -> tuple[HistoryView, ...]:
        """The rows of all nodes after this position, in the order of their commits."""
        return self._history(f"{sql.HISTORY} WHERE position > ? ORDER BY position LIMIT ?", (position, limit))

    def arrivals(self, position: int) -> dict[State, int]:
        """How often a node came into each state after this position; a look at every row since."""
        return {member(State, row["target"]): row["nodes"] for row in self.rows(sql.ARRIVALS, (position,))}

    def end(self) -> int:
        """The position of the last row of the history, 0 where there is none."""
        return int(self.rows(sql.END)[0]["last"])

    def before(self, at: int) -> int:
        """The position of the last row that was committed before `at` (milliseconds), found by halving."""
        low, high = 0, self.end()
        while low < high:
            middle = (low + high + 1) // 2
            found = self.rows(sql.AT, (middle,))
            low, high = (middle, high) if not found or found[0]["at"] < at else (low, middle - 1)
        return low

    def _history(self, query: str, values: Sequence[object]) -> tuple[HistoryView, ...]:
        return tuple(HistoryView(**row) for row in self.rows(query, values))

    # -- the fleet ---------------------------------------------------------------------------------

    def counts(self) -> dict[State, int]:
        """How many nodes are in each state; neither states without nodes, nor nodes whose record is closed."""
        return {member(State, row["state"]): row["nodes"] for row in self.rows(sql.COUNTS)}

    def counts_at(self, at: int, limit: int = MOVES) -> dict[State, int]:
        """How many nodes were in each state at this time (milliseconds): now, without the moves since.

        A look at every row since then, `limit` a transaction; what was pruned before is not needed.
        """
        position = self.before(at + 1)
        held = self.rows(sql.COUNTED)
        counts = {member(State, row["state"]): int(row["nodes"]) for row in held}
        last = held[0]["last"] if held else 0
        while position < last:
            until = min(position + limit, last)
            for row in self.rows(sql.MOVES, (position, until)):
                source, target = member(State, row["source"]), member(State, row["target"])
                counts[source] = counts.get(source, 0) + row["nodes"]
                counts[target] = counts.get(target, 0) - row["nodes"]
            position = until
        return {state: nodes for state, nodes in counts.items() if nodes and state is not State.UNSEEN}

    def reasons(self, limit: int = 10) -> list[tuple[Reason, int]]:
        """The most frequent reasons of failed nodes, with how many have them; others carry what is past."""
        return [(member(Reason, row["reason"]), row["nodes"]) for row in self.rows(sql.REASONS, (limit,))]

    def failures(self) -> tuple[Group, ...]:
        """Failed and deferred nodes by network and reason, the largest group first."""
        return tuple(Group(**row) for row in self.rows(sql.failures(self._network)))

    def networks(self) -> dict[str, dict[State, int]]:
        """How many nodes are in each state, by the network of their record; a look at every node."""
        found: dict[str, dict[State, int]] = {}
        for row in self.rows(sql.NETWORKS):
            found.setdefault(row["network"] or "", {})[State(row["state"])] = row["nodes"]
        return found

    def marks(self) -> tuple[Marked, ...]:
        """How many nodes let us in with which token last, by mark, the most frequent first; a look at every node."""
        return tuple(Marked(**row) for row in self.rows(sql.MARKS))

    def ending(self, until: int, limit: int | None = None, network: str | None = None) -> tuple[EndView, ...]:
        """Provisioned nodes whose server token ends until then (Unix seconds), soonest first; a look at all of them.

        `network` None is whichever.
        """
        values = (until, network, -1 if limit is None else limit)
        return tuple(EndView(**row) for row in self.rows(sql.ending(self._network), values))

    def ends_by_day(self) -> dict[tuple[str, int], int]:
        """How many provisioned nodes' server tokens end, by the network of their record and day since 1970.

        A look at them all.
        """
        return {(row["network"], row["day"]): row["nodes"] for row in self.rows(sql.ends_by_day(self._network))}

    def oldest_waiting(self, limit: int = 10) -> tuple[NodeView, ...]:
        """The waiting room, who waits longest first."""
        return tuple(node_view(row) for row in self.rows(sql.waiting(self._network), (limit,)))

    def waiting(self) -> int:
        """How many nodes are in the waiting room."""
        return int(self.rows(sql.WAITING_COUNT)[0]["nodes"])

    def open_effects(self, limit: int = PAGE) -> tuple[EffectView, ...]:
        """Effects under way, oldest first."""
        return tuple(
            EffectView(
                EffectId(*(row[column] for column in ("node", "epoch", "generation", "first", "opened", "try"))),
                row["effect"], row["status"], row["opened_at"],
            )
            for row in self.rows(sql.EFFECTS, (limit,))
        )  # fmt: skip

    def fleet(self, after: int = 0, limit: int = PAGE) -> tuple[FleetView, ...]:
        """Entries of the fleet's journal with a position above `after`, in order."""
        rows = self.rows(f"{sql.FLEET} WHERE position > ? ORDER BY position LIMIT ?", (after, limit))
        return tuple(FleetView(**row) for row in rows)

    def entries(self, *kinds: str) -> Iterator[FleetView]:
        """Every entry of the fleet's journal of one of these kinds, in order."""
        marks, after = ", ".join("?" * len(kinds)), 0
        query = f"{sql.FLEET} WHERE position > ? AND kind IN ({marks}) ORDER BY position LIMIT ?"
        while rows := self.rows(query, (after, *kinds, PAGE)):
            yield from (FleetView(**row) for row in rows)
            after = rows[-1]["position"]

    def last(self, *kinds: str) -> FleetView | None:
        """The last entry of the fleet's journal of one of these kinds: `last("pause", "resume")`."""
        marks = ", ".join("?" * len(kinds))
        rows = self.rows(f"{sql.FLEET} WHERE kind IN ({marks}) ORDER BY position DESC LIMIT 1", kinds)
        return FleetView(**rows[0]) if rows else None

    def paused(self) -> FleetView | None:
        """Who paused usher, when and why; None while it is not paused."""
        return last if (last := self.last("pause", "resume")) and last.kind == "pause" else None

    def policy(self, hashed: str) -> bytes | None:
        """The document of a policy that history rows name; None if it is not held."""
        rows = self.rows("SELECT document FROM policies WHERE hash = ?", (hashed,))
        return rows[0]["document"] if rows else None

    @property
    def networked(self) -> bool:
        """Whether a network was ever named here: a look at the policies, which are few."""
        return bool(self.policy_networks)

    @cached_property
    def policy_networks(self) -> dict[str, str]:
        """The network of each policy that names one, by its hash."""
        return {row["hash"]: row["network"] for row in self.rows(sql.NETWORKED)}

    @property
    def _network(self) -> str:
        return sql.NAMED if self.networked else sql.ALONE

    def policies(self) -> tuple[bytes, ...]:
        """The documents of all policies that starts have kept."""
        return tuple(row["document"] for row in self.rows("SELECT document FROM policies"))

    def meta(self) -> Meta:
        """The database's identity."""
        return Meta(**self.rows("SELECT lineage, epoch, created FROM meta")[0])

    def rows(self, query: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """The rows of a query of this room, as dictionaries by column; raises StoreError."""
        with _translated("read"):
            return list(self._db.query(query, values))


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(str(translated(error, where))) from None


def open_reader(path: Path) -> Reader:
    """Open the database to read; raises StoreError that says what to do."""
    db = look(path)
    try:
        _check(db, path)
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error):
            raise refused(error, path, reading=True) from None
        raise
    return Reader(Database(db))


def _check(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA query_only = ON")
    version, newest = ours(db, path), max(migrations())
    if version < newest:
        raise refusals.older(path, version, newest)
