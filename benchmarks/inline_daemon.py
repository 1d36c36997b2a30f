"""`usher run` with a helper that costs nothing, to measure all the rest.

Rules:
1. Everything but the helper is the daemon's own composition: the same files, the same rooms, the same durability.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace

from fsm.ports import HelperCall, HelperReply
from helpers.runners.inline import InlineHelper
from tests.fakes.changing import changed
from usher import logs, run
from usher.effects.hand import Hand
from usher.effects.site import Ports
from usher.network import Network


def answer(call: HelperCall) -> HelperReply:
    """What the demo's helper answers, without a process."""
    return HelperReply(
        configuration={
            "identity": call.identity,
            "collectives": "choria",
            "loglevel": "info",
            "plugin.choria.middleware_hosts": "nats://broker.example.net:4222",
            "plugin.choria.server.provision": "false",
            "plugin.security.provider": "choria",
            "plugin.security.choria.token_file": "/etc/choria/server.jwt",
            "plugin.security.choria.seed_file": "/etc/choria/server.seed",
        }
    )


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return serve(inline(run.read(parser.parse_args())))


def inline(settings: run.Settings, function: Callable[[HelperCall], HelperReply] = answer) -> run.Settings:
    """The same settings with the helper in the process."""
    made = settings.networks[0].outside.ports

    def ports(network: Network, hand: Hand) -> Ports:
        return replace(made(network, hand), helper=InlineHelper(function))

    return changed(settings, outside=replace(settings.networks[0].outside, ports=ports))


def serve(settings: run.Settings) -> int:
    """Serve until a signal; answers the exit code."""
    logs.set_up(settings.site.logfile, settings.site.loglevel)
    settings.state.prepare()
    settings.state.lock()
    return asyncio.run(run.serve(settings))


if __name__ == "__main__":
    sys.exit(main())
