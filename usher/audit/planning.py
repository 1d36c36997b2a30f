"""Planning a prune: what would go, whether what is there verifies, and the base of every node, in a file.

Rules:
1. It only reads the database, in a process of its own where a daemon runs.
2. What does not verify is not pruned: a floor would hide it.
3. Bases go to a file a line each, so a large fleet needs no memory; a node that has none is named, with how many there
   are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import orjson

from fsm.errors import ProblemError
from store.connections import Database
from store.identity import opened
from store.pruning import Unmade, link_below, make_bases, plan
from store.reader import open_reader
from store.records import Base, Bases
from usher.audit.verify import examine
from usher.database.apart import serve
from usher.database.jobs import Document

MODULE: Final = "usher.audit.planning"
_EVERY: Final = 1000
_NONE: Final = {"hash": "", "bases": 0, "digest": "", "unmade": None, "unmade_nodes": 0}


class UnpruneableError(ProblemError):
    """History cannot be pruned"""


def planned(path: Path, before: int, out: Path, say: Callable[[str], None]) -> Document:
    """The plan, with the link below and the digest of the bases, which are in `out`; raises UsherError."""
    say("the history is verified first")
    with open_reader(path) as reader:
        report = examine(reader)
    if report.fault is not None:
        raise UnpruneableError(f"history does not verify, and a floor would hide that: {report.fault}")
    with opened(path) as db:
        made = plan(db, before)
        document: dict[str, Any] = {**asdict(made), **_NONE}
        if made.position > max(made.floor, 1):
            document["hash"] = link_below(db, made.position).hex()
            with out.open("wb") as file:
                document |= _bases(db, made.position, file, say)
    return document


def _bases(db: Database, position: int, file: IO[bytes], say: Callable[[str], None]) -> Document:
    digest, first, unmade = Bases(), None, 0
    for each in make_bases(db, position):
        if isinstance(each, Unmade):
            first, unmade = first or each, unmade + 1
            continue
        digest.add(each)
        file.write(orjson.dumps([each.node, each.seq, each.body.decode()]) + b"\n")
        if digest.count % _EVERY == 0:
            say(f"the bases of {digest.count} nodes are made")
    return {
        "bases": digest.count,
        "digest": digest.digest,
        "unmade": asdict(first) if first else None,
        "unmade_nodes": unmade,
    }


def read_bases(path: Path) -> Iterator[Base]:
    """The bases of a file that was planned."""
    with path.open("rb") as file:
        for line in file:
            node, seq, body = orjson.loads(line)
            yield Base(node, seq, body.encode())


def main() -> int:
    """In a process of its own."""
    return serve(lambda asked, say: planned(Path(asked["path"]), asked["before"], Path(asked["out"]), say))


if __name__ == "__main__":
    sys.exit(main())
