"""The schema: what the database itself refuses, whoever asks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.states import State
from store.entries import FleetEntry
from store.repository import open_store
from tests.fakes.units import AT, Life

ENVELOPE = (
    "position", "lineage", "epoch", "node", "generation", "seq", "at", "table_version", "policy", "event", "name",
    "source", "target", "digest", "previous", "hash",
)  # fmt: skip


async def fill(path: Path) -> None:
    journal, life = open_store(path), Life()
    await journal.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    await journal.commit(life.unit(State.INVENTORIED, opens=Effect.NEW_KEY))
    await journal.fleet(FleetEntry(AT, "pause", "root", "x"))
    await journal.close()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    asyncio.run(fill(tmp_path / "usher.db"))
    made = sqlite3.connect(tmp_path / "usher.db")
    made.execute("PRAGMA foreign_keys = ON")
    made.execute("PRAGMA recursive_triggers = ON")
    yield made
    made.close()


@pytest.mark.parametrize("column", ENVELOPE)
def test_no_column_of_the_envelope_changes(db: sqlite3.Connection, column: str):
    with pytest.raises(sqlite3.IntegrityError, match="history never changes"):
        db.execute(f"UPDATE history SET {column} = 99 WHERE position = 2")  # noqa: S608 a name from above


def test_the_envelope_is_all_but_the_payload(db: sqlite3.Connection):
    columns = [row[1] for row in db.execute("PRAGMA table_info(history)")]
    assert columns == [*ENVELOPE, "payload"]


def test_a_payload_goes_but_does_not_change(db: sqlite3.Connection):
    with pytest.raises(sqlite3.IntegrityError, match="only a payload"):
        db.execute("UPDATE history SET payload = x'00'")
    assert db.execute("UPDATE history SET payload = NULL").rowcount == 2


def test_history_is_not_deleted(db: sqlite3.Connection):
    with pytest.raises(sqlite3.IntegrityError, match="below a signed floor"):
        db.execute("DELETE FROM history WHERE position = 1")


def test_history_is_not_replaced(db: sqlite3.Connection):
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT OR REPLACE INTO history SELECT * FROM history WHERE position = 1")


def test_below_a_signed_floor_history_goes(db: sqlite3.Connection):
    db.execute("INSERT INTO floor VALUES (2, 1, x'00', 'auditor', zeroblob(64), NULL)")
    with pytest.raises(sqlite3.IntegrityError, match="below a signed floor"):
        db.execute("DELETE FROM history WHERE position = 2")
    db.execute("DELETE FROM effects")
    assert db.execute("DELETE FROM history WHERE position = 1").rowcount == 1


def test_a_floor_is_signed(db: sqlite3.Connection):
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO floor VALUES (2, 1, x'00', '', x'', NULL)")


def test_the_journal_of_the_fleet_stays(db: sqlite3.Connection):
    for statement in ("UPDATE journal SET reason = 'y'", "DELETE FROM journal"):
        with pytest.raises(sqlite3.IntegrityError, match="journal of the fleet"):
            db.execute(statement)


def test_one_open_effect_a_node(db: sqlite3.Connection):
    copy = "INSERT INTO effects SELECT 99, node, 3, epoch, generation, first, effect, try, {} FROM effects LIMIT 1"
    with pytest.raises(sqlite3.IntegrityError, match=r"effects\.node"):
        db.execute(copy.format("'intended', NULL, NULL, at, entropy, since, NULL"))
    db.execute(copy.format("'done', NULL, NULL, at, entropy, since, 5"))


@pytest.mark.parametrize("status", ["sent", "done"])
def test_an_effect_is_open_or_closed(db: sqlite3.Connection, status: str):
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        db.execute("UPDATE effects SET status = ? WHERE closed_at IS NULL", (status,))


def test_states_are_looked_up(db: sqlite3.Connection):
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        db.execute("UPDATE nodes SET state = 'nowhere'")


def test_the_hot_path_and_the_lists_use_their_indexes(db: sqlite3.Connection):
    from store import queries, statements  # noqa: PLC0415 the texts under test

    for text, values, index in (
        (statements.CLOSE_EFFECT, 6, "effects_open"),
        (statements.START_EFFECT, 3, "effects_open"),
        (statements.OPEN_EFFECTS, 0, "effects_open"),
        (statements.ROUSED, 0, "nodes_roused"),
        (statements.ACTIVE, 4, "nodes_by_state"),
        (queries.COUNTS, 0, "nodes_by_state"),
        (queries.REASONS, 1, "nodes_by_reason"),
        (queries.waiting(queries.ALONE), 1, "nodes_by_state"),
        (queries.waiting(queries.NAMED), 1, "nodes_by_state"),
        (queries.EFFECTS, 1, "effects_open"),
    ):
        plan = db.execute(f"EXPLAIN QUERY PLAN {text}", (None,) * values).fetchall()
        assert any(index in row[3] for row in plan), (text, plan)


CHECKPOINT = "INSERT INTO checkpoints VALUES (1, 1, 2, 1, ?, x'7b7d', zeroblob(64), ?, ?)"
KEY = "0f" * 32


def test_a_checkpoint_neither_changes_nor_goes(db: sqlite3.Connection):
    db.execute(CHECKPOINT, (KEY, None, None))
    for statement in ("UPDATE checkpoints SET position = 1", "DELETE FROM checkpoints"):
        with pytest.raises(sqlite3.IntegrityError, match="a checkpoint"):
            db.execute(statement)


@pytest.mark.parametrize(
    "values",
    [("", None, None), (KEY, KEY, None), (KEY, None, bytes(64)), (KEY, KEY, bytes(63)), (KEY, "0f", bytes(64))],
)
def test_a_checkpoint_is_signed_and_a_successor_signs_too(db: sqlite3.Connection, values: tuple[object, ...]):
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        db.execute(CHECKPOINT, values)
