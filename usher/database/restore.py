"""`usher db restore`: a backup becomes the database.

Rules:
1. The backup is checked before anything is touched; while it is prepared nothing is sent.
2. A daemon stops in order, puts it in place and serves again; without one this command does the same.
3. What was there is kept under a name that is said, and the restored database has a lineage of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsm.errors import StoreFullError
from store.entries import FleetEntry
from store.refusals import UnusableError
from store.restoring import RESTORED, Staged, stage
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError
from usher.database.words import when
from usher.views.common import file


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Check it, have a copy wait, and have usher start anew from that."""
    named = arguments.get("file")
    if not isinstance(named, str) or not Path(named).is_absolute():
        raise JobError("file must be an absolute path")
    backup, database = Path(named), desk.state.database
    if database.exists() and backup.exists() and backup.samefile(database):
        raise JobError(f"{backup} is the database itself: name a backup, such as those in {desk.state.path}/backups")
    desk.say(f"{backup} is checked and copied; nothing is sent meanwhile")
    desk.hold(held=True)
    try:
        staged = _staged(desk, backup, database)
    except BaseException:
        desk.hold(held=False)
        raise
    desk.start_anew()
    return {
        "file": str(backup),
        "sha256": staged.digest,
        "database": str(database),
        "kept": str(staged.kept) if staged.kept else None,
        "schema": staged.identity.version,
        "before": staged.identity.lineage,
        "lineage": staged.lineage,
        "nodes": staged.identity.nodes,
        "rows": staged.identity.rows,
        "at": desk.at,
        "daemon": desk.serving,
    }


def _staged(desk: Desk, backup: Path, database: Path) -> Staged:
    try:
        return stage(backup, database, FleetEntry(desk.now(), RESTORED, desk.name, desk.reason), desk.going_on)
    except UnusableError as error:
        step = f"name a backup that this usher made (ls -l {desk.state.path}/backups); nothing was touched"
        raise JobError(f"{backup} cannot be restored: it {error.what}: {step}") from None
    except StoreFullError:
        raise JobError(
            f"no room in {database.parent} for the restored database: make room; nothing was touched"
        ) from None


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=file, metavar="FILE", help="a backup that usher made")


def _arguments(args: argparse.Namespace) -> Document:
    return {"file": str(Path(args.file).absolute())}


def lines(document: Document) -> list[str]:
    """For a person."""
    database, held = document["database"], f"{document['nodes']} nodes, {document['rows']} rows of history"
    said = [
        f"{database} is what {document['file']} was: {held}",
        f"its lineage is {document['lineage']} since {when(document['at'])}; it was {document['before']}",
    ]
    if document["kept"]:
        said.append(f"what was there is kept: {document['kept']}")
    said.append("nodes that were under way in it begin anew; nothing is sent for a minute")
    if document["daemon"]:
        said.append("the daemon stops and starts anew with it: usher status says when it takes work")
    return said


JOB = Job(
    "put a backup in the place of the database, with a lineage of its own; what was there is kept",
    run,
    lines,
    changes=True,
    options=_options,
    arguments=_arguments,
    examples=('usher db restore /mnt/backup/usher.db --reason "the disk was lost"',),
)
