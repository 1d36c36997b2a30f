"""`usher db backup`: a copy of the database, while it is written to.

Rules:
1. It changes nothing, so it asks for no reason; it works while the disk of the database is full, onto another one.
2. It says what is not in the copy: the key of the vault, and where that is.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsm.errors import StoreFullError
from store.backup import back_up, default_name, make_room
from store.identity import identify, opened
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError
from usher.database.words import size
from usher.vault import key_place
from usher.views.common import file


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Copy it."""
    source, named = desk.state.database, arguments.get("file") or ""
    if not isinstance(named, str) or (named and not Path(named).is_absolute()):
        raise JobError("file must be an absolute path")
    target = Path(named) if named else _default(desk)
    desk.say(f"{target} is written")
    try:
        made = back_up(source, target, desk.going_on)
    except StoreFullError:
        raise JobError(
            f"no room for a backup in {target.parent}: nothing was left there; name a file elsewhere"
        ) from None
    key = desk.sealing.place.path if desk.sealing is not None else key_place("", os.environ, desk.state).path
    identity = made.identity
    return {
        "file": str(made.path),
        "bytes": made.size,
        "sha256": made.digest,
        "schema": identity.version,
        "lineage": identity.lineage,
        "epoch": identity.epoch,
        "nodes": identity.nodes,
        "rows": identity.rows,
        "vault_key": str(key),
    }


def _default(desk: Desk) -> Path:
    with opened(desk.state.database) as db:
        identity = identify(db, desk.state.database)
    make_room(desk.state.path)
    return default_name(desk.state.path, identity, desk.at)


def _options(parser: argparse.ArgumentParser) -> None:
    help_ = "where to (default: backups/ in the state directory, with the date in its name)"
    parser.add_argument("file", nargs="?", type=file, metavar="FILE", help=help_)


def _arguments(args: argparse.Namespace) -> Document:
    return {"file": str(Path(args.file).absolute()) if args.file else ""}


def lines(document: Document) -> list[str]:
    """For a person."""
    held = f"{document['nodes']} nodes, {document['rows']} rows of history, schema version {document['schema']}"
    return [
        f"copied: {held}, {size(document['bytes'])}",
        f"  file       {document['file']}",
        f"  sha256     {document['sha256']}",
        f"  not in it  the vault's key, {document['vault_key']}: without it, nodes under way begin anew",
    ]


JOB = Job(
    "copy the database as it is now, while usher works",
    run,
    lines,
    options=_options,
    arguments=_arguments,
    examples=("usher db backup", "usher db backup /mnt/backup/usher.db --json"),
)
