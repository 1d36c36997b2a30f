"""The jobs of the database: what each is, and where it is found.

To add one: a module in this package with a `JOB` of the type below, and its line in JOBS. `run` is called with a Desk
(usher.database.desk) and the arguments of the request, on a thread of its own, with a daemon or without one; it answers
a JSON object, says how far it is with `desk.say`, reads with a connection of its own, and writes through
`desk.maintain`. What a job needs of the daemon beside that is a field of the Desk.

Rules:
1. The same function does the job with a daemon and without one; its arguments and its answer are JSON.
2. A job that changes something asks for a reason, and says in the journal of the fleet that it was done.
3. Arguments come from a socket: a job checks them itself, and refuses with an UsherError that names the next step.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fsm.errors import ProblemError

if TYPE_CHECKING:
    from usher.database.desk import Desk

Document = dict[str, Any]

JOBS: Final[dict[str, str]] = {
    "backup": "usher.database.backup:JOB",
    "check": "usher.database.check:JOB",
    "restore": "usher.database.restore:JOB",
    "vacuum": "usher.database.vacuum:JOB",
    "downgrade-check": "usher.database.downgrade:JOB",
    "rekey": "usher.database.rekey:JOB",
}
"""Which module has which job of `usher db`; only the one that was asked for is loaded."""
READINGS: Final[dict[str, str]] = {
    "output": "usher.database.output:JOB",
    "contents": "usher.database.contents:JOB",
}
"""The jobs of `usher nodes`, which open what is sealed."""


AUDITS: Final[dict[str, str]] = {
    "checkpoint": "usher.audit.jobs:CHECKPOINT",
    "rotate-key": "usher.audit.jobs:ROTATE",
    "prune": "usher.audit.prune:JOB",
}
"""The jobs of `usher audit`, which the audit key signs for."""


class JobError(ProblemError):
    """The job cannot be done"""


def _nothing(_: Any) -> None:
    """A job without options."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job: what it does (`run`), and how the command asks for it and tells its answer.

    `changes`: it needs a reason. `options` adds the command's own options, `arguments` makes the request's arguments
    of them, `lines` tells the answer to a person, `code` is the exit code that it means. `examples` are for --help.
    `apart` says of the arguments whether it needs neither the state directory nor its lock.
    """

    what: str
    run: Callable[[Desk, Mapping[str, Any]], Document]
    lines: Callable[[Document], Iterable[str]]
    changes: bool = False
    options: Callable[[argparse.ArgumentParser], None] = _nothing
    arguments: Callable[[argparse.Namespace], Document] = lambda _: {}
    code: Callable[[Document], int] = lambda _: 0
    codes: str = "Exit code: 0 done, 1 refused or failed, 2 wrong arguments."
    examples: tuple[str, ...] = ()
    apart: Callable[[Document], bool] = lambda _: False


def find(name: str) -> Job:
    """The job of that name; raises JobError."""
    place = (JOBS | READINGS | AUDITS).get(name)
    if place is None:
        raise JobError(f"there is no job {name!r:.40}; known are {', '.join(JOBS)}")
    module, _, attribute = place.partition(":")
    job = getattr(import_module(module), attribute)
    assert isinstance(job, Job)  # noqa: S101 the table is ours
    return job
