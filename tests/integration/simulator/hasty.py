"""The whole daemon with shorter waits, so that a test can see where nodes end.

All else is what `usher run` composes: files, broker, journal, table. A request waits 1 s for its answer, a look is
due 2.2 s after a restart (which takes two), a failed node stays as it is, the second return is one too many, and there
is a discovery each 3 s.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace

from fsm.ports import Reply, Request, Rpc
from tests.fakes.changing import changed
from usher import logs, run
from usher.effects.hand import Hand
from usher.effects.site import Ports
from usher.network import Network

PATIENCE = 1.0


class Hasty:
    """The port Rpc, with less patience."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def call(self, request: Request) -> Reply:
        return await self._rpc.call(replace(request, timeout=min(request.timeout, PATIENCE)))


def hasty(settings: run.Settings) -> run.Settings:
    """The same settings, with less patience."""
    made = settings.networks[0].outside.ports

    def ports(network: Network, hand: Hand) -> Ports:
        composed = made(network, hand)
        return replace(composed, rpc=Hasty(composed.rpc))

    policy = replace(
        settings.networks[0].policy, try_delay=100, try_cap=100, retry_delay=300_000, look_delay=2200, hint_delay=500,
        look_interval=1000, request_life=3000, loops=2,
    )  # fmt: skip
    way = replace(settings.networks[0].outside.way, interval=3.0)
    return changed(settings, policy=policy, outside=replace(settings.networks[0].outside, ports=ports, way=way))


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    settings = hasty(run.read(parser.parse_args()))
    logs.set_up(settings.site.logfile, settings.site.loglevel)
    settings.state.prepare()
    settings.state.lock()
    return asyncio.run(run.serve(settings))


if __name__ == "__main__":
    sys.exit(main())
