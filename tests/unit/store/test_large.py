"""A fleet of some size as the benchmarks build it: pages by every index, what a start reads, what is old, no leaks."""

from __future__ import annotations

import sqlite3
from itertools import product
from pathlib import Path

import pytest

from benchmarks.fleets import AT_REST, DAY, UNDER_WAY, build, name_of
from fsm.reasons import Reason
from fsm.states import ENDS, WORKING, State
from store.queries import FEW
from store.reader import Reader, open_reader
from store.repository import open_store
from store.views import NodeView
from usher.state import StateDirectory

NOW = 1_795_200_000_000
NODES = 400


@pytest.fixture
async def under_way(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path)
    await build(state, UNDER_WAY, NODES, 10 * NODES, NOW)
    return state


@pytest.fixture
async def at_rest(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path)
    await build(state, AT_REST, NODES, 10 * NODES, NOW)
    return state


def every(reader: Reader, *asked: object, limit: int = 7) -> list[NodeView]:
    """All pages of a list."""
    found: list[NodeView] = []
    after: str | None = ""
    while after is not None:
        page = reader.nodes(*asked, after=after, limit=limit)
        found += page.nodes
        after = page.after
    return found


def many(state: StateDirectory, more: int) -> None:
    """So many nodes more, provisioned for a reason that is past, each a copy of one."""
    with sqlite3.connect(state.database) as db:
        copied = "state, generation, seq, since, due_at, due_kind, due_span, doing, 'absent', held, active, body"
        db.execute("CREATE TEMP TABLE one AS SELECT * FROM nodes WHERE state = 'gone' LIMIT 1")
        rows = ((f"copy-{number:05d}.example.net",) for number in range(more))
        db.executemany(f"INSERT INTO nodes SELECT ?, {copied} FROM one", rows)  # noqa: S608 a constant


@pytest.mark.parametrize("more", [0, FEW + 1])
async def test_pages_are_the_same_by_whichever_index(at_rest: StateDirectory, more: int):
    many(at_rest, more)
    with open_reader(at_rest.database) as reader:
        everybody = every(reader, limit=1000)
        assert [view.node for view in everybody] == sorted(view.node for view in everybody)
        assert len(everybody) == NODES + more
        for state, reason, before in product(
            (None, State.GONE, State.PROVISIONED, State.ENROLLED), (None, Reason.ABSENT), (None, NOW - 9 * DAY, 5)
        ):
            like = [
                view
                for view in everybody
                if (state is None or view.state is state)
                and (reason is None or view.reason is reason)
                and (before is None or view.since <= before)
            ]
            assert every(reader, state, reason, before, limit=173) == like


async def test_names_come_in_their_order_a_page_at_a_time(at_rest: StateDirectory):
    with open_reader(at_rest.database) as reader:
        assert list(reader.names(limit=7)) == [name_of(number) for number in range(NODES)]


async def test_a_start_reads_whoever_is_under_way_and_nobody_else(under_way: StateDirectory):
    journal = open_store(under_way.database)
    found = list(journal.active())
    assert len(found) == len({snapshot.node for snapshot in found}) == NODES
    assert len(journal.open_effects()) == sum(snapshot.open is not None for snapshot in found) == 4 * NODES // 100
    await journal.close()


async def test_a_start_reads_nobody_at_rest(at_rest: StateDirectory):
    journal = open_store(at_rest.database)
    assert {snapshot.state for snapshot in journal.active()} == {State.DISCOVERED, State.FAILED, State.RESTARTED}
    await journal.close()


async def test_what_is_old_is_at_rest_and_no_more_than_asked_for(at_rest: StateDirectory):
    journal = open_store(at_rest.database)
    snapshots = [journal.load(name_of(number)) for number in range(NODES)]
    ends = {each.node for each in snapshots if each and each.state in ENDS and each.since <= NOW - 9 * DAY}
    assert set(journal.aged(NOW - 9 * DAY, NODES)) == ends
    assert len(journal.aged(NOW - 9 * DAY, 5)) == 5
    assert journal.aged(NOW - 99 * DAY, 5) == []
    await journal.close()


@pytest.mark.parametrize("shape", [AT_REST, UNDER_WAY])
async def test_nothing_is_kept_of_a_generation_that_is_over(tmp_path: Path, shape: tuple):
    await build(StateDirectory(tmp_path), shape, NODES, 20 * NODES, NOW)
    db = sqlite3.connect(tmp_path / "usher.db")
    working = {node: generation for node, state, generation in _nodes(db) if state in WORKING}
    for table in ("blob_refs", "vault"):
        held = db.execute(f"SELECT DISTINCT node, generation FROM {table}").fetchall()  # noqa: S608 a constant
        assert held
        assert all(working.get(node) == generation for node, generation in held)
    loose = "SELECT count(*) FROM blobs WHERE digest NOT IN (SELECT digest FROM blob_refs)"
    journal = open_store(tmp_path / "usher.db")
    assert db.execute(loose).fetchone() == (0,)
    await journal.close()
    db.close()


def _nodes(db: sqlite3.Connection) -> list[tuple[str, State, int]]:
    rows = db.execute("SELECT node, state, generation FROM nodes").fetchall()
    return [(node, State(state), generation) for node, state, generation in rows]
