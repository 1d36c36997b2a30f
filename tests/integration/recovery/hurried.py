"""`usher run` composed as it is, with shorter waits: `python -m tests.integration.recovery.hurried ARGUMENTS-OF-RUN`.

Rules:
1. The policy's times differ, so that a drill takes seconds: a look after 2.5 s, a request's life of 3 s.
2. With --room the database may grow by so many pages; SQLite says then what it says on a full disk. USR1 makes room.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from store.connections import connect
from store.repository import open_store
from tests.fakes.changing import changed
from usher import logs, run


def main(words: Sequence[str]) -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    parser.add_argument("--room", type=int, default=0, metavar="PAGES")
    args = parser.parse_args(words)
    settings = run.read(args)
    logs.set_up(settings.site.logfile, settings.site.loglevel)
    settings.state.prepare()
    settings.state.lock()
    policy = replace(settings.networks[0].policy, look_delay=2500, request_life=3000)
    opening = partial(open_store, connect=Disk(args.room).connect) if args.room else settings.open
    return asyncio.run(run.serve(changed(settings, policy=policy, open=opening)))


class Disk:
    """A disk with room for so many pages, until USR1."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._connections: list[sqlite3.Connection] = []
        signal.signal(signal.SIGUSR1, self._more)

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection to the database on it."""
        db = connect(path)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + self._room}")
        self._connections.append(db)
        return db

    def _more(self, *_: object) -> None:
        for db in self._connections:
            db.execute("PRAGMA max_page_count = 1000000")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
