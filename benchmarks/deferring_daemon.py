"""`usher run` with a helper that says later to every node, and a time of its own after which it is asked again.

Rules:
1. Everything but the helper and that time is the daemon's own composition.
2. A site's time is `interval`, as often as the network is asked: only a longer one tells what the answers alone cost.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from benchmarks.inline_daemon import inline, serve
from fsm.policy import SECOND
from fsm.ports import HelperCall, HelperReply
from tests.fakes.changing import changed
from usher import run


def later(_call: HelperCall) -> HelperReply:
    """What the demo's helper says of a machine that is being worked on."""
    return HelperReply(defer=True, msg="the fact 'maintenance' is set")


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--defer", type=int, default=60, metavar="SECONDS", help="until it is asked again")
    run.add_arguments(parser)
    asked = parser.parse_args()
    settings = run.read(asked)
    settings = changed(settings, policy=replace(settings.networks[0].policy, defer_delay=asked.defer * SECOND))
    return serve(inline(settings, later))


if __name__ == "__main__":
    sys.exit(main())
