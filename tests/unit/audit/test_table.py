"""The documents of the table: what they say, what a database is given of them, and that none can be changed unseen."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from diagrams import dot
from diagrams.model import draw
from fsm.table import ROWS, VERSION
from security.auditkey import write_audit_keys
from store.checkpoints import take
from store.reader import open_reader
from store.records import tables
from store.repository import open_store
from store.tables import DECIDED, RELEASED, Table, keep
from tests.fakes.audited import KEY, NOW, audited, edit, keys, sign
from usher import cli
from usher.audit.table import FORMAT, Document, pictures, released, remember, today
from usher.audit.verify import examine

DATABASES = Path(__file__).parent.parent / "store" / "databases"


def held(database: Path) -> list[Table]:
    with open_reader(database) as reader:
        return list(tables(reader))


def older(database: Path, number: int) -> Path:
    """A database as an older usher left it."""
    database.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.executescript((DATABASES / f"version_{number}.sql").read_text(encoding="utf-8"))
    return database


async def started(database: Path, now: int = NOW) -> None:
    """What a start has kept of the table."""
    journal = open_store(database)
    await remember(journal, now)
    await journal.close()


def test_it_is_all_of_the_table_and_always_the_same():
    said = json.loads(today().text)
    assert (said["format"], said["table_version"]) == (FORMAT, VERSION)
    assert [(row["name"], row["sentence"]) for row in said["rows"]] == [(row.name, row.why) for row in ROWS]
    assert pictures(today().text)["dot"] == dot.render(draw(full=True))
    assert today() == today()


def test_the_table_of_every_released_version_is_there():
    assert [each.version for each in released(0)] == list(range(1, VERSION))
    for each in released(0):
        said = json.loads(each.text)
        assert (said["format"], said["table_version"]) == (FORMAT, each.version)
        assert all(row["sentence"] for row in said["rows"])
        assert pictures(each.text)["dot"].startswith("digraph")


async def test_a_start_keeps_the_table_that_decides_once(tmp_path: Path):
    database = tmp_path / "usher.db"
    await started(database)
    await started(database, NOW + 1)
    assert held(database) == [Table(VERSION, today().digest, today().text, NOW, DECIDED)]


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_database_that_was_brought_up_to_date_is_given_those_of_its_older_rows(tmp_path: Path, number: int):
    database = older(tmp_path / "state" / "usher.db", number)
    await started(database)
    given = [(each.version, each.digest, RELEASED) for each in released(1)]
    assert [(each.version, each.digest, each.origin) for each in held(database)] == [
        *given, (VERSION, today().digest, DECIDED),
    ]  # fmt: skip


async def test_a_version_that_has_a_document_is_given_no_other(tmp_path: Path):
    database = older(tmp_path / "state" / "usher.db", 2)
    journal = open_store(database)
    await journal.maintain(keep((1, b"as it decided"), lambda _: (), NOW))
    await journal.close()
    await started(database)
    assert [each.document for each in held(database) if each.version == 1] == [b"as it decided"]


async def test_other_words_of_the_same_version_are_kept_beside_those_before(tmp_path: Path):
    database = tmp_path / "usher.db"
    await started(database)
    journal = open_store(database)
    await journal.maintain(keep((VERSION, b"other words"), lambda _: (), NOW + 1))
    await journal.close()
    assert [each.document for each in held(database)] == [today().text, b"other words"]


async def test_a_checkpoint_names_them_and_one_more_is_something_new(tmp_path: Path):
    folder = tmp_path / "state"
    await started(older(folder / "usher.db", 3))
    await sign(folder, signing := keys(folder), NOW)
    journal = open_store(folder / "usher.db")
    again = take(signing.public, signing.sign, NOW + 1, "interval", unless_covered=True)
    assert await journal.maintain(again) is None
    await journal.maintain(keep((VERSION, b"other words"), lambda _: (), NOW + 1))
    made = await journal.maintain(again)
    await journal.close()
    assert made is not None
    other = Document(VERSION, b"other words")
    assert made.says()["tables"][-2:] == sorted([[VERSION, today().digest], [VERSION, other.digest]])


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE tables SET document = replace(document, 'seen', 'heard')", "this version of the table was changed"),
        ("UPDATE tables SET document = 'no bytes'", "this version of the table was changed"),
        ("DELETE FROM tables", "which checkpoint 1 names, is missing"),
    ],
)
def test_a_table_that_was_changed_or_removed_is_found(tmp_path: Path, statement: str, said: str):
    database = audited(tmp_path / "state")
    edit(database, statement)
    with open_reader(database) as reader:
        report = examine(reader)
    assert report.fault is not None
    assert (report.fault.table, report.fault.position) == ("tables", VERSION)
    assert said in str(report.fault)


@pytest.mark.parametrize("statement", ["UPDATE tables SET since = 0", "DELETE FROM tables"])
def test_the_database_lets_nobody_change_one(tmp_path: Path, statement: str):
    database = audited(tmp_path / "state")
    with (
        closing(sqlite3.connect(database)) as db,
        pytest.raises(sqlite3.IntegrityError, match="the document of a table"),
    ):
        db.execute(statement)


def test_a_version_that_nobody_kept_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = tmp_path / "state"
    database = audited(state, checkpoints=0)
    edit(database, "DELETE FROM tables")
    asyncio.run(sign(state, keys(state), NOW))
    assert cli.main(["audit", "verify", "--state", str(state)]) == 0
    assert (
        f"note: the document of version {VERSION} of the table, which rows name, is not held" in capsys.readouterr().out
    )
    out = str(tmp_path / "bundle")
    assert cli.main(["audit", "export", "--state", str(state), "--out", out]) == 0
    assert f"of the versions {VERSION} of the table, which its rows name, nobody kept" in capsys.readouterr().out
    assert cli.main(["audit", "verify", "--bundle", out, "--key", KEY.public_hex]) == 0
    assert f"name versions of the table that nobody kept: {VERSION}" in capsys.readouterr().out


def test_a_bundle_has_the_tables_of_all_of_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = tmp_path / "state"
    asyncio.run(started(older(state / "usher.db", 2)))
    audited_keys = keys(state)
    asyncio.run(sign(state, audited_keys, NOW))
    write_audit_keys(audited_keys.place.path, (KEY,))
    out = tmp_path / "bundle"
    assert cli.main(["audit", "export", "--state", str(state), "--out", str(out)]) == 0
    document = json.loads((out / "bundle.json").read_text())
    (journal,) = document["journals"]
    first = next(iter(released(1)))
    assert journal["tables"][0] | {"since": ""} == {
        "version": 1, "digest": first.digest, "since": "", "origin": RELEASED,
    }  # fmt: skip
    assert (out / f"table-1-{first.digest[:12]}.json").read_bytes() == first.text
    assert cli.main(["audit", "verify", "--bundle", str(out), "--key", KEY.public_hex]) == 0
    capsys.readouterr()
