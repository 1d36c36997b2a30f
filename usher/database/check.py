"""`usher db check`: whether the database is whole, agrees with itself, and is what its own history leads to.

Rules:
1. It reads with a connection of its own, and neither repairs nor hides anything.
2. A check that finds something ends those that build on it; the first faults are told, each in one sentence.
3. Every answer that is not "sound" names the command to type next.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from security.vault import sealed_by
from store import integrity
from store.audit import audit
from store.folding import fold
from store.identity import identify, opened
from store.integrity import Finding
from store.refusals import older, restoring
from store.versions import migrations
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError

MOST: Final = 5
"""Faults that are told."""


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Check it all, or a backup."""
    named = arguments.get("file") or ""
    if not isinstance(named, str) or (named and not Path(named).is_absolute()):
        raise JobError("file must be an absolute path")
    path = Path(named) if named else desk.state.database
    document: Document = {"database": str(path), "sound": True, "faults": [], "next": ""}
    with opened(path) as db:
        identity = identify(db, path)
        document |= {"schema": identity.version, "lineage": identity.lineage, "nodes": identity.nodes}
        if identity.version < max(migrations()):
            raise older(path, identity.version, max(migrations()))
        found = _structure(desk, db, path)
        if not found:
            found = _contents(desk, db, document, path)
    document["faults"] = [{"check": each.check, "what": each.what} for each in islice(found, MOST)]
    if found:
        step = restoring(desk.state.database) if not named else "usher db backup"
        document |= {"sound": False, "next": step}
    return document


def _structure(desk: Desk, db: sqlite3.Connection, path: Path) -> list[Finding]:
    desk.say(f"pages and indexes of {path}")
    with _interruptible(desk, db):
        return list(islice(integrity.structure(db), MOST))


def _contents(desk: Desk, db: sqlite3.Connection, document: Document, path: Path) -> list[Finding]:
    """One moment of the database, since it goes on meanwhile; the chain is read beside it, page by page."""
    desk.say("the chain")
    verdict = audit(path)
    found = [Finding("chain", str(verdict.fault))] if verdict.fault else []
    db.execute("BEGIN")
    with _interruptible(desk, db):
        found += islice(integrity.statements(db), MOST)
        found += islice(integrity.snapshots(db, lambda count: desk.say(f"{count} nodes")), MOST)
        unsealed, keys = integrity.sealed(db, sealed_by)
        found += [*unsealed, *_unknown(desk, db, keys)]
        folded = fold(db, lambda count: desk.say(f"{count} rows of history decided again"))
        document |= {
            "rows": verdict.rows,
            "fleet_rows": verdict.fleet_rows,
            "head": verdict.head,
            "decided_again": folded.rows,
            "nodes_not_decided": folded.left_alone,
            "loose_blobs": integrity.unreferenced(db),
            "keys": keys,
        }
    db.execute("ROLLBACK")
    return found + ([Finding("history", folded.fault)] if folded.fault else [])


def _unknown(desk: Desk, db: sqlite3.Connection, keys: Mapping[str, int]) -> Iterator[Finding]:
    """Keys that sealed something, and that the daemon does not hold; without one, that the database does not know."""
    known = {key for (key,) in db.execute("SELECT key FROM vault_keys").fetchall()}
    if desk.sealing is not None:
        known = set(desk.sealing.vault.ring.ids)
    for key in sorted(keys.keys() - known):
        yield Finding("keys", f"{keys[key]} entries are sealed by the key {key}, which is not at hand: they are lost")


@contextmanager
def _interruptible(desk: Desk, db: sqlite3.Connection) -> Iterator[None]:
    """When usher ends, so does the check."""
    db.set_progress_handler(lambda: not desk.going_on(), 100_000)
    try:
        yield
    except sqlite3.OperationalError as error:
        if not desk.going_on():
            raise JobError("usher ended meanwhile: ask again when it runs") from None
        raise error from None
    finally:
        db.set_progress_handler(None, 0)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="a backup to check instead of the database")


def _arguments(args: argparse.Namespace) -> Document:
    return {"file": str(Path(args.file).absolute()) if args.file else ""}


def lines(document: Document) -> list[str]:
    """For a person."""
    if not document["sound"]:
        said = [f"  {fault['check']}: {fault['what']}" for fault in document["faults"]]
        return [f"not sound: {document['database']}", *said, f"next: {document['next']}"]
    said = [
        f"sound: {document['nodes']} nodes, {document['rows']} rows of history, {document['fleet_rows']} of the fleet",
        f"every row is bound to the one before it, the last by {document['head'][:16]}",
        f"{document['decided_again']} rows were decided again and lead to what is held",
    ]
    if document["nodes_not_decided"]:
        said.append(
            f"{document['nodes_not_decided']} nodes have rows of another version, or without payload: not decided"
        )
    return said


JOB = Job(
    "whether the database, or a backup, is whole and what its own history leads to",
    run,
    lines,
    options=_options,
    arguments=_arguments,
    code=lambda document: 0 if document["sound"] else 1,
    codes="Exit code: 0 it is sound, 1 it is not or cannot be read, 2 wrong arguments.",
    examples=("usher db check", "usher db check /mnt/backup/usher.db --json"),
)
