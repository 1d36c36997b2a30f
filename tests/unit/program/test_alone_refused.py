"""What commands without a daemon refuse: no database, a lock, a database that cannot be used, a full disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fsm.codec import decode_snapshot
from fsm.events import Verb
from store.connections import connect
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.written import write_database
from tests.integration.recovery.hurried import Disk
from tests.patience import PATIENCE
from tests.unit.program.alone import NOW, UNDER_WAY, made, usher
from usher import operate
from usher.alone import do
from usher.control.client import RefusedError
from usher.control.protocol import Ask, Command
from usher.state import StateDirectory


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state directory of a daemon that was killed while a helper ran for web4."""
    return made(tmp_path / "state")


COMMANDS = [("pause",), ("resume",), ("nodes", "retry", UNDER_WAY), ("nodes", "quarantine", "--force", "n.example.net")]


@pytest.mark.parametrize("words", COMMANDS)
def test_where_nothing_is_nothing_is_made(tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    for folder in (tmp_path / "none", tmp_path):
        assert usher(folder, *words) == operate.NO_DAEMON
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert "start it with usher run" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", COMMANDS)
def test_who_has_the_lock_is_named(state: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    owner = StateDirectory(state)
    owner.lock()
    try:
        assert usher(state, *words) == operate.NO_DAEMON
        assert f"process {os.getpid()} holds its lock; it starts" in capsys.readouterr().err
    finally:
        owner.unlock()
    assert usher(state, *words) == operate.WELL


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"text" * 5000), "no SQLite database"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: (path.unlink(), path.mkdir()), "is no file"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(
    state: Path, words: tuple[str, ...], spoil: Callable[[Path], Any], said: str, capsys: pytest.CaptureFixture[str]
):
    spoil(state / "usher.db")
    assert usher(state, *words) == operate.TROUBLE
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert said in told.err


async def test_a_full_disk_is_refused_and_not_waited_for(tmp_path: Path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    await write_database(folder, NOW)
    state = StateDirectory(folder)
    many = tuple(f"{'x' * 200}{number}" for number in range(500))
    opening = partial(open_store, connect=Disk(0).connect)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RefusedError, match="disk of the state directory is full"):
            await do(state, Ask(Command.NODES, "smoke", Verb.QUARANTINE, many), opening)
    with closing(sqlite3.connect(state.database)) as db:
        bodies = [decode_snapshot(body) for (body,) in db.execute("SELECT body FROM nodes WHERE node LIKE 'xxx%'")]
    assert all(body.held for body in bodies)
    assert len(bodies) < len(many)


class Broken(sqlite3.Connection):
    """A disk that gives back something else than was written, found out when history is."""

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if "INTO history" in sql:
            raise sqlite3.DatabaseError("database disk image is malformed")
        return super().executemany(sql, *values)


async def test_a_database_that_breaks_meanwhile_is_said_and_not_waited_for(tmp_path: Path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    await write_database(folder, NOW)
    opening = partial(open_store, connect=lambda path: connect(path, Broken))
    request = Ask(Command.NODES, "smoke", Verb.QUARANTINE, ("one.example.net", "two.example.net"))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RefusedError, match="malformed; see what is wrong with it: usher db check --state "):
            await do(StateDirectory(folder), request, opening)
    with open_reader(folder / "usher.db") as reader:
        assert reader.node("one.example.net") is None
