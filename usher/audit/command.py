"""`usher audit ...`: what an auditor asks, and what keeps the rest verifiable.

Rules:
1. Whoever only asks reads the database, or a bundle, and needs no daemon; what changes something is a job of the
   daemon's (usher.database.jobs), or of this command under the lock.
2. Exit codes: 0 it is so, 1 something is wrong, 2 wrong arguments or nothing to read, 3 as each command says.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Final

from usher.database.command import add_job
from usher.database.jobs import AUDITS

_QUESTIONS: Final = {
    "verify": (
        "usher.audit.verifying",
        "whether anything was changed since it was written, here or in a bundle",
    ),
    "export": ("usher.audit.exporting", "write a part of the history for somebody who checks it without usher"),
    "issued": ("usher.audit.issued", "who received which credential: by node, key, token id, serial, or time"),
    "key": ("usher.audit.showing", "the public half of the audit key, for auditors to keep"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A parser for each question and each job."""
    parser.description = "Verify, export and prune the history, and say who received which credential."
    subparsers = parser.add_subparsers(metavar="QUESTION", required=True, title="questions and jobs")
    for name, (module, what) in _QUESTIONS.items():
        said = f"{what[0].upper()}{what[1:]}."
        formatter = argparse.RawDescriptionHelpFormatter
        added = subparsers.add_parser(name, help=what, description=said, formatter_class=formatter)
        import_module(module).add_arguments(added)
    for name in AUDITS:
        add_job(subparsers, name)
