"""Any single change of a stored row is found, whichever column, and the row that is named is not after it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm.errors import StoreError
from store.reader import open_reader
from tests.fakes.audited import TRIGGERS, audited
from usher.audit.verify import examine

COLUMNS = {
    "history": (
        "position", "lineage", "epoch", "node", "generation", "seq", "at", "table_version", "policy", "event", "name",
        "source", "target", "digest", "previous", "hash", "payload",
    ),
    "journal": ("position", "lineage", "epoch", "at", "kind", "name", "reason", "digest", "previous", "hash"),
    "checkpoints": ("number", "at", "position", "fleet_position", "key", "document", "signature"),
}  # fmt: skip
PLACES = [(table, column) for table, columns in COLUMNS.items() for column in columns]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return audited(tmp_path_factory.mktemp("state"), checkpoints=2)


def changed(value: Any, at: int, by: int) -> Any:
    """Another value of the same kind."""
    if isinstance(value, int):
        return value + by + 1
    data = bytearray(value if isinstance(value, bytes) else value.encode())
    if not data:
        return b"x" if isinstance(value, bytes) else "x"
    data[at % len(data)] ^= 1 + by % 7
    return bytes(data) if isinstance(value, bytes) else data.decode("ascii", "replace")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), row=st.integers(0, 10**6), at=st.integers(0, 10**6), by=st.integers(0, 10**6))
def test_any_change_of_a_row_is_found(database: Path, place: tuple[str, str], row: int, at: int, by: int):
    table, column = place
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "usher.db"
        shutil.copy(database, copy)
        with closing(sqlite3.connect(copy)) as db:
            for name in TRIGGERS:
                db.execute(f"DROP TRIGGER {name}")
            rows = db.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()  # noqa: S608 names from here
            rowid, value = rows[row % len(rows)]
            try:
                db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed(value, at, by), rowid))  # noqa: S608 likewise
            except sqlite3.IntegrityError:
                return  # the database refuses it itself
            db.commit()
        try:
            with open_reader(copy) as reader:
                report = examine(reader)
        except StoreError:
            return  # it cannot be read any more, which is said in one sentence
        assert report.fault is not None, (table, column, rowid)
        if report.fault.table == table == "history" and column != "position":
            assert report.fault.position in {rowid, rowid + 1}
