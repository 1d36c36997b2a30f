"""`usher db vacuum`: give back the room that deleted rows have left.

Rules:
1. It writes the whole database anew, so commits wait meanwhile; nodes lose no try, requests are not sent late.
2. It needs as much room as the database takes, on its own disk and in SQLite's temporary directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from store.upkeep import vacuum
from usher.database.desk import Desk
from usher.database.jobs import Document, Job
from usher.database.words import size


def run(desk: Desk, _: Mapping[str, Any]) -> Document:
    """Vacuum, and note it."""
    desk.say("the database is written anew; commits wait meanwhile")
    done = desk.maintain(vacuum)
    document = {
        "database": str(desk.state.database),
        "before": done.before,
        "after": done.after,
        "log_kept": done.log_kept,
    }
    desk.note("vacuum", document)
    return document


def lines(document: Document) -> list[str]:
    """For a person."""
    said = [f"written anew: {size(document['before'])} before, {size(document['after'])} now"]
    if document["log_kept"]:
        said.append("its log could not be emptied since somebody reads the database: it is written back later")
    return said


JOB = Job(
    "write the database anew, without the room that deleted rows have left; commits wait meanwhile",
    run,
    lines,
    changes=True,
    examples=('usher db vacuum --reason "the disk is small"',),
)
