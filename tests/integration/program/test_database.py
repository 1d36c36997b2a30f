"""The database is kept while usher works: a real broker, a fleet, and `usher db` beside them."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fsm.states import State
from store.audit import audit
from tests.fakes.whole import Whole, whole

pytestmark = pytest.mark.network


def lineage(database: Path) -> str:
    """The database's own."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        found: str = db.execute("SELECT lineage FROM meta").fetchall()[0][0]
    return found


async def up(made: Whole, wanted: str) -> None:
    """Wait until the daemon answers with the database of that lineage."""
    answered = ""
    while answered != wanted:
        said = await made.ask("status", "--json")
        answered = json.loads(said.out)["lineage"] if said.code != 3 else ""


async def test_a_backup_is_made_and_restored_while_usher_works(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        daemon, database = made.daemon(), made.site.state / "usher.db"
        made.fleet(20)
        await made.until(5, State.PROVISIONED)
        backup = json.loads((await made.ask("db", "backup", "--json")).out)
        assert backup["nodes"] >= 5
        assert Path(backup["file"]).parent == made.site.state / "backups"
        await made.until(20, State.PROVISIONED)
        first = lineage(database)

        said = await made.ask("db", "restore", backup["file"], "--reason", "a drill", "--json")
        assert said.code == 0, said.err
        restored = json.loads(said.out)
        await up(made, restored["lineage"])
        assert lineage(database) == restored["lineage"] != first == lineage(Path(restored["kept"]))
        status = json.loads((await made.ask("status", "--json")).out)
        assert status["pid"] == daemon.pid
        assert "restored" in status["holds"]
        checked = await made.ask("db", "check")
        assert checked.code == 0, checked.out + checked.err
        assert (await made.ask("db", "vacuum", "--reason", "a drill")).code == 0
        os.kill(daemon.pid, 15)
        assert await daemon.ended == 0
    with closing(sqlite3.connect(database)) as db:
        entries = dict(db.execute("SELECT kind, name FROM journal ORDER BY position"))
        open_then = {node for (node,) in db.execute("SELECT node FROM history WHERE name = 'asked-to-reprovision'")}
        states = dict(db.execute("SELECT node, state FROM nodes"))
    assert list(entries) == ["tokens", "restored", "settled", "vacuum"]
    assert entries["settled"] == "usher"
    assert all(states[node] == "reprovision" for node in open_then), "nothing is sent for a minute"
    assert audit(database).sound


async def test_a_restore_survives_a_death_and_a_database_that_is_taken_away_is_put_back(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        daemon, database = made.daemon(), made.site.state / "usher.db"
        made.fleet(10)
        await made.until(3, State.PROVISIONED)
        backup = json.loads((await made.ask("db", "backup", "--json")).out)
        restored = json.loads((await made.ask("db", "restore", backup["file"], "--reason", "a drill", "--json")).out)
        os.kill(daemon.pid, 9)
        await daemon.ended
        daemon = made.daemon()
        await up(made, restored["lineage"])
        assert lineage(database) == restored["lineage"]

        database.unlink()
        assert (await made.ask("pause", "--reason", "something is to be committed")).code != 0
        assert await daemon.ended == 1
        said = next(line for line in daemon.tail() if "put it back with: " in line)
        saved = next(made.site.state.glob("usher.db.saved-*"))
        assert f"usher db restore {saved} --reason WHY --state {made.site.state}" in said
        assert (await made.ask("db", "restore", str(saved), "--reason", "it was removed")).code == 0
        checked = await made.ask("db", "check")
        assert (checked.code, checked.err) == (0, ""), checked.out
