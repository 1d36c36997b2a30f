"""Verifying: whatever was changed behind usher's back is found and named, with what was kept elsewhere or without."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm.states import State
from store.audit import Fault
from store.chain import ENVELOPE, link
from store.checkpoints import Checkpoint
from store.entries import FleetEntry
from store.reader import open_reader
from store.records import checkpoints
from store.repository import open_store
from store.restoring import stage, take_in
from tests.fakes.audited import KEY, NOW, OTHER, audited, edit, keys, sign
from tests.fakes.units import Life
from usher import cli
from usher.audit.exported import document, line, read_file
from usher.audit.verify import Report, examine


def examined(database: Path, exported: list[Checkpoint] | None = None, key: str | None = None) -> Report:
    with open_reader(database) as reader:
        return examine(reader, exported or [], [key] if key else [])


def stored(database: Path) -> list[Checkpoint]:
    with open_reader(database) as reader:
        return list(checkpoints(reader))


def fault(database: Path, exported: list[Checkpoint] | None = None, key: str | None = None) -> Fault:
    report = examined(database, exported, key)
    assert report.fault is not None
    assert report.code == 1
    return report.fault


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return audited(tmp_path / "state", checkpoints=2)


def test_what_nobody_touched_verifies(database: Path):
    report = examined(database, stored(database), KEY.public_hex)
    assert (report.fault, report.code, report.checked, report.lost) == (None, 0, 2, [])
    assert report.newest is not None
    assert report.newest.number == 2
    assert report.trust.keys == [KEY.public_hex]


def test_without_a_checkpoint_it_is_said_what_is_not_known(tmp_path: Path):
    report = examined(audited(tmp_path, checkpoints=0))
    assert report.code == 0
    assert any("no checkpoint is known" in note for note in report.notes)


@pytest.mark.parametrize(
    ("statement", "table", "position", "what"),
    [
        ("UPDATE history SET at = at + 1 WHERE position = 5", "history", 5, "its envelope was changed"),
        ("UPDATE history SET payload = x'00' WHERE position = 5", "history", 5, "its payload was changed"),
        ("UPDATE history SET node = x'00' WHERE position = 5", "history", 5, "another kind of value"),
        ("DELETE FROM history WHERE position = 5", "history", 6, "the row at position 5 is missing"),
        ("UPDATE history SET position = 99 WHERE position = 5", "history", 6, "the row at position 5 is missing"),
        ("UPDATE journal SET reason = 'z' WHERE position = 1", "journal", 1, "its envelope was changed"),
        ("UPDATE checkpoints SET position = 3 WHERE number = 1", "checkpoints", 1, "another one than was signed"),
        ("UPDATE checkpoints SET signature = zeroblob(64) WHERE number = 2", "checkpoints", 2, "its signature is not"),
        ("UPDATE checkpoints SET document = x'7b7d' WHERE number = 2", "checkpoints", 2, "its text cannot be read"),
        ("DELETE FROM checkpoints WHERE number = 1", "checkpoints", 2, "the checkpoint 1 is missing"),
    ],
)
def test_what_was_changed_is_named(database: Path, statement: str, table: str, position: int, what: str):
    edit(database, statement)
    found = fault(database)
    assert (found.table, found.position) == (table, position)
    assert what in str(found)


def test_rows_that_changed_places_are_found(database: Path):
    edit(
        database,
        "UPDATE history SET position = -5 WHERE position = 5",
        "UPDATE history SET position = 5 WHERE position = 6",
        "UPDATE history SET position = 6 WHERE position = -5",
    )
    assert (fault(database).table, fault(database).position) == ("history", 5)


def cut(database: Path, to: int) -> None:
    """Take away the last rows, and have the nodes be where they were then, as far as a shell can."""
    edit(
        database,
        f"DELETE FROM effects WHERE position > {to}",  # noqa: S608 a number
        f"DELETE FROM history WHERE position > {to}",  # noqa: S608 a number
        "DELETE FROM nodes WHERE node NOT IN (SELECT node FROM history)",
        "UPDATE nodes SET seq = (SELECT max(seq) FROM history h WHERE h.node = nodes.node)",
    )


def test_a_tail_that_was_cut_is_found_by_the_newest_checkpoint(database: Path):
    cut(database, 30)
    found = fault(database)
    assert (found.table, found.position) == ("history", 31)
    assert "the rows from here to 34 are missing, which checkpoint 1" in found.what


def test_who_cuts_the_checkpoints_too_is_found_by_one_that_was_kept_elsewhere(database: Path):
    kept = stored(database)
    cut(database, 30)
    edit(database, "DELETE FROM checkpoints")
    assert examined(database).code == 0
    found = fault(database, kept)
    assert (found.table, found.position) == ("history", 31)


def test_a_checkpoint_that_was_kept_elsewhere_is_missed(database: Path):
    kept = stored(database)
    edit(database, "DELETE FROM checkpoints WHERE number = 2")
    assert "checkpoint, which was kept elsewhere, is not in the database" in fault(database, kept).what


def rewrite(database: Path, first: int) -> None:
    """Change a row, and make every link after it anew: the chain verifies."""
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute(f"SELECT {ENVELOPE}, previous FROM history WHERE position >= {first}").fetchall()  # noqa: S608 a number
    made, previous = [], bytes(rows[0][-1])
    for place, row in enumerate(rows):
        envelope = list(row[:-1])
        envelope[6] += place == 0
        current = link(previous, envelope)
        made.append(
            f"UPDATE history SET at = {envelope[6]}, previous = x'{previous.hex()}', hash = x'{current.hex()}' "  # noqa: S608 digits
            f"WHERE position = {envelope[0]}"
        )
        previous = current
    edit(database, *made)


def test_a_history_whose_links_were_made_anew_is_found_by_a_checkpoint(database: Path):
    rewrite(database, 20)
    found = fault(database)
    assert (found.table, found.position) == ("history", 1)
    assert "the rows up to 34 were rewritten: checkpoint 1 signed another one there" in found.what


def test_nodes_that_were_moved_are_found_by_their_history(database: Path):
    edit(database, "UPDATE nodes SET seq = seq - 1 WHERE node = 'web1.example.net'")
    assert fault(database).table == "nodes"


def test_another_database_is_told_apart(tmp_path: Path, database: Path):
    kept = stored(audited(tmp_path / "another"))
    assert "another database" in fault(database, kept).what


def test_a_database_that_another_key_signed_is_told_apart(database: Path):
    assert "no checkpoint is signed by the key" in fault(database, key=OTHER.public_hex).what


def test_a_copy_that_was_put_back_is_found(tmp_path: Path):
    database = audited(tmp_path / "state", checkpoints=1)
    shutil.copy(database, tmp_path / "copy.db")
    asyncio.run(grow(database))
    kept = stored(database)
    shutil.copy(tmp_path / "copy.db", database)
    assert "are missing" in fault(database, kept).what


async def grow(database: Path) -> None:
    """Something happens, and is signed."""
    journal = open_store(database)
    await journal.fleet(FleetEntry(NOW, "resume", "anna", "done"))
    await journal.close()
    await sign(database.parent, keys(database.parent), NOW + 10)


async def test_a_restore_gives_rows_up_and_says_so(tmp_path: Path):
    folder = tmp_path / "state"
    folder.mkdir()
    journal = open_store(folder / "usher.db")
    await journal.close()
    await sign(folder, keys(folder), NOW)
    shutil.copy(folder / "usher.db", tmp_path / "backup.db")
    await grow(folder / "usher.db")
    kept = stored(folder / "usher.db")
    stage(tmp_path / "backup.db", folder / "usher.db", FleetEntry(NOW, "restored", "anna", "a drill"))
    take_in(folder / "usher.db")
    report = examined(folder / "usher.db", kept)
    assert (report.fault, report.code, len(report.lost)) == (None, 3, 1)
    assert "checkpoint 2 of lineage" in report.lost[0]


async def test_a_key_hands_over_with_both_signatures(tmp_path: Path):
    journal = open_store(tmp_path / "usher.db")
    await journal.close()
    await sign(tmp_path, keys(tmp_path), NOW)
    await sign(tmp_path, keys(tmp_path, OTHER, KEY), NOW + 1, successor=OTHER.public_hex)
    await sign(tmp_path, keys(tmp_path, OTHER), NOW + 2)
    for known in (None, KEY.public_hex, OTHER.public_hex):
        assert examined(tmp_path / "usher.db", key=known).code == 0
    edit(tmp_path / "usher.db", "UPDATE checkpoints SET countersigned = zeroblob(64) WHERE number = 2")
    assert "has not signed it" in fault(tmp_path / "usher.db").what


async def test_a_key_that_took_over_by_itself_is_found(tmp_path: Path):
    journal = open_store(tmp_path / "usher.db")
    await journal.close()
    await sign(tmp_path, keys(tmp_path), NOW)
    await sign(tmp_path, keys(tmp_path, OTHER), NOW + 1)
    found = fault(tmp_path / "usher.db")
    assert (found.position, "has not handed over" in found.what) == (2, True)
    assert examined(tmp_path / "usher.db", key=OTHER.public_hex).code == 0
    with open_reader(tmp_path / "usher.db") as reader:
        assert examine(reader, keys=[KEY.public_hex, OTHER.public_hex]).code == 0, "the first was lost: both are known"


async def test_a_key_that_has_handed_over_signs_no_more(tmp_path: Path):
    journal = open_store(tmp_path / "usher.db")
    await journal.close()
    await sign(tmp_path, keys(tmp_path), NOW)
    await sign(tmp_path, keys(tmp_path, OTHER, KEY), NOW + 1, successor=OTHER.public_hex)
    await sign(tmp_path, keys(tmp_path), NOW + 2)
    for known in (None, KEY.public_hex, OTHER.public_hex):
        assert fault(tmp_path / "usher.db", key=known).position == 3


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 9", "has schema version 9, this usher knows"),
        ("PRAGMA application_id = 1", "another program"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    database: Path, capsys: pytest.CaptureFixture[str], statement: str, said: str
):
    with closing(sqlite3.connect(database)) as db:
        db.execute(statement)
    assert cli.main(["audit", "verify", "--state", str(database.parent)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_the_command_reads_files_of_checkpoints_and_names_what_is_wrong_with_them(
    tmp_path: Path, database: Path, capsys: pytest.CaptureFixture[str]
):
    file, words = tmp_path / "kept", ["audit", "verify", "--state", str(database.parent), "--checkpoints"]
    file.write_text(line(stored(database)[0]))
    assert cli.main([*words, str(file), "--key", KEY.public_hex]) == 0
    assert "2 checkpoints agree" in capsys.readouterr().out
    assert cli.main([*words, str(tmp_path / "none")]) == 2
    for text, said in (("nothing", "no checkpoint is in it"), ('{"checkpoint": "x"}', "line 1 is a broken checkpoint")):
        file.write_text(text)
        assert cli.main([*words, str(file)]) == 2
        assert said in capsys.readouterr().err


def test_what_was_kept_elsewhere_is_read_from_lines_among_others(tmp_path: Path, database: Path):
    kept = stored(database)
    log: dict[str, Any] = {"level": "info", "msg": "checkpoint", **document(kept[0])}
    file = tmp_path / "kept.jsonl"
    file.write_text(f'not a line of ours\n{json.dumps(log)}\n{line(kept[1])}{{"msg": "something"}}\n')
    assert read_file(file) == kept


def test_a_kept_checkpoint_that_was_changed_is_found(database: Path):
    kept = stored(database)
    forged = replace(kept[1], signature=bytes(64))
    assert "of those that were kept elsewhere: its signature" in fault(database, [forged]).what


async def test_a_clock_that_was_set_back_is_told_and_no_fault(tmp_path: Path):
    journal = open_store(tmp_path / "usher.db")
    life = Life("n1")
    first, second = life.unit(State.DISCOVERED), life.unit(State.INVENTORIED)
    await journal.commit(first)
    await journal.commit(replace(second, history=replace(second.history, at=first.history.at - 1)))
    other = Life("n2").unit(State.DISCOVERED)
    await journal.commit(replace(other, history=replace(other.history, at=first.history.at - 2)))
    await journal.remember_policy("policy", b"{}", NOW)
    await journal.close()
    report = examined(tmp_path / "usher.db")
    assert report.code == 0
    assert [note for note in report.notes if "the clock" in note] == [
        "the clock was set back: 1 rows are older than the one before of the same node, the first at position 2"
    ]
