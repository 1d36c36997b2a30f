"""The reader: what the commands see, with a daemon at work and without one."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.errors import StoreError
from fsm.events import DueKind
from fsm.reasons import Reason
from fsm.states import State
from store.entries import FleetEntry, Status
from store.identity import refused
from store.journal import Journal
from store.reader import Reader, open_reader
from store.repository import open_store
from tests.fakes.units import AT, Life


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usher.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    made = open_store(path)
    await made.begin_epoch()
    yield made
    await made.close()


@pytest.fixture
async def reader(journal: Journal, path: Path) -> AsyncIterator[Reader]:
    lives = {name: Life(name) for name in ("a", "b", "c", "d", "e")}
    for unit in (
        lives["a"].unit(State.DISCOVERED),
        lives["b"].unit(State.DISCOVERED),
        lives["b"].unit(opens=Effect.FETCH_JWT),
        lives["c"].unit(State.FAILED, reason=Reason.NO_ANSWER, awaits=DueKind.RETRY),
        lives["d"].unit(State.DISCOVERED),
        lives["d"].unit(State.FAILED, reason=Reason.NO_ANSWER, awaits=DueKind.RETRY),
        lives["e"].unit(State.FAILED, reason=Reason.QUARANTINED, held=True),
    ):
        await journal.commit(unit)
    await journal.fleet(FleetEntry(AT, "pause", "root", "maintenance"))
    await journal.fleet(FleetEntry(AT + 1, "election", "usher", "won"))
    with open_reader(path) as made:
        yield made


def names(reader: Reader, **filters: object) -> list[str]:
    return [view.node for view in reader.nodes(**filters).nodes]  # type: ignore[arg-type]


async def test_nodes_come_in_pages(reader: Reader):
    first = reader.nodes(limit=2)
    assert ([view.node for view in first.nodes], first.after) == (["a", "b"], "b")
    second = reader.nodes(after="b", limit=3)
    assert ([view.node for view in second.nodes], second.after) == (["c", "d", "e"], None)


async def test_nodes_are_filtered(reader: Reader):
    assert names(reader, state=State.DISCOVERED) == ["a", "b"]
    assert names(reader, reason=Reason.NO_ANSWER) == ["c", "d"]
    assert names(reader, state=State.FAILED, before=AT + 1) == ["c", "e"]
    assert names(reader, state=State.RETIRED) == []
    assert names(reader, state=State.FAILED, after="c", limit=1) == ["d"]


async def test_a_list_says_what_a_person_asks(reader: Reader):
    views = {view.node: view for view in reader.nodes().nodes}
    assert (views["b"].doing, views["b"].active, views["b"].seq) == (Effect.FETCH_JWT, True, 2)
    assert (views["c"].due_at, views["c"].due_kind, views["c"].reason) == (AT + 5001, "retry", Reason.NO_ANSWER)
    assert (views["e"].held, views["e"].active) == (True, False)


async def test_one_node(reader: Reader):
    found = reader.node("b")
    assert found is not None
    assert found.open is not None
    assert reader.node("nobody") is None


async def test_history_comes_in_pages(reader: Reader):
    assert [row.seq for row in reader.history("b")] == [1, 2]
    assert [row.seq for row in reader.history("b", after=1)] == [2]
    assert [row.seq for row in reader.latest("d", limit=1)] == [2]
    row = reader.latest("d", limit=1)[0]
    assert (row.source, row.target, row.name, row.epoch) == (State.DISCOVERED, State.FAILED, "to_failed", 1)
    assert row.payload is not None


async def test_a_reason_counts_only_while_its_node_is_failed(reader: Reader, journal: Journal):
    for name, state in (("f", State.GONE), ("g", State.PROVISIONED), ("h", State.INVENTORIED)):
        await journal.commit(Life(name).unit(state, reason=Reason.ABSENT))
    assert reader.reasons() == [(Reason.NO_ANSWER, 2), (Reason.QUARANTINED, 1)]


async def test_a_closed_record_is_not_counted(reader: Reader, journal: Journal):
    life = Life("f")
    await journal.commit(life.unit(State.GONE))
    assert reader.counts()[State.GONE] == 1
    await journal.commit(life.unit(State.UNSEEN))
    assert reader.counts() == {State.DISCOVERED: 2, State.FAILED: 3}


async def test_the_fleet_in_numbers(reader: Reader):
    assert reader.counts() == {State.DISCOVERED: 2, State.FAILED: 3}
    assert reader.reasons() == [(Reason.NO_ANSWER, 2), (Reason.QUARANTINED, 1)]
    assert reader.waiting() == 1
    assert [view.node for view in reader.oldest_waiting()] == ["a"]
    assert [(view.id.node, view.effect, view.status, view.opened_at) for view in reader.open_effects()] == [
        ("b", Effect.FETCH_JWT, Status.INTENDED, AT + 2)
    ]


async def test_the_fleets_journal(reader: Reader):
    assert [(entry.kind, entry.name) for entry in reader.fleet()] == [("pause", "root"), ("election", "usher")]
    last = reader.last("pause", "resume")
    assert last is not None
    assert (last.kind, last.reason) == ("pause", "maintenance")
    assert reader.last("resume") is None
    assert reader.fleet(after=2) == ()


async def test_identity(reader: Reader, journal: Journal):
    meta = reader.meta()
    assert (meta.lineage, meta.epoch) == (journal.lineage, 1)
    assert meta.created > AT - 10**12


async def test_policies(reader: Reader, journal: Journal):
    await journal.remember_policy("0123", b"{}", AT)
    assert reader.policy("0123") == b"{}"
    assert reader.policy("4567") is None


async def test_it_sees_what_is_committed_meanwhile(reader: Reader, journal: Journal):
    await journal.commit(Life("z").unit(State.DISCOVERED))
    assert reader.counts()[State.DISCOVERED] == 3


async def test_it_cannot_write(reader: Reader):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM vault")


async def test_it_reads_without_a_daemon(journal: Journal, path: Path):
    life = Life()
    await journal.commit(life.unit(State.DISCOVERED))
    await journal.close()
    with open_reader(path) as reader:
        assert reader.node("n1.example.net") == life.snapshot


async def test_no_database_is_named_with_the_next_step(path: Path):
    with pytest.raises(StoreError, match=r"no database at .*usher\.db: start usher run once, or name .* --state"):
        open_reader(path)


async def test_a_foreign_database_is_refused(path: Path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(StoreError, match=r"another program's database: move it away .* --state"):
        open_reader(path)


async def test_a_file_that_is_no_database_is_refused(path: Path):
    path.write_bytes(b"something else " * 400)  # noqa: ASYNC240 a test may write a file
    with pytest.raises(StoreError, match="no SQLite database"):
        open_reader(path)


@pytest.mark.parametrize(
    ("version", "step"), [(9, "version 9, this usher knows 3: run the usher that wrote it"), (0, "no schema version")]
)
async def test_another_version_is_refused(journal: Journal, path: Path, version: int, step: str):
    await journal.close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with pytest.raises(StoreError, match=step):
        open_reader(path)


AS_SOMEBODY_ELSE = """
import os, sys
from pathlib import Path
from fsm.errors import StoreError
from store.reader import open_reader
os.setgid(65534)
os.setuid(65534)
try:
    open_reader(Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("readable", [True, False])
async def test_somebody_else_is_told_who_may(journal: Journal, path: Path, tmp_path: Path, readable: bool):
    await journal.commit(Life().unit(State.DISCOVERED))
    await journal.close()
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(0o755)
    path.chmod(0o644 if readable else 0o600)  # noqa: ASYNC240 this test is about files
    command = [sys.executable, "-c", AS_SOMEBODY_ELSE, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221 nothing else runs
    assert f"run this as the user that runs usher (uid {os.geteuid()}), or as root" in done.stdout, done.stderr


def failed(code: int) -> sqlite3.OperationalError:
    """What SQLite says, with its code."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


FULL = Path("/proc/usher.db")
"""A file system without a free block."""
NO_ROOM_FOR_THE_INDEX = sqlite3.SQLITE_IOERR | (19 << 8)


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        (FULL, sqlite3.SQLITE_IOERR, "the disk is full"),
        (FULL, sqlite3.SQLITE_CANTOPEN, "the disk is full"),
        (Path(__file__), NO_ROOM_FOR_THE_INDEX, "the disk is full"),
        (FULL, sqlite3.SQLITE_CORRUPT, "is damaged"),
        (Path(__file__), sqlite3.SQLITE_IOERR, "is damaged"),
    ],
)
def test_a_full_disk_is_no_damaged_database(where: Path, code: int, said: str):
    assert said in str(refused(failed(code), where, reading=True))
