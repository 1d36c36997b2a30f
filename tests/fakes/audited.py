"""A state directory with an audit key and checkpoints, as a daemon leaves it, and what somebody with a shell may do."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from security.auditkey import write_audit_keys
from security.keys import SigningKey
from store.checkpoints import Checkpoint, take
from store.repository import open_store
from tests.fakes.written import write_database
from usher.audit.keys import AuditKeys
from usher.keyplace import KeyPlace
from usher.state import AUDIT_KEY, DATABASE

NOW = 1_795_200_000_000
KEY = SigningKey.from_seed(b"a" * 32)
OTHER = SigningKey.from_seed(b"b" * 32)
TRIGGERS = (
    "history_changes", "history_deletions", "journal_changes", "journal_deletions", "checkpoints_changes",
    "checkpoints_deletions", "tables_changes", "tables_deletions",
)  # fmt: skip


def keys(folder: Path, key: SigningKey = KEY, before: SigningKey | None = None) -> AuditKeys:
    """The keys of a state directory."""
    return AuditKeys(KeyPlace(folder / AUDIT_KEY, ours=True), key, before)


def audited(folder: Path, *, checkpoints: int = 1) -> Path:
    """Six nodes, a pause in the journal of the fleet, and so many checkpoints; answers the database."""
    folder.mkdir(mode=0o700, exist_ok=True)
    write_audit_keys(folder / AUDIT_KEY, (KEY,))
    asyncio.run(_made(folder, checkpoints))
    return folder / DATABASE


async def _made(folder: Path, checkpoints: int) -> None:
    await write_database(folder, NOW, paused=True)
    for number in range(checkpoints):
        await sign(folder, keys(folder), NOW + number)


async def sign(folder: Path, by: AuditKeys, at: int, successor: str | None = None) -> Checkpoint:
    """A checkpoint, as the keeper takes it."""
    journal = open_store(folder / DATABASE)
    signs = by.hand_over if successor else by.sign
    public = by.before.public_hex if successor and by.before else by.public
    made = await journal.maintain(take(public, signs, at, "asked", successor=successor))
    await journal.close()
    assert made is not None
    return made


def edit(database: Path, *statements: str) -> None:
    """What somebody with a shell can do, who takes the triggers away first, and puts them back."""
    with closing(sqlite3.connect(database)) as db:
        named = ", ".join(f"'{name}'" for name in TRIGGERS)
        triggers = db.execute(f"SELECT sql FROM sqlite_schema WHERE name IN ({named})").fetchall()  # noqa: S608 names from here
        for name in TRIGGERS:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for (text,) in triggers:
            db.execute(text)
        db.commit()
