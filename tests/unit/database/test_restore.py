"""`usher db restore` without a daemon, and databases that no job uses: each is refused with the next command."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from store.reader import open_reader
from tests.unit.database.asking import OLDER, asked, change, told
from usher import cli

# -- what is no database of ours --------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["check", "backup", "downgrade-check", "vacuum"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: change(path, "PRAGMA user_version = 9"), "schema version 9, this usher knows"),
        (lambda path: change(path, "PRAGMA application_id = 1"), "another program's database: move it away (mv "),
        (lambda path: path.write_bytes(b"text" * 5000), "restore a backup (usher db restore "),
        (lambda path: path.write_bytes(b""), "is empty, what was in it is lost: restore a backup (usher db restore "),
        (lambda path: (path.unlink(), path.mkdir()), "is no file (a directory): move it away (mv "),
        (lambda path: (path.unlink(), path.symlink_to(path)), "is no file (a link that leads to itself)"),
    ],
)
def test_what_cannot_be_used_is_refused_by_every_job(
    state: Path, job: str, spoil: Any, said: str, capsys: pytest.CaptureFixture[str]
):
    spoil(state / "usher.db")
    reason = ["--reason", "r"] if job == "vacuum" else []
    assert said in told(capsys, state, job, *reason, code=1)
    assert cli.main(["nodes", "list", "--state", str(state)]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert said in out.err, "a reading command says the same"
    assert len(out.err.splitlines()) == 1


def test_where_nothing_is_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for job in ("check", "backup", "downgrade-check"):
        told(capsys, tmp_path / "none", job, code=3)
        assert "there is no database at" in told(capsys, tmp_path, job, code=1)
    assert not (tmp_path / "none").exists()
    assert {file.name for file in tmp_path.iterdir()} <= {"lock"}


# -- restore ----------------------------------------------------------------------------------------------------------


def test_a_backup_is_restored_without_a_daemon(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    where = tmp_path / "here.db"
    asked(capsys, state, "backup", str(where))
    said = told(capsys, state, "restore", str(where), "--reason", "the disk was lost")
    (kept,) = state.glob("usher.db.before-restore-*")
    assert f"what was there is kept: {kept}" in said
    assert "the daemon" not in said
    assert asked(capsys, state, "check")["sound"]
    with open_reader(state / "usher.db") as reader:
        entry = reader.last("restored")
    assert entry is not None
    assert entry.reason == "the disk was lost"


def test_a_lost_disk_gets_its_directory_anew(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    where = tmp_path / "here.db"
    asked(capsys, state, "backup", str(where))
    shutil.rmtree(state)
    told(capsys, state, "restore", str(where), "--reason", "the disk was lost")
    assert state.stat().st_mode & 0o777 == 0o700
    assert asked(capsys, state, "check")["nodes"] == 6


def test_a_broken_database_is_replaced_and_kept(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    where = tmp_path / "here.db"
    asked(capsys, state, "backup", str(where))
    (state / "usher.db").write_bytes(b"lost" * 100)
    answer = asked(capsys, state, "restore", str(where), "--reason", "r")
    assert Path(answer["kept"]).read_bytes() == b"lost" * 100
    assert asked(capsys, state, "check")["sound"]


def test_what_cannot_be_restored_is_said(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    database, before = state / "usher.db", (state / "usher.db").read_bytes()
    (tmp_path / "text").write_text("no database" * 100)
    said = told(capsys, state, "restore", str(tmp_path / "text"), "--reason", "r", code=1)
    assert f"{tmp_path}/text cannot be restored: it is no SQLite database: name a backup that this usher made" in said
    assert "nothing was touched" in said
    assert "is the database itself" in told(capsys, state, "restore", str(database), "--reason", "r", code=1)
    assert "there is no database at" in told(capsys, state, "restore", "/nowhere.db", "--reason", "r", code=1)
    assert database.read_bytes() == before


def test_an_older_backup_is_restored_and_brought_up_to_date(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with closing(sqlite3.connect(tmp_path / "old.db")) as db:
        db.executescript(OLDER.read_text(encoding="utf-8"))
    asked(capsys, state, "restore", str(tmp_path / "old.db"), "--reason", "r")
    answer = asked(capsys, state, "check")
    assert (answer["sound"], answer["nodes"]) == (True, 8)
    assert b"CANARY" not in (state / "usher.db").read_bytes()
