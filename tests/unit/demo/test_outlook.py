"""The outlook reads what was committed, from the first moment on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.unit import HistoryRow, Unit
from store.repository import open_store
from usher.outlook import DatabaseOutlook
from usher.progress import Slowest
from usher.state import DATABASE


def unit(node: str, state: State, first: int, since: int) -> Unit:
    snapshot = Snapshot(node, state, generation=1, seq=1, first=first, since=since)
    row = HistoryRow(node, 1, 1, 1, since, 1, "policy", "hint", "row", State.UNSEEN, state, b"{}")
    return Unit(snapshot, row)


def test_before_there_is_a_database_nothing_is_known(tmp_path: Path):
    with DatabaseOutlook(tmp_path) as outlook:
        assert outlook.counts() == {}
        assert outlook.slowest() is None
    assert list(tmp_path.iterdir()) == []


def test_something_that_is_no_database_is_nothing_known(tmp_path: Path):
    (tmp_path / DATABASE).write_text("x" * 4096)
    with DatabaseOutlook(tmp_path) as outlook:
        assert outlook.counts() == {}


async def test_it_counts_states_and_finds_the_slowest_of_those_that_arrived(tmp_path: Path):
    with DatabaseOutlook(tmp_path) as outlook:
        assert outlook.counts() == {}
        journal = open_store(tmp_path / DATABASE)
        await journal.remember_policy("policy", b"{}", 0)
        await journal.commit(unit("a.example.net", State.PROVISIONED, 1000, 3500))
        await journal.commit(unit("b.example.net", State.PROVISIONED, 1000, 2000))
        await journal.commit(unit("c.example.net", State.DISCOVERED, 0, 9000))
        assert outlook.counts() == {State.PROVISIONED: 2, State.DISCOVERED: 1}
        assert outlook.slowest() == Slowest("a.example.net", 2.5)
        await journal.close()


async def test_it_looks_at_all_pages(tmp_path: Path):
    journal = open_store(tmp_path / DATABASE)
    await journal.remember_policy("policy", b"{}", 0)
    names = [f"n{number:03}" for number in range(450)]
    await asyncio.gather(*(journal.commit(unit(n, State.PROVISIONED, 0, 5000 if n == "n449" else 10)) for n in names))
    await journal.close()
    with DatabaseOutlook(tmp_path) as outlook:
        assert outlook.slowest() == Slowest("n449", 5.0)
