"""`usher audit prune`: delete what is older than a time, so that the rest stays verifiable and explainable.

Rules:
1. Nothing goes before the floor is durable: signed, with the snapshot that each node had there.
2. It says first what would go (--dry-run says nothing else), and refuses where a node's snapshot there cannot be made.
3. It is noted in the journal of the fleet, under the operator's name, before the first row goes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fsm.errors import StoreFullError
from store.pruning import delete_page, set_floor
from store.records import Floor, floor_document
from usher.audit.jobs import keeper_of, key_arguments, key_options
from usher.audit.keeper import Keeper
from usher.audit.planning import MODULE, planned, read_bases
from usher.control.protocol import LONGEST_REASON
from usher.database.apart import run_apart
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError
from usher.views import moments
from usher.views.text import utc

PRUNED: Final = "pruned"
_BACKUP: Final = "make an export of it first if anybody may ask: usher audit export --until"


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Plan, set the floor, delete."""
    before, dry = arguments.get("before"), bool(arguments.get("dry_run"))
    if type(before) is not int:
        raise JobError("before must be a time in milliseconds")
    if not dry and not desk.reason.strip():
        raise JobError("a reason is needed: say --reason why, or only look with --dry-run")
    if not desk.state.database.is_file():
        raise JobError(f"there is no database in {desk.state.path}: name its directory with --state DIR")
    handle, name = tempfile.mkstemp(prefix=".prune-", dir=desk.state.path)
    os.close(handle)
    try:
        return _run(desk, arguments, before, Path(name), dry=dry)
    except StoreFullError:
        raise JobError("the disk is full: make room and ask again; what was pruned is signed and whole") from None
    finally:
        Path(name).unlink(missing_ok=True)


def _run(desk: Desk, arguments: Mapping[str, Any], before: int, out: Path, *, dry: bool) -> Document:
    plan = _plan(desk, before, out)
    document = {
        "database": str(desk.state.database),
        "before": before,
        "floor": plan["position"],
        "rows": plan["rows"],
        "nodes": plan["nodes"],
        "began": plan["began"],
        "ended": plan["ended"],
        "bases": plan["bases"],
        "dry_run": dry,
        "deleted": 0,
        "blocked": plan["unmade"],
        "blocked_nodes": plan["unmade_nodes"],
    }
    nothing_new = plan["position"] <= max(plan["floor"], 1)
    if dry or (nothing_new and not plan["rows"]):
        return document
    if plan["unmade"] is not None and not nothing_new:
        raise JobError(_blocked(document))
    keeper = keeper_of(desk, arguments)
    if not nothing_new:
        _set_floor(desk, keeper, plan, document, out)
    document["deleted"] = _delete(desk)
    desk.on_loop(lambda: keeper.take(PRUNED))
    return document


def _set_floor(desk: Desk, keeper: Keeper, plan: Document, document: Document, out: Path) -> None:
    at, key, head = desk.now(), keeper.keys, bytes.fromhex(plan["hash"])
    text = floor_document(plan["position"], at, head, plan["bases"], plan["digest"])
    floor = Floor(plan["position"], at, head, key.public, key.current.sign(text), text)
    desk.say("the floor is set; commits wait meanwhile")
    desk.maintain(set_floor(floor, lambda: read_bases(out)))
    desk.note(PRUNED, document | {"document": text.decode(), "signature": floor.signature.hex()})


def _plan(desk: Desk, before: int, out: Path) -> Document:
    path = desk.state.database
    if desk.serving:
        return run_apart(MODULE, {"path": str(path), "before": before, "out": str(out)}, desk.say)
    return planned(path, before, out, desk.say)


def _delete(desk: Desk) -> int:
    gone = 0
    while deleted := desk.maintain(delete_page):
        gone += deleted
        desk.say(f"{gone} rows are deleted")
    return gone


def _blocked(document: Document) -> str:
    node, others = document["blocked"], document["blocked_nodes"] - 1
    more = f", and {others} more nodes" if others else ""
    said = f"node {node['node']} has rows on both sides of that time, and row {node['seq']} cannot be decided again"
    return f"{said} ({node['why']}){more}: nothing was pruned; name an earlier time, before its first such row"


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--before", required=True, type=moments.time, metavar="TIME", help="rows before this time go")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    parser.add_argument("--reason", default="", type=_reason, help="why; kept in the journal with your name")
    key_options(parser)


def _reason(text: str) -> str:
    if len(text) > LONGEST_REASON:
        raise argparse.ArgumentTypeError(f"it must say why in at most {LONGEST_REASON} characters")
    return text


def _arguments(args: argparse.Namespace) -> Document:
    return {**key_arguments(args), "before": args.before, "dry_run": args.dry_run}


def _lines(document: Document) -> list[str]:
    rows, nodes = document["rows"], document["nodes"]
    if not rows:
        return [f"nothing is older than {utc(document['before'])}: nothing to prune"]
    span = f"of {nodes} nodes, from {utc(document['began'])} to {utc(document['ended'])}"
    floor = document["floor"]
    if not document["dry_run"]:
        kept = f"the snapshots of {document['bases']} nodes at row {floor}, where history begins now, are signed"
        step = "the file gets smaller with usher db vacuum; usher audit verify checks the rest"
        return [f"pruned: {document['deleted']} rows {span}", kept, step]
    told = [f"would go: {rows} rows {span}", f"history would begin at row {floor}"]
    if document["blocked"]:
        told.append(f"it would be refused: {_blocked(document)}")
    return [*told, f"nothing was changed; {_BACKUP} {utc(document['before'])} --out DIR"]


JOB = Job(
    "delete what is older than a time; the rest stays verifiable, below a signed floor",
    run,
    _lines,
    options=_options,
    arguments=_arguments,
    codes="Exit code: 0 done, or it could be done; 1 refused or failed, 2 wrong arguments, 3 a daemon without answer.",
    examples=("usher audit prune --before 365d --dry-run", 'usher audit prune --before 2026-01-01 --reason "a year"'),
)
