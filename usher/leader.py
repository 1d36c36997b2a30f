"""`usher leader`: who leads the election, as this usher knows it.

Rules:
1. It asks the daemon of this machine; without one it says what its database knows, and how old that is.
2. Exit codes: 0 somebody leads, as far as is known; 1 nobody is known to, or there is no election; 3 no daemon answers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Final

from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.standing import stored
from usher.state import state_directory
from usher.terms import said
from usher.views.common import add_json, add_state, now, say
from usher.views.text import visible

KNOWN: Final = 0
UNKNOWN: Final = 1
NO_DAEMON: Final = 3
OFF: Final = "there is no election here: set leader_election: true to stand for one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher leader`."""
    parser.description = "Say who leads. Exit code: 0 somebody does, 1 nobody is known to, 3 no daemon answers."
    add_state(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    state = state_directory(args.state_directory, os.environ)
    try:
        status: dict[str, Any] | None = ask(state, Ask(Command.STATUS))["status"]
        code = KNOWN
    except NoDaemonError as error:
        status, code = stored(state.database), NO_DAEMON
        print(f"usher: {visible(str(error))}", file=sys.stderr)
    except RefusedError as error:
        print(f"usher: {visible(str(error))}", file=sys.stderr)
        return UNKNOWN
    election = status["election"] if status is not None else None
    if args.json:
        say([json.dumps(election)])
    elif election is not None:
        say([said(election, now())])
    elif code == KNOWN:
        say([OFF])
    if code == KNOWN and (election is None or election["leader"] is None):
        return UNKNOWN
    return code
