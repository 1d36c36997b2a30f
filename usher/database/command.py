"""`usher db JOB`: have a job done by the daemon of the state directory, or do it where there is none.

Rules:
1. With a daemon the job goes through its control socket; without one this process takes the lock and does the same
   job. What needs neither, such as the check of a backup, is done without the lock.
2. A file that is named is named absolutely: the daemon has another working directory.
3. Exit code 0 done, 1 refused, failed, or a fault was found, 2 wrong arguments, 3 a daemon that does not answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from fsm.errors import UsherError
from store.journal import Journal
from store.repository import open_store
from store.restoring import take_in
from usher.alone import own
from usher.control.client import NoDaemonError, ask
from usher.control.protocol import LONGEST_REASON, Ask, Command
from usher.control.server import user_name
from usher.database.desk import Jobs
from usher.database.jobs import JOBS, READINGS, Document, Job, find
from usher.state import StateDirectory, state_directory
from usher.views.common import add_json, add_state
from usher.views.text import visible

RESTORED_BY: Final = "restore"
TROUBLE, WRONG, NO_DAEMON = 1, 2, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`usher db ...`: a parser for each job."""
    subparsers = parser.add_subparsers(metavar="JOB", required=True, title="jobs")
    _add(subparsers, JOBS)


def add_readings(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`usher nodes ...`: a parser for each job that opens what is sealed."""
    _add(subparsers, READINGS)


def _add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], names: Iterable[str]) -> None:
    for name in names:
        add_job(subparsers, name)


def add_job(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    """The parser of one job."""
    job = find(name)
    what = f"{job.what[0].upper()}{job.what[1:]}. {job.codes}"
    added = subparsers.add_parser(
        name,
        help=job.what,
        description=what,
        epilog="\n".join(["examples:", *(f"  {example}" for example in job.examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    job.options(added)
    if job.changes:
        added.add_argument("--reason", required=True, help="why; kept in the journal with your name")
    add_state(added)
    add_json(added)
    added.set_defaults(run=partial(run, name, job))


def run(name: str, job: Job, args: argparse.Namespace) -> int:
    """Have it done and tell the answer."""
    reason = getattr(args, "reason", "")
    if job.changes and not (reason.strip() and len(reason) <= LONGEST_REASON):
        print(f"usher: --reason must say why, in at most {LONGEST_REASON} characters", file=sys.stderr)
        return WRONG
    state = state_directory(args.state_directory, os.environ)
    try:
        arguments = job.arguments(args)
        request = Ask(Command.DATABASE, reason, job=name, arguments=arguments)
        document = done(state, request, apart=job.apart(arguments))
    except NoDaemonError as error:
        print(f"usher: {error}", file=sys.stderr)
        return NO_DAEMON
    except UsherError as error:
        print(f"usher: {visible(str(error))}", file=sys.stderr)
        return TROUBLE
    print(json.dumps(document) if args.json else "\n".join(map(visible, job.lines(document))))
    return job.code(document)


def done(state: StateDirectory, request: Ask, *, apart: bool) -> Document:
    """The job's answer, from the daemon or from ourselves, `apart` from any state directory; raises UsherError."""
    try:
        document: Document = ask(state, request, _working)["result"]
    except NoDaemonError as nobody:
        if not apart:
            _own(state, request, nobody)
        try:
            return asyncio.run(_alone(state, request))
        finally:
            state.unlock()
    return document


def _own(state: StateDirectory, request: Ask, nobody: NoDaemonError) -> None:
    """Take the lock, since no daemon answers; raises NoDaemonError, StateError."""
    if request.job == RESTORED_BY:
        state.prepare()  # the disk may be a new one
    own(state, nobody)


async def _alone(state: StateDirectory, request: Ask) -> Document:
    opened: list[Journal] = []

    def journal() -> Journal:
        if not opened:
            opened.append(open_store(state.database))
        return opened[0]

    jobs = Jobs(state, journal, lambda: time.time_ns() // 1_000_000)
    try:
        document = await jobs.begin(request.job, request.arguments, user_name(os.geteuid()), request.reason)
    finally:
        if opened:
            await opened[0].close()
    if jobs.anew:
        take_in(state.database)
    return document


def _working(progress: Any) -> None:
    if sys.stderr.isatty():
        print(f"usher: {visible(str(progress))} ...", file=sys.stderr)
