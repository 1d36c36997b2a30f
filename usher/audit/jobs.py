"""`usher audit checkpoint` and `usher audit rotate-key`: what the audit key signs when somebody asks.

Rules:
1. With a daemon its keeper signs, and the site's command gets what was signed; without one nobody gets it but whoever
   asked, which the answer says.
2. A new key is in the file together with the one before it until both have signed that it takes over.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsm.errors import StoreFullError
from fsm.runtime.clock import SystemClock
from store.checkpoints import Checkpoint
from usher.audit import start
from usher.audit.exported import document as line_of
from usher.audit.keeper import Keeper
from usher.audit.keys import SETTING, AuditKeys, read_keys
from usher.config.audit import AuditSettings
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError
from usher.views.text import utc


def keeper_of(desk: Desk, arguments: Mapping[str, Any]) -> Keeper:
    """The daemon's keeper, or one over the key file where no daemon runs; raises JobError, CredentialError."""
    named = arguments.get("key_file") or ""
    if not isinstance(named, str) or (named and not Path(named).is_absolute()):
        raise JobError("key_file must be an absolute path")
    if desk.keeper is not None:
        if named and Path(named) != desk.keeper.keys.place.path:
            raise JobError(f"the daemon's key file is {desk.keeper.keys.place.path}: leave --key-file out")
        return desk.keeper
    keeper = start.keeper_of(AuditSettings(key_file=named), desk.state, SystemClock())
    desk.on_loop(lambda: keeper.take_up(desk.journal()))
    return keeper


def checkpoint(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Take one."""
    keeper = keeper_of(desk, arguments)
    return told(desk, _on_room(desk, lambda: keeper.take("asked")))


def rotate(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Have a new key take over, or the first of a file that the site provides."""
    keeper = keeper_of(desk, arguments)
    before = keeper.keys
    keys = before.with_fresh() if before.place.ours else _provided(before)
    made = _on_room(desk, lambda: keeper.rotate(keys))
    document = {**told(desk, made), "before": before.public, "now": keys.public, "key_file": str(keys.place.path)}
    document["removed"] = keeper.keys.before is None
    desk.note("audit-key", document)
    return document


def told(desk: Desk, made: Checkpoint) -> Document:
    """The answer of a job that took one."""
    return {
        "number": made.number,
        "at": made.at,
        "position": made.position,
        "fleet_position": made.fleet_position,
        "line": line_of(made),
        "daemon": desk.serving,
    }


def _provided(before: AuditKeys) -> AuditKeys:
    keys = read_keys(before.place)
    if keys.before is None or keys.before.public_hex != before.public or keys.public == before.public:
        step = f"write the new seed as its first line and keep the old one as its second: {before.place.path}"
        raise JobError(f"{SETTING} is the site's own file, and no other key takes over in it: {step}")
    return keys


def _on_room(desk: Desk, call: Any) -> Checkpoint:
    try:
        made: Checkpoint = desk.on_loop(call)
    except StoreFullError:
        raise JobError("the disk is full: nothing was signed, ask again when there is room") from None
    return made


def key_options(parser: argparse.ArgumentParser) -> None:
    """The option of a job that signs."""
    parser.add_argument("--key-file", metavar="FILE", help="where no daemon runs: the audit.key_file of the site")


def key_arguments(args: argparse.Namespace) -> Document:
    """The key file of such a job's request."""
    return {"key_file": str(Path(args.key_file).absolute()) if args.key_file else ""}


def _lines(document: Document) -> list[str]:
    place = f"history row {document['position']}, row {document['fleet_position']} of the fleet"
    said = [f"checkpoint {document['number']} of {utc(document['at'])}: {place}", str(document["line"]["checkpoint"])]
    if not document["daemon"]:
        said.append("no daemon runs, so audit.checkpoint_command did not get it: usher run sends the next one")
    return said


def _rotated(document: Document) -> list[str]:
    step = (
        "the seed before it was removed"
        if document["removed"]
        else f"its seed may be removed from {document['key_file']}"
    )
    return [
        f"the key {document['now']} signs from now on",
        f"{document['before']} has handed over to it with checkpoint {document['number']}: {step}",
        "give auditors the new one: usher audit key --pem",
    ]


CHECKPOINT = Job(
    "sign where the history stands now",
    checkpoint,
    _lines,
    options=key_options,
    arguments=key_arguments,
    examples=("usher audit checkpoint",),
)
ROTATE = Job(
    "have another audit key sign from now on, with a checkpoint that both sign",
    rotate,
    _rotated,
    changes=True,
    options=key_options,
    arguments=key_arguments,
    examples=('usher audit rotate-key --reason "the yearly change"',),
)
