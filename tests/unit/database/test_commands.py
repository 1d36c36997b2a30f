"""`usher db`: what each job answers, on a sound database and on others; the exit codes; the words."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store.audit import audit
from store.repository import open_store
from tests.unit.database.asking import OLDER, asked, change, told
from usher import cli

# -- backup -----------------------------------------------------------------------------------------------------------


def test_a_backup_has_a_name_that_says_what_it_is(state: Path, capsys: pytest.CaptureFixture[str]):
    made = asked(capsys, state, "backup")
    file = Path(made["file"])
    assert file.parent == state / "backups"
    assert file.name.endswith(f"-v{made['schema']}-{made['lineage']}.db")
    assert (made["nodes"], made["vault_key"]) == (6, str(state / "vault.key"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert audit(file).sound
    again = asked(capsys, state, "backup")
    assert again["file"] != made["file"], "two in a second"


def test_a_backup_goes_where_it_is_told_and_overwrites_nothing(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    where = tmp_path / "here.db"
    said = told(capsys, state, "backup", str(where))
    assert "6 nodes, 34 rows of history" in said
    assert f"not in it  the vault's key, {state}/vault.key: without it" in said
    before = where.read_bytes()
    assert "is there already, and no backup is written over" in told(capsys, state, "backup", str(where), code=1)
    assert where.read_bytes() == before
    assert "cannot be written" in told(capsys, state, "backup", str(tmp_path / "no" / "x.db"), code=1)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["here.db", "state"]


@pytest.mark.parametrize("words", [("backup", ""), ("check", " "), ("restore", "", "--reason", "x"),
                                   ("rekey", "--reason", "x", "--key-file=")])  # fmt: skip
def test_an_empty_name_is_no_file(state: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        cli.main(["db", *words, "--state", str(state)])
    assert ended.value.code == 2
    assert "it is empty: name a file" in capsys.readouterr().err


def test_a_path_is_made_absolute_by_the_command(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert asked(capsys, state, "backup", "here.db")["file"] == str(tmp_path / "here.db")


# -- check ------------------------------------------------------------------------------------------------------------


def test_a_sound_database_is_decided_again(state: Path, capsys: pytest.CaptureFixture[str]):
    answer = asked(capsys, state, "check")
    assert (answer["sound"], answer["faults"], answer["rows"], answer["decided_again"]) == (True, [], 34, 34)
    assert "34 rows were decided again and lead to what is held" in told(capsys, state, "check")


def test_a_backup_is_checked_where_no_usher_ever_was(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked(capsys, state, "backup", str(tmp_path / "copy.db"))
    nowhere = tmp_path / "nowhere"
    assert asked(capsys, nowhere, "check", str(tmp_path / "copy.db"))["sound"] is True
    (tmp_path / "other.db").write_bytes(b"no database" * 100)
    assert "is no SQLite database" in told(capsys, nowhere, "check", str(tmp_path / "other.db"), code=1)
    assert "no usher answers" in told(capsys, nowhere, "check", code=3)
    assert not nowhere.exists()


TWICE = """
INSERT INTO effects
SELECT 900 + position, node, 900, epoch, generation, first, effect, try, status, certainty, reason, at, entropy, since,
  closed_at
