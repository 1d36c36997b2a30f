"""`usher db downgrade-check`: whether an older usher could open this database, and how to go back to it.

Rules:
1. Nothing is changed: it says what to type, in order, and what would be lost.
2. Migrations only go forward: an older usher opens its own schema version and no later one.
3. A backup counts for this database only if its last row is a row of this history, with the same link.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fsm.errors import StoreError
from store.goback import lost, written
from store.refusals import newest_backup
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError
from usher.database.words import when

RELEASES: Final[dict[str, int]] = {"0.1.0": 1}
"""The schema version of each release before this one."""


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Look at the database and at its backups."""
    release, schema = _wanted(arguments.get("version") or "")
    path, held = desk.state.database, written(desk.state.database)
    document: Document = {
        "database": str(path),
        "schema": held.identity.version,
        "tables": {str(version): rows for version, rows in held.tables.items()},
        "release": release,
        "release_schema": schema,
        "opens": schema >= held.identity.version,
        "backup": None,
        "lost": None,
        "steps": [],
    }
    if document["opens"]:
        return document
    backup = newest_backup(desk.state.path, schema)
    try:
        missed = lost(path, backup)
    except StoreError as error:
        raise JobError(f"{error}; move that backup away and ask again") from None
    return document | {
        "backup": str(backup) if backup else None,
        "lost": {"rows": missed.rows, "nodes": missed.nodes, "since": missed.since},
        "steps": _steps(desk, path, backup, held.identity.version, release),
    }


def _wanted(version: Any) -> tuple[str, int]:
    """The release and its schema version: by the release's number, by the schema's, or the last release."""
    releases = {**RELEASES, **{str(schema): schema for schema in RELEASES.values()}}
    if not version:
        return list(RELEASES.items())[-1]
    if not isinstance(version, str) or version not in releases:
        known = ", ".join(f"{release} (schema {schema})" for release, schema in RELEASES.items())
        raise JobError(f"there is no release {version!r:.20} before this one; known are {known}")
    schema = releases[version]
    return next(release for release, of in RELEASES.items() if of == schema), schema


def _steps(desk: Desk, path: Path, backup: Path | None, version: int, release: str) -> list[str]:
    """What to type, in order."""
    name, kept = shlex.quote(str(path)), shlex.quote(f"{path}.schema-{version}")
    source = shlex.quote(str(backup)) if backup else None
    target = shlex.quote(str(desk.state.path / f"before-going-back-to-{release}.db"))
    return [
        "stop usher (systemctl stop usher), and wait a minute: what it sent may be alive as long",
        f"usher db backup {target} --state {shlex.quote(str(desk.state.path))}",
        f"mv {name} {kept}",
        f"cp -p {source} {name}"
        if source
        else f"there is no backup of that schema: usher {release} begins with an empty one",
        f"install usher {release}, and start it: nodes in provisioning mode are found anew",
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    help_ = "a release such as 0.1.0, or a schema version (default: the release before this one)"
    parser.add_argument("version", nargs="?", metavar="VERSION", help=help_)


def _arguments(args: argparse.Namespace) -> Document:
    return {"version": args.version or ""}


def lines(document: Document) -> list[str]:
    """For a person."""
    tables = ", ".join(f"{rows} rows of table version {version}" for version, rows in document["tables"].items())
    said = [f"schema version {document['schema']}, {tables or 'no rows'}"]
    if document["opens"]:
        return [*said, f"usher {document['release']} could open it"]
    gone = document["lost"]
    since = f"since {when(gone['since'])}" if gone["since"] else "all there is"
    said.append(f"usher {document['release']} knows schema version {document['release_schema']} and cannot open it")
    said.append(f"going back loses {since}: {gone['rows']} rows of history, of {gone['nodes']} nodes")
    return [*said, "to go back:", *(f"  {number}. {step}" for number, step in enumerate(document["steps"], 1))]


JOB = Job(
    "whether an older usher could open the database, and how to go back to one",
    run,
    lines,
    options=_options,
    arguments=_arguments,
    code=lambda document: 0 if document["opens"] else 1,
    codes="Exit code: 0 it could open it, 1 it could not (the steps are told) or no answer, 2 wrong arguments.",
    examples=("usher db downgrade-check", "usher db downgrade-check 0.1.0 --json"),
)
