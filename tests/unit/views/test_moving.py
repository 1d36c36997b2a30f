"""Following the history: each transition once, in order, across a restore, and nothing of before unless asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fsm.states import State
from store.repository import open_store
from tests.fakes.units import AT, Life
from tests.fakes.written import LIVES, Author, provisioned, write_database
from usher.state import DATABASE
from usher.views.moving import Moved, Tail, Wanted, document, follow, text

NOW = 1_795_200_000_000
MINUTE = 60_000


def times(*between: Callable[[], None]) -> Callable[[], bool]:
    """Something happens between two looks, one after the other; then the watching ends."""
    left: Iterator[Callable[[], None]] = iter(between)

    def wait() -> bool:
        happening = next(left, None)
        if happening is not None:
            happening()
        return happening is not None

    return wait


def commits(folder: Path, *nodes: str) -> Callable[[], None]:
    """Some more nodes are seen."""

    async def commit() -> None:
        journal = open_store(folder / DATABASE)
        for node in nodes:
            await journal.commit(Life(node).unit(State.DISCOVERED))
        await journal.close()

    return lambda: asyncio.run(commit())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return asyncio.run(write_database(tmp_path, NOW))


def names(found: Iterator[Moved]) -> list[str]:
    return [moved.node for moved in found]


def test_it_tells_what_is_committed_from_now_on(folder: Path):
    tail = Tail(folder / DATABASE)
    wait = times(commits(folder, "n1", "n2"), lambda: None, commits(folder, "n3"))
    assert names(follow(tail, wait)) == ["n1", "n2", "n3"]


def test_it_begins_where_it_is_told_to(folder: Path):
    everything = names(follow(Tail(folder / DATABASE, since=0), times()))
    assert set(everything) == set(LIVES)
    none = names(follow(Tail(folder / DATABASE, since=NOW + MINUTE), times()))
    assert none == []


def test_it_begins_in_the_middle_of_a_life(tmp_path: Path):
    path = asyncio.run(write_database(tmp_path, NOW, lives={"web1.example.net": provisioned})) / DATABASE
    everything = list(follow(Tail(path, since=0), times()))
    for number, moved in enumerate(everything):
        assert list(follow(Tail(path, since=moved.past.at), times())) == everything[number:]


def test_a_database_that_is_away_is_waited_for(folder: Path, capsys: pytest.CaptureFixture[str]):
    path, away = folder / DATABASE, folder / "away"
    tail = Tail(path)

    def goes() -> None:
        path.rename(away)

    def comes() -> None:
        away.rename(path)
        commits(folder, "n1")()

    assert names(follow(tail, times(goes, lambda: None, comes))) == ["n1"]
    assert capsys.readouterr().err.count("waiting for it") == 1


def test_another_database_is_followed_from_its_end(folder: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()

    def replace() -> None:
        commits(other, "o1")()
        (other / DATABASE).rename(folder / DATABASE)

    found = names(follow(Tail(folder / DATABASE), times(replace, commits(folder, "n1"))))
    assert found == ["n1"]


def test_only_what_is_wanted(folder: Path):
    everything = list(follow(Tail(folder / DATABASE, since=0), times()))
    moved = [each for each in everything if Wanted()(each)]
    assert all(each.past.moved for each in moved)
    assert len(moved) < len(everything)
    assert {each.past.target for each in everything if Wanted(states=[State.DEFERRED])(each)} == {State.DEFERRED}
    assert {each.node for each in everything if Wanted(nodes=["db1.example.net"], all=True)(each)} == {
        "db1.example.net"
    }


def test_a_line_is_for_people_or_for_programs(folder: Path):
    found = next(follow(Tail(folder / DATABASE, since=0), times()))
    assert found.node in text(found, None)
    assert "unseen -> discovered" in text(found, None)
    assert len(text(found, 40)) <= 40
    assert json.loads(json.dumps(document(found)))["row"] == "first-seen"


def test_a_name_is_shown_whole_and_tame(folder: Path):
    asyncio.run(hostile(folder))
    said = [text(each, None) for each in follow(Tail(folder / DATABASE, since=0), times())]
    assert not any("\x1b" in line for line in said)


async def hostile(folder: Path) -> None:
    journal = open_store(folder / DATABASE)
    await Author(journal, "n\x1b[31m", AT).seen()
    await journal.close()
