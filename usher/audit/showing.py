"""`usher audit key`: the public half of the audit key, for auditors to keep.

Rules:
1. Only the public half is ever printed.
2. Which key signed last the database says, so nobody needs to read the key file; without a checkpoint the file is read.
"""

from __future__ import annotations

import argparse
import os

from security.auditkey import fingerprint, pem
from store.reader import open_reader
from store.records import checkpoints
from usher.audit.keys import audit_key_place, read_keys
from usher.state import state_directory
from usher.views import common
from usher.views.text import utc

_EPILOG = """To take another key: usher audit rotate-key.

exit code: 0 told, 2 there is nothing to read

examples:
  usher audit key
  usher audit key --pem > audit-key.pem"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher audit key`."""
    parser.epilog = _EPILOG
    parser.add_argument("--pem", action="store_true", help="print nothing but the key, as openssl reads it")
    parser.add_argument("--key-file", metavar="FILE", help="the audit.key_file of the site (default: as usher run)")
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    return common.guarded(lambda: _show(args))


def _show(args: argparse.Namespace) -> None:
    with open_reader(common.database(args)) as reader:
        signed = [(each.successor or each.key, each.at) for each in checkpoints(reader)]
    place = audit_key_place(args.key_file or "", os.environ, state_directory(args.state_directory, os.environ))
    public = signed[-1][0] if signed else read_keys(place).public
    since = next((at for key, at in signed if key == public), 0)
    if args.pem:
        common.say(pem(public).splitlines())
    elif args.json:
        common.answer(
            {
                "key": public,
                "fingerprint": fingerprint(public),
                "pem": pem(public),
                "signs_since": utc(since),
                "file": str(place.path),
            }
        )
    else:
        said = f"since {utc(since)}" if since else "no checkpoint yet"
        common.say([f"key          {public}", f"fingerprint  {fingerprint(public)}"])
        common.say([f"signs        {said}", f"file         {place.path}"])