FROM effects WHERE effect = 'sign_token'
"""
LOST = f"INSERT INTO vault VALUES ('web4.example.net', 1, 'lost', x'{'01' * 80}')"  # noqa: S608 a constant
FAULTS = {
    "chain": ("DROP TRIGGER history_changes", "UPDATE history SET at = at + 1 WHERE position = 5"),
    "snapshots": ("UPDATE nodes SET generation = 9 WHERE node = 'web1.example.net'",),
    "history": ("UPDATE nodes SET body = CAST(replace(CAST(body AS TEXT), '0.30.2', '0.30.3') AS BLOB)",),
    "open effects": ("UPDATE effects SET status = 'done', closed_at = 1 WHERE node = 'web4.example.net'",),
    "epochs": ("UPDATE effects SET epoch = 0 WHERE node = 'web1.example.net'",),
    "later epochs": ("UPDATE meta SET epoch = 0",),
    "held": ("UPDATE nodes SET due_at = 1, due_kind = 'retry', due_span = 1 WHERE held = 1",),
    "references": ("INSERT INTO blob_refs VALUES ('web4.example.net', 1, 'nothing')",),
    "sealing": ("INSERT INTO vault VALUES ('web4.example.net', 1, 'bare', 'CANARY that nobody sealed')",),
    "keys": (LOST,),
    "credentials": (TWICE,),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_the_next_command_is_named(state: Path, fault: str, capsys: pytest.CaptureFixture[str]):
    asked(capsys, state, "backup")
    change(state / "usher.db", *FAULTS[fault])
    answer = asked(capsys, state, "check", code=1)
    assert answer["sound"] is False
    assert fault in {each["check"] for each in answer["faults"]}
    backup = next((state / "backups").iterdir())
    assert answer["next"] == f"usher db restore {backup} --reason WHY --state {state}"
    said = told(capsys, state, "check", code=1)
    assert f"{fault}: " in said
    assert f"next: {answer['next']}" in said


def test_rows_that_cannot_be_decided_again_are_counted(state: Path, capsys: pytest.CaptureFixture[str]):
    change(state / "usher.db", "UPDATE history SET payload = NULL WHERE node = 'web1.example.net'")
    answer = asked(capsys, state, "check")
    assert (answer["nodes_not_decided"], answer["sound"]) == (1, True)
    assert "1 nodes have rows that cannot be decided again: usher replay NODE" in told(capsys, state, "check")


def test_a_broken_page_is_found(state: Path, capsys: pytest.CaptureFixture[str]):
    database = state / "usher.db"
    with closing(sqlite3.connect(database)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'nodes_by_reason'").fetchall()[0][0]
    spoilt = bytearray(database.read_bytes())
    spoilt[(page - 1) * 4096 + 8 : (page - 1) * 4096 + 600] = bytes(592)
    database.write_bytes(spoilt)
    answer = asked(capsys, state, "check", code=1)
    assert answer["faults"][0]["check"] == "integrity"


def test_a_backup_is_checked_too(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    where = tmp_path / "here.db"
    asked(capsys, state, "backup", str(where))
    assert asked(capsys, state, "check", str(where))["sound"]
    change(where, *FAULTS["chain"])
    answer = asked(capsys, state, "check", str(where), code=1)
    assert (answer["sound"], answer["next"]) == (False, "usher db backup")


# -- downgrade-check, and the rest ------------------------------------------------------------------------------------


def test_the_way_back_leads_over_the_backup_of_the_migration(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    database = tmp_path / "usher.db"
    with closing(sqlite3.connect(database)) as db:
        db.executescript(OLDER.read_text(encoding="utf-8"))
    asyncio.run(opened(database))
    backup = next((tmp_path / "backups").iterdir())
    answer = asked(capsys, tmp_path, "downgrade-check", code=1)
    assert (answer["opens"], answer["release"], answer["backup"]) == (False, "0.1.0", str(backup))
    assert (answer["lost"]["rows"], answer["lost"]["nodes"]) == (0, 0)
    assert f"cp -p {backup} {database}" in answer["steps"]
    change(database, "DELETE FROM lineages", "DROP TRIGGER history_changes", "UPDATE history SET hash = x'00'")
    assert asked(capsys, tmp_path, "downgrade-check", "1", code=1)["lost"]["rows"] > 0, "a backup of another history"


async def opened(database: Path) -> None:
    await open_store(database).close()


def test_without_a_backup_all_would_be_lost(state: Path, capsys: pytest.CaptureFixture[str]):
    said = told(capsys, state, "downgrade-check", "0.1.0", code=1)
    assert "usher 0.1.0 knows schema version 1 and cannot open it" in said
    assert "going back loses all there is: 34 rows of history, of 6 nodes" in said
    assert "known are 0.1.0 (schema 1)" in told(capsys, state, "downgrade-check", "7", code=1)


@pytest.mark.parametrize("job", ["vacuum", "restore x", "rekey"])
def test_who_changes_something_says_why(state: Path, job: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(["db", *job.split(), "--state", str(state)])
    assert caught.value.code == 2
    assert "--reason" in capsys.readouterr().err
    assert cli.main(["db", *job.split(), "--state", str(state), "--reason", "  "]) == 2


@pytest.mark.parametrize("job", ["backup", "check", "restore", "vacuum", "downgrade-check", "rekey"])
def test_each_job_tells_its_exit_codes_and_examples(job: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(["db", job, "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "Exit code: 0" in said
    assert f"\n  usher db {job}" in said


def test_a_start_that_holds_the_lock_is_named(state: Path, capsys: pytest.CaptureFixture[str]):
    from usher.state import StateDirectory  # noqa: PLC0415 the one that holds it

    owner = StateDirectory(state)
    owner.lock()
    said = told(capsys, state, "check", code=3)
    owner.unlock()
    assert f"process {os.getpid()} holds its lock" in said
