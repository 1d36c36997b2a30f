"""`usher audit verify`: whether anything was changed since it was written.

Rules:
1. It reads, beside a daemon or without one; a bundle is checked with its files and the given keys alone.
2. The first thing that is wrong is one line; whatever is worth knowing beside it follows.
3. Exit code 0 it verifies, 1 it does not, 2 it cannot be checked, 3 it verifies but for what a restore gave up.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from security.auditkey import fingerprint, read_public
from store.reader import open_reader
from usher.audit.bundle_check import Found, check
from usher.audit.exported import document as checkpoint_document
from usher.audit.exported import read_file
from usher.audit.verify import Report, examine
from usher.views import common
from usher.views.text import utc, visible

FAULT: Final = 1
_EPILOG: Final = """exit code:
  0  everything verifies
  1  something was changed, removed, inserted or moved, or is signed by nobody whom the key trusts
  2  wrong arguments, or there is nothing that can be read
  3  it verifies, but a restore gave up rows that a checkpoint covers

examples:
  usher audit verify
  usher audit verify --checkpoints /mnt/audit/checkpoints.jsonl --key audit-key.pem
  usher audit verify --bundle ./november --key audit-key.pem"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher audit verify`."""
    parser.epilog = _EPILOG
    help_ = "checkpoints that were kept elsewhere: what audit.checkpoint_command wrote, or a log"
    parser.add_argument("--checkpoints", metavar="FILE", action="append", default=[], help=help_)
    help_ = "the audit key's public half: a file, or 64 hexadecimal characters; several for a pair, or a lost one"
    parser.add_argument("--key", metavar="FILE|HEX", action="append", default=[], help=help_)
    parser.add_argument("--bundle", metavar="DIR", help="check what usher audit export wrote, and no database")
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, and tell; answers the exit code."""
    codes: list[int] = []
    code = common.guarded(lambda: codes.append(_bundle(args) if args.bundle else _database(args)))
    return code or codes[0]


def _keys(args: argparse.Namespace) -> list[str]:
    return [read_public(each, "--key") for each in args.key]


def _bundle(args: argparse.Namespace) -> int:
    if args.checkpoints:
        said = "--checkpoints are compared with a database: a bundle has its own"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    keys = _keys(args)
    if not keys:
        said = "a bundle is checked with a key that came from elsewhere: name it with --key FILE or --key HEX"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    found = check(Path(args.bundle), keys)
    if args.json:
        common.answer(_found(args.bundle, found))
    else:
        common.say(map(visible, _bundle_lines(args.bundle, found)))
    return FAULT if found.fault else 0


def _found(place: str, found: Found) -> dict[str, Any]:
    return {
        "bundle": place,
        "verifies": not found.fault,
        "fault": found.fault or None,
        "rows": found.rows,
        "checkpoints": found.checkpoints,
        "keys": found.keys,
        "notes": found.notes,
        "asked": found.document.get("asked"),
    }


def _bundle_lines(place: str, found: Found) -> Iterator[str]:
    if found.fault:
        yield f"does not verify: {place}: {found.fault}"
    else:
        rows = f"{found.rows['history']} rows of history, {found.rows['journal']} of the fleet"
        yield f"verifies: {place}: {rows}, {found.checkpoints} checkpoints"
        yield from (f"signed by {key}" for key in found.keys)
    yield from (f"note: {each}" for each in found.notes)


def _database(args: argparse.Namespace) -> int:
    keys = _keys(args)
    exported = [each for file in args.checkpoints for each in read_file(Path(file))]
    path = common.database(args)
    with open_reader(path) as reader:
        report = examine(reader, exported, keys)
    if args.json:
        common.answer(_report(str(path), report))
    else:
        common.say(map(visible, _lines(str(path), report, given=bool(keys))))
    return report.code


def _report(place: str, report: Report) -> dict[str, Any]:
    fault, floor = report.fault, report.verdict.floor
    return {
        "database": place,
        "verifies": fault is None,
        "fault": None
        if fault is None
        else {"table": fault.table, "position": fault.position, "node": fault.node or None, "what": fault.what},
        "rows": report.verdict.rows,
        "fleet_rows": report.verdict.fleet_rows,
        "nodes": report.verdict.nodes,
        "head": report.verdict.head,
        "begins_at": floor.position if floor else 1,
        "checkpoints": report.checked,
        "newest_checkpoint": checkpoint_document(report.newest) if report.newest else None,
        "keys": report.trust.keys,
        "given_up": report.lost,
        "notes": report.notes,
    }


def _lines(place: str, report: Report, *, given: bool) -> Iterator[str]:
    verdict = report.verdict
    if report.fault:
        yield f"does not verify: {place}: {report.fault}"
        yield f"rows of history that verify before it: {verdict.rows}"
    else:
        yield f"verifies: {place}: {verdict.rows} rows of history, {verdict.fleet_rows} of the fleet"
    if report.newest is not None:
        newest = report.newest
        said = f"number {newest.number} of {utc(newest.at)}, history row {newest.position}"
        agree = "1 checkpoint agrees" if report.checked == 1 else f"{report.checked} checkpoints agree"
        yield f"{agree}, the newest is {said}"
    if report.trust.key:
        own = "" if given else "; compare it with the one that you know, or name that with --key"
        yield f"signed by {report.trust.key}{own}"
        yield f"its fingerprint is {fingerprint(report.trust.key)}"
    yield from (f"given up: {each}" for each in report.lost)
    yield from (f"note: {each}" for each in report.notes)
