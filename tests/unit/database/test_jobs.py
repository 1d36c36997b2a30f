"""Jobs: the same one through the socket of a daemon and without one; what peers may do to it."""

from __future__ import annotations

import asyncio
import getpass
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import orjson
import pytest

from store.backup import back_up
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.control import FakeDaemon
from tests.fakes.written import write_database
from tests.patience import PATIENCE
from usher import cli
from usher.control.client import RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.control.server import ControlServer
from usher.database.desk import Jobs
from usher.state import StateDirectory

NOW = 1_795_200_000_000


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[tuple[StateDirectory, Journal, Jobs]]:
    """A journal behind a control socket."""
    await write_database(folder, NOW)
    state, journal, daemon = StateDirectory(folder), open_store(folder / "usher.db"), FakeDaemon()
    jobs = Jobs(state, lambda: journal, lambda: NOW, lambda: None)
    server = ControlServer(state.socket, daemon, daemon, jobs)
    await server.start()
    try:
        yield state, journal, jobs
    finally:
        await server.close()
        await jobs.close()
        await journal.close()


async def test_a_job_is_done_by_the_daemon_under_the_peers_name(tmp_path: Path):
    async with kept(tmp_path) as (state, _, _):
        answer = await asyncio.to_thread(ask, state, Ask(Command.DATABASE, "small disk", job="vacuum"))
    assert answer["result"]["after"] > 0
    with open_reader(tmp_path / "usher.db") as reader:
        entry = reader.last("vacuum")
    assert entry is not None
    assert (entry.name, entry.reason) == (getpass.getuser(), "small disk")
    assert orjson.loads(entry.payload or b"") == answer["result"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Ask(Command.DATABASE, "r", job="burn"), "there is no job 'burn'; known are"),
        (Ask(Command.DATABASE, "  ", job="vacuum"), "a reason is needed"),
    ],
)
async def test_what_cannot_be_done_is_said(tmp_path: Path, request_: Ask, said: str):
    async with kept(tmp_path) as (state, _, _):
        with pytest.raises(RefusedError, match=said):
            await asyncio.to_thread(ask, state, request_)


def test_the_command_does_the_same_without_a_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(write_database(tmp_path, NOW))
    assert cli.main(["db", "vacuum", "--state", str(tmp_path), "--reason", "why", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["database"] == str(tmp_path / "usher.db")
    with open_reader(tmp_path / "usher.db") as reader:
        entry = reader.last("vacuum")
    assert entry is not None
    assert (entry.name, entry.reason) == (getpass.getuser(), "why")


class Slow:
    """A job that waits for its turn on the writer's connection: it goes on when it is told."""

    def __init__(self, journal: Journal) -> None:
        self.began, self.go_on = asyncio.Event(), Event()
        loop = asyncio.get_running_loop()

        def hold(_: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(self.began.set)
            assert self.go_on.wait(PATIENCE)

        self.held = journal.maintain(hold)


async def test_one_job_at_a_time_and_the_socket_answers_meanwhile(tmp_path: Path):
    async with kept(tmp_path) as (state, journal, jobs):
        slow = Slow(journal)
        await slow.began.wait()
        first = asyncio.create_task(asyncio.to_thread(ask, state, Ask(Command.DATABASE, "r", job="vacuum")))
        await until(lambda: under_way(jobs))
        with pytest.raises(RefusedError, match="another job is being done"):
            await asyncio.to_thread(ask, state, Ask(Command.DATABASE, "r", job="check"))
        assert (await asyncio.to_thread(ask, state, Ask(Command.STATUS)))["ok"]
        slow.go_on.set()
        assert (await first)["ok"]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a thread of the daemon, which tells nobody."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0)


def under_way(jobs: Jobs) -> bool:
    """Whether the vacuum waits for its turn."""
    return "written anew" in jobs.progress


async def test_a_peer_that_goes_away_does_not_end_its_job(tmp_path: Path):
    async with kept(tmp_path) as (state, journal, jobs):
        slow = Slow(journal)
        await slow.began.wait()
        _, writer = await asyncio.open_unix_connection(str(state.socket))
        writer.write(Ask(Command.DATABASE, "gone", job="vacuum").encode())
        await writer.drain()
        await until(lambda: under_way(jobs))
        writer.transport.abort()
        slow.go_on.set()
        await until(lambda: noted(tmp_path) == "gone")


def noted(folder: Path) -> str:
    with open_reader(folder / "usher.db") as reader:
        entry = reader.last("vacuum")
    return entry.reason if entry is not None else ""


async def test_a_word_that_it_goes_on_is_no_answer(tmp_path: Path):
    heard: list[str] = []

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        for line in (b'{"working":"half"}\n{"wor', b'king":"more"}\n', b'{"ok":true,"result":{}}\n'):
            writer.write(line)
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(reply, str(tmp_path / "control.sock"))
    request = Ask(Command.DATABASE, "r", job="vacuum")
    assert (await asyncio.to_thread(ask, StateDirectory(tmp_path), request, heard.append))["result"] == {}
    assert heard == ["half", "more"]
    server.close()


async def test_an_end_is_told_to_whoever_waits_for_a_job(tmp_path: Path):
    await write_database(tmp_path, NOW)
    state, journal, daemon = StateDirectory(tmp_path), open_store(tmp_path / "usher.db"), FakeDaemon()
    jobs = Jobs(state, lambda: journal, lambda: NOW, lambda: None)
    server = ControlServer(state.socket, daemon, daemon, jobs)
    await server.start()
    slow = Slow(journal)
    await slow.began.wait()
    asked = asyncio.create_task(asyncio.to_thread(ask, state, Ask(Command.DATABASE, "r", job="vacuum")))
    await until(lambda: under_way(jobs))
    await server.close()
    with pytest.raises(RefusedError, match="usher is ending"):
        await asked
    slow.go_on.set()
    await journal.close()
    await jobs.close()


async def test_a_restore_has_the_daemon_start_anew_once_it_is_answered(tmp_path: Path):
    await write_database(tmp_path, NOW)
    back_up(tmp_path / "usher.db", tmp_path / "backup.db")
    state, journal, daemon = StateDirectory(tmp_path), open_store(tmp_path / "usher.db"), FakeDaemon()
    anew, held = asyncio.Event(), list[bool]()
    jobs = Jobs(state, lambda: journal, lambda: NOW, anew.set, hold=held.append)
    server = ControlServer(state.socket, daemon, daemon, jobs)
    await server.start()
    arguments = {"file": str(tmp_path / "nothing.db")}
    with pytest.raises(RefusedError, match="there is no database at"):
        await asyncio.to_thread(ask, state, Ask(Command.DATABASE, "r", job="restore", arguments=arguments))
    assert (held, anew.is_set()) == ([True, False], False)
    arguments = {"file": str(tmp_path / "backup.db")}
    answer = await asyncio.to_thread(ask, state, Ask(Command.DATABASE, "r", job="restore", arguments=arguments))
    await anew.wait()
    assert held == [True, False, True], "nothing is sent from then on"
    assert answer["result"]["daemon"]
    assert (tmp_path / "usher.db.incoming").exists()
    with pytest.raises(RefusedError, match="usher is ending"):
        await asyncio.to_thread(ask, state, Ask(Command.DATABASE, "r", job="vacuum"))
    await server.close()
    await jobs.close()
    await journal.close()
