"""`usher run` composed as it is, with shorter waits: `python -m tests.integration.recovery.hurried ARGUMENTS-OF-RUN`.

Rules:
1. Only the policy's times differ, so that a drill takes seconds: a look after 2.5 s, a request's life of 3 s.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace

from usher import logs, run


def main(words: Sequence[str]) -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    settings = run.read(parser.parse_args(words))
    logs.set_up(settings.site.logfile, settings.site.loglevel)
    settings.state.prepare()
    settings.state.lock()
    policy = replace(settings.policy, look_delay=2500, request_life=3000)
    return asyncio.run(run.serve(replace(settings, policy=policy)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
