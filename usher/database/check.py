"""`usher db check`: whether the database is whole, agrees with itself, and is what its own history leads to.

Rules:
1. It reads with a connection of its own, beside a daemon in a process of its own, and neither repairs nor hides
   anything.
2. A check that finds something ends those that build on it; the first faults are told, each in one sentence.
3. Every answer that is not "sound" names the command to type next.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from security.vault import sealed_by
from store.checking import Checked, check
from store.refusals import restoring
from usher.database.apart import run_apart, serve
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError
from usher.views.common import file

_MODULE = "usher.database.check"
MOST = 5
"""Faults that are told."""


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Check it all, or a backup."""
    named = arguments.get("file") or ""
    if not isinstance(named, str) or (named and not Path(named).is_absolute()):
        raise JobError("file must be an absolute path")
    path = Path(named) if named else desk.state.database
    keys = desk.sealing.vault.ring.ids if desk.sealing is not None and not named else None
    asked = {"path": str(path), "keys": None if keys is None else list(keys)}
    made = run_apart(_MODULE, asked, desk.say) if desk.serving else examined(path, keys, desk.say, desk.going_on)
    step = "" if made["sound"] else "usher db backup" if named else restoring(desk.state.database)
    return {**made, "next": step}


def examined(
    path: Path,
    keys: Collection[str] | None,
    say: Callable[[str], None],
    going_on: Callable[[], bool] = lambda: True,
) -> Document:
    """What is found in the database at `path`; `keys` are the ids of those at hand. Raises StoreError."""
    checked = check(path, sealed_by, keys, say, going_on)
    return {
        "database": str(path),
        "sound": not checked.findings,
        "faults": [{"check": each.check, "what": each.what} for each in checked.findings[:MOST]],
        "next": "",
        "schema": checked.identity.version,
        "lineage": checked.identity.lineage,
        "nodes": checked.identity.nodes,
        **_reached(checked),
    }


def _reached(checked: Checked) -> Document:
    """Over how much the checks went that were reached."""
    verdict, folded = checked.verdict, checked.folded
    if verdict is None or folded is None:
        return {}
    return {
        "rows": verdict.rows,
        "fleet_rows": verdict.fleet_rows,
        "head": verdict.head,
        "decided_again": folded.rows,
        "declared_different": folded.declared,
        "nodes_not_decided": folded.left_alone,
        "rows_not_decided": dict(folded.undecided),
        "loose_blobs": checked.loose_blobs,
        "keys": dict(checked.keys),
    }


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=file, metavar="FILE", help="a backup to check instead of the database")


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
    if document["declared_different"]:
        said.append(f"{document['declared_different']} of them are decided otherwise today, as the table declares")
    if document["nodes_not_decided"]:
        said.append(f"{document['nodes_not_decided']} nodes have rows that cannot be decided again: usher replay NODE")
    return said


JOB = Job(
    "whether the database, or a backup, is whole and what its own history leads to",
    run,
    lines,
    options=_options,
    arguments=_arguments,
    apart=lambda arguments: bool(arguments["file"]),
    code=lambda document: 0 if document["sound"] else 1,
    codes="Exit code: 0 it is sound, 1 it is not or cannot be read, 2 wrong arguments.",
    examples=("usher db check", "usher db check /mnt/backup/usher.db --json"),
)


def main() -> int:
    """In a process of its own."""
    return serve(lambda asked, say: examined(Path(asked["path"]), asked["keys"], say))


if __name__ == "__main__":
    sys.exit(main())
