"""The audit: whatever was changed behind usher's back is found, and named."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.states import State
from store.audit import audit
from store.chain import ENVELOPE, START, digest, link
from store.entries import FleetEntry
from store.repository import open_store
from tests.fakes.units import AT, Life


async def fill(path: Path) -> None:
    journal = open_store(path)
    await journal.begin_epoch()
    await journal.remember_policy("policy", b"{}", AT)
    lives = [Life(f"n{number}") for number in range(3)]
    for life in lives:
        await journal.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    for life in lives:
        await journal.commit(life.unit(State.INVENTORIED, opens=Effect.NEW_KEY))
    await journal.fleet(FleetEntry(AT, "pause", "root", "x"))
    await journal.fleet(FleetEntry(AT, "resume", "root", "y"))
    await journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    asyncio.run(fill(tmp_path / "usher.db"))
    return tmp_path / "usher.db"


def edit(path: Path, *statements: str) -> None:
    """What somebody with a shell can do, who takes the triggers away first."""
    db = sqlite3.connect(path)
    for name in ("history_changes", "history_deletions", "journal_changes", "journal_deletions"):
        db.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_what_nobody_touched_verifies(path: Path):
    verdict = audit(path)
    assert verdict.sound
    assert (verdict.rows, verdict.fleet_rows, verdict.nodes, verdict.unknown_policy) == (6, 2, 3, None)
    assert len(verdict.head) == 64


def test_a_payload_that_was_deleted_is_no_fault(path: Path):
    edit(path, "UPDATE history SET payload = NULL WHERE position < 4")
    assert audit(path).sound


@pytest.mark.parametrize(
    ("statement", "table", "position", "what"),
    [
        ("UPDATE history SET target = 'gone' WHERE position = 4", "history", 4, "its envelope was changed"),
        ("UPDATE history SET at = at + 1 WHERE position = 2", "history", 2, "its envelope was changed"),
        ("UPDATE history SET payload = x'00' WHERE position = 5", "history", 5, "its payload was changed"),
        ("UPDATE history SET hash = zeroblob(32) WHERE position = 1", "history", 1, "its envelope was changed"),
        ("UPDATE history SET previous = zeroblob(32) WHERE position = 3", "history", 3, "not bound to the row before"),
        ("UPDATE history SET lineage = 'another' WHERE position = 3", "history", 3, "of another database"),
        ("DELETE FROM history WHERE position = 3", "history", 4, "position 3 is missing"),
        ("DELETE FROM history WHERE position = 6", "nodes", 0, "not where its history ends"),
        ("DELETE FROM nodes WHERE node = 'n1'", "nodes", 0, "not where its history ends"),
        ("UPDATE nodes SET seq = 9 WHERE node = 'n1'", "nodes", 0, "not where its history ends"),
        ("UPDATE journal SET reason = 'z' WHERE position = 2", "journal", 2, "its envelope was changed"),
        ("DELETE FROM journal WHERE position = 1", "journal", 2, "position 1 is missing"),
    ],
)
def test_what_was_changed_is_named(path: Path, statement: str, table: str, position: int, what: str):
    edit(path, statement)
    fault = audit(path).fault
    assert fault is not None
    assert (fault.table, fault.position) == (table, position)
    assert what in str(fault)


def test_a_row_that_was_forged_with_a_good_link_is_found_by_the_next(path: Path):
    db = sqlite3.connect(path)
    envelope = list(db.execute(f"SELECT {ENVELOPE} FROM history WHERE position = 1").fetchone())  # noqa: S608
    db.close()
    envelope[6] += 1
    forged = link(START, envelope).hex()
    edit(path, f"UPDATE history SET at = at + 1, hash = x'{forged}' WHERE position = 1")  # noqa: S608 digits
    fault = audit(path).fault
    assert fault is not None
    assert (fault.position, fault.what) == (2, "it is not bound to the row before it")


def test_a_policy_that_is_not_held_is_named(path: Path):
    edit(path, "DELETE FROM policies")
    verdict = audit(path)
    assert verdict.sound
    assert verdict.unknown_policy == "policy"


def test_the_chain_needs_nothing_but_json_and_sha256():
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert link(START, [1, "a"]).hex() == digest(bytes(32) + b'[1,"a"]')
