"""The walks of docs/recovery.md for the database: last night's backup, a damaged file, a newer one."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fsm.states import State
from tests.crash.older import make_older
from tests.integration.recovery.drill import NODES, drill

pytestmark = pytest.mark.network

HELD = "node-0001.example.net"


async def test_last_nights_backup_is_restored(tmp_path: Path):
    """Made in the middle of the fleet, restored when all had gone through: what it believes wrongly is found out."""
    async with drill(tmp_path / "w") as made:
        fleet = made.servers()
        daemon = made.hurried()
        await made.until(6, State.RESTARTED, State.PROVISIONED)
        saved = await made.ask("db", "backup", str(tmp_path / "backup.db"), "--json")
        assert saved.code == 0, saved.err
        await made.until(NODES, State.PROVISIONED)
        assert (await made.ask("nodes", "quarantine", HELD, "--reason", "after the backup")).code == 0
        os.kill(daemon.pid, signal.SIGKILL)
        await daemon.ended
        before = {node["node"]: node["token_id"] for node in await made.told(fleet)}
        lineage = made.rows("SELECT lineage FROM meta")[0][0]

        restored = await made.ask(
            "db", "restore", str(tmp_path / "backup.db"), "--reason", "the disk was lost", "--json"
        )
        assert restored.code == 0, restored.err
        document = json.loads(restored.out)
        assert document["kept"] in map(str, made.state.iterdir())
        daemon = made.hurried()
        await made.until_so(lambda: set(made.counts()) <= {State.PROVISIONED, State.GONE})
        after = await made.until_left(fleet)
        await made.stopped(daemon)
        assert made.rows("SELECT lineage FROM meta")[0][0] == document["lineage"] != lineage
        assert {node["node"]: node["token_id"] for node in after} == before, "somebody who had left was disturbed"
        checked = await made.ask("db", "check")
        assert checked.code == 0, checked.out + checked.err


async def test_a_damaged_database_is_named_and_a_backup_put_in_its_place(tmp_path: Path):
    async with drill(tmp_path / "w") as made:
        fleet = made.servers(12)
        daemon = made.hurried()
        await made.until(12, State.PROVISIONED)
        assert (await made.ask("db", "backup")).code == 0
        await made.stopped(daemon)
        made.database.write_bytes(b"\xff" * 4096 + made.database.read_bytes()[4096:])
        refused = await made.say(*made.site.daemon())
        assert refused.code == 1
        assert "usher db restore" in refused.err
        assert str(made.database) in refused.err
        assert "Traceback" not in refused.err
        (backup,) = (made.state / "backups").iterdir()
        restored = await made.ask("db", "restore", str(backup), "--reason", "it was damaged")
        assert restored.code == 0, restored.err
        daemon = made.hurried()
        await made.until_so((made.state / "control.sock").exists)
        await made.until(12, State.PROVISIONED)
        await made.until_left(fleet, 12)
        await made.stopped(daemon)


async def test_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path):
    async with drill(tmp_path / "w") as made:
        daemon = made.hurried()
        await made.until_so((made.state / "control.sock").exists)
        await made.stopped(daemon)
        with closing(sqlite3.connect(made.database, isolation_level=None)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute(f"PRAGMA user_version = {version + 1}")
        before = made.database.read_bytes()
        refused = await made.say(*made.site.daemon())
        assert refused.code == 1
        assert f"has schema version {version + 1}, this usher knows {version}" in refused.err
        assert made.database.read_bytes() == before


async def test_a_database_of_an_older_release_is_brought_up_to_date_in_the_middle_of_a_fleet(tmp_path: Path):
    """What the older release kept unsealed is dropped, so those in the middle begin anew; a backup is made before."""
    async with drill(tmp_path / "w") as made:
        fleet = made.servers()
        await made.killed_in_the_middle()
        make_older(made.database)
        daemon = made.hurried()
        await made.until_left(fleet)
        await made.until_so(lambda: set(made.counts()) <= {State.PROVISIONED, State.GONE})
        going_back = await made.ask("db", "downgrade-check")
        await made.stopped(daemon)
        assert any("the database was brought up to date" in line["msg"] for line in made.log(daemon))
        (backup,) = (made.state / "backups").iterdir()
        assert "-v1-" in backup.name
        assert (going_back.code, str(backup) in going_back.out) == (1, True), going_back.out
