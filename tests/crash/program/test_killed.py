"""The daemon is killed, the broker goes away, the fleet is unkind: all are provisioned all the same."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.whole import Whole, whole

pytestmark = pytest.mark.network

UNKIND = (
    "--lose", "0.03", "--mute", "0.03", "--duplicate", "0.1", "--late", "0.1:0.1-1", "--delay", "0.1:0.1-1",
    "--refuse", "0.03", "--seed", "7",
)  # fmt: skip


def slow(directory: Path) -> str:
    """The site's helper, which takes its time: a process that ends meanwhile has most nodes there."""
    return f"/bin/sh -c 'sleep 0.2; exec {directory}/site/helper.py'"


def fine(made: Whole) -> None:
    """No node is without its key, none came back for a token that is not its own, and nobody saw a bug."""
    for child in made.children:
        assert "Traceback" not in child.log.read_text()
    with closing(sqlite3.connect(made.site.state / "usher.db")) as database:
        rows = {row for (row,) in database.execute("SELECT DISTINCT name FROM history")}
        assert "gone" in rows
        assert not {"quarantine", "came-back", "looping", "restart-in-vain", "fail"} & rows
        assert database.execute("SELECT count(*) FROM effects WHERE closed_at IS NULL").fetchone() == (0,)
        interrupted = database.execute("SELECT count(*) FROM effects WHERE certainty = 'interrupted'").fetchone()
        assert interrupted > (0,)


async def test_killed_while_helpers_run_and_then_the_broker_goes_away(tmp_path: Path):
    async with whole(tmp_path / "w", retry_cap="5s", helper=slow(tmp_path / "w")) as made:
        made.fleet(12, "--server-events")
        daemon = made.daemon()
        await made.until(2, State.RESTARTED, State.PROVISIONED)
        os.kill(daemon.pid, signal.SIGKILL)
        assert await daemon.ended == -signal.SIGKILL
        daemon = made.daemon()
        await made.until(8, State.RESTARTED, State.PROVISIONED)
        await made.broker.astop()
        await made.until_so(lambda: any("disconnected" in line["msg"] for line in made.log(daemon)))
        assert (await made.ask("status")).code == 1
        await made.broker.astart()
        await made.until(12, State.PROVISIONED)
        assert (await made.ask("status")).code == 0
        os.kill(daemon.pid, signal.SIGTERM)
        assert await daemon.ended == 0
        fine(made)


async def test_an_unkind_fleet(tmp_path: Path):
    async with whole(tmp_path / "w", retry_cap="5s") as made:
        made.fleet(20, *UNKIND)
        daemon = made.daemon()
        await made.until(14, State.PROVISIONED)
        assert daemon.pid
        os.kill(daemon.pid, signal.SIGTERM)
        assert await daemon.ended == 0


async def test_a_second_writer_ends_it_and_names_the_row(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        daemon = made.daemon()
        await made.until_so((made.site.state / "control.sock").exists)
        assert (await made.ask("pause", "--reason", "to change the database")).code == 0
        made.fleet(1)
        await made.until(1, State.DISCOVERED)
        with closing(sqlite3.connect(made.site.state / "usher.db", isolation_level=None)) as database:
            database.execute("UPDATE nodes SET seq = seq + 5")
        await made.ask("nodes", "quarantine", "node-0001.example.net", "--reason", "smoke")
        assert await daemon.ended == 1
        said = daemon.log.read_text()
        assert "node-0001.example.net" in said
        assert "Traceback" not in said
