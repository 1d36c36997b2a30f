"""The older program's command line: `usher --config F` without a command, and `choria-provisioner`, run the daemon.

Rules:
1. Its flags keep their names and meaning: `[run] --config --choria-config --pid --[no-]debug`
   (wire/provisioning.md §3.1).
2. It is `usher run` with another way to ask for it: nothing is decided here.
3. Whoever asks for help or a version is told that this is usher.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from usher import run

NAME: Final = "choria-provisioner"
_WHAT: Final = """\
This is usher. It takes the flags and the files of the older choria-provisioner, and runs as its daemon: the same as
`usher run`. Everything else is asked of the command `usher`: `usher status`, `usher check-config`, `usher --help`.
"""


def parse(words: Sequence[str], program: str = NAME) -> argparse.Namespace:
    """The arguments of the older command line, with which `program` was called."""
    parser = _parser(program)
    args = parser.parse_intermixed_args(words)
    if args.command not in ([], ["run"]):
        parser.error(f"the only command is run, not {' '.join(args.command)[:80]!r}; all others are those of usher")
    return args


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program, description=_WHAT, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"{program}: usher {version('choria-usher')}")
    parser.add_argument("command", nargs="*", metavar="run", help="the only command, done if nothing is said")
    run.add_arguments(parser)
    parser.add_argument("--no-debug", dest="debug", action="store_false", help="log what the configuration says")
    parser.set_defaults(run=run.run)
    return parser
