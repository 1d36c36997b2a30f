"""Jobs: the same one through the socket of a daemon and without one; what peers may do to it."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.control import FakeDaemon
from tests.fakes.written import write_database
from usher import cli
from usher.control.client import RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.control.server import ControlServer
from usher.database.desk import Jobs
from usher.state import StateDirectory

NOW = 1_795_200_000_000


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[tuple[StateDirectory, Journal]]:
    """A journal behind a control socket."""
    await write_database(folder, NOW)
    state, journal, daemon = StateDirectory(folder), open_store(folder / "usher.db"), FakeDaemon()
    jobs = Jobs(state, lambda: journal, lambda: NOW, lambda: None)
    server = ControlServer(state.socket, daemon, daemon, jobs)
    await server.start()
    yield state, journal
    await server.close()
    await jobs.close()
    await journal.close()


async def test_a_job_is_done_by_the_daemon_under_the_peers_name(tmp_path: Path):
    async with kept(tmp_path) as (state, _):
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
    async with kept(tmp_path) as (state, _):
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
