"""Checking: everything that can be found wrong with a database, from its pages to its history.

Rules:
1. It reads one moment of the database with a connection of its own; the chain is read beside it, page by page.
2. A check whose findings would mislead those that follow ends the checking.
3. `say` hears how far it is; when `go_on` says no, it ends with StoreError.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from fsm.errors import StoreError
from store import integrity
from store.audit import Verdict, audit
from store.folding import Folded, fold
from store.identity import Identity, identify, opened
from store.integrity import Finding
from store.refusals import older
from store.versions import migrations

MOST: Final = 5
"""Findings of one check that are told."""
_STEPS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, and over how much; `verdict` and `folded` are None where the pages were broken already."""

    identity: Identity
    findings: tuple[Finding, ...]
    verdict: Verdict | None = None
    folded: Folded | None = None
    loose_blobs: int = 0
    keys: Mapping[str, int] = field(default_factory=dict)


def check(
    path: Path,
    sealed_by: Callable[[bytes], str],
    keys: Collection[str] | None = None,
    say: Callable[[str], None] = lambda _: None,
    go_on: Callable[[], bool] = lambda: True,
) -> Checked:
    """Check the database at `path`; raises StoreError if it cannot be read.

    `sealed_by` names the key that sealed an entry, `keys` are those at hand (default: those that the database knows).
    """
    with opened(path) as db:
        identity = identify(db, path)
        if identity.version < max(migrations()):
            raise older(path, identity.version, max(migrations()))
        with _interruptible(db, go_on):
            say(f"pages and indexes of {path}")
            broken = tuple(islice(integrity.structure(db), MOST))
            return Checked(identity, broken) if broken else _contents(db, path, identity, (sealed_by, keys), say)


def _contents(
    db: sqlite3.Connection,
    path: Path,
    identity: Identity,
    sealing: tuple[Callable[[bytes], str], Collection[str] | None],
    say: Callable[[str], None],
) -> Checked:
    say("the chain")
    verdict = audit(path)
    found = [Finding("chain", str(verdict.fault))] if verdict.fault else []
    db.execute("BEGIN")
    found += islice(integrity.statements(db), MOST)
    found += islice(integrity.snapshots(db, lambda count: say(f"{count} nodes")), MOST)
    unsealed, held = integrity.sealed(db, sealing[0])
    found += [*unsealed, *_lost(db, held, sealing[1])]
    folded = fold(db, lambda count: say(f"{count} rows of history decided again"))
    if folded.fault is not None:
        found.append(Finding("history", str(folded.fault)))
    loose = integrity.unreferenced(db)
    db.execute("ROLLBACK")
    return Checked(identity, tuple(found), verdict, folded, loose, held)


def _lost(db: sqlite3.Connection, held: Mapping[str, int], keys: Collection[str] | None) -> Iterator[Finding]:
    """Entries whose key is not at hand."""
    known = {key for (key,) in db.execute("SELECT key FROM vault_keys").fetchall()} if keys is None else set(keys)
    for key in sorted(held.keys() - known):
        yield Finding("keys", f"{held[key]} entries are sealed by the key {key}, which is not at hand: they are lost")


@contextmanager
def _interruptible(db: sqlite3.Connection, go_on: Callable[[], bool]) -> Iterator[None]:
    db.set_progress_handler(lambda: not go_on(), _STEPS)
    try:
        yield
    except sqlite3.OperationalError:
        if not go_on():
            raise StoreError("usher ended meanwhile: ask again when it runs") from None
        raise
    finally:
        db.set_progress_handler(None, 0)
