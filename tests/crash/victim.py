"""The victim: `usher run` composed as it is, except that it dies at one failpoint.

    python -m tests.crash.victim FAILPOINT EFFECT NTH -- ARGUMENTS-OF-USHER-RUN
    python -m tests.crash.victim -- ARGUMENTS-OF-USHER-RUN

Rules:
1. Configuration, rooms, durability and order of the start are the daemon's own (usher.run); only what it is given of
   the outside differs: the connection, the ports Rpc and Helper, and a helper that answers in the process.
2. Without a failpoint it does not die, and everything else is the same.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fsm.effects import Effect
from fsm.ports import Helper, HelperCall, HelperReply
from helpers.runners.inline import InlineHelper
from store.journal import Journal
from store.repository import open_store
from tests.crash.dying import DyingHelper, DyingRpc, Fate, watched
from tests.crash.failpoints import Death, Failpoint
from tests.fakes.changing import changed
from usher import logs, run
from usher.effects.hand import Hand
from usher.effects.site import Ports
from usher.network import Network


def configure(call: HelperCall) -> HelperReply:
    """What the demo's helper answers, without a process."""
    return HelperReply(
        configuration={
            "identity": call.identity,
            "collectives": "choria",
            "plugin.choria.middleware_hosts": "nats://broker.example.net:4222",
            "plugin.choria.server.provision": "false",
            "plugin.security.provider": "choria",
            "plugin.security.choria.token_file": "/etc/choria/server.jwt",
            "plugin.security.choria.seed_file": "/etc/choria/server.seed",
        }
    )


def retire(_: HelperCall) -> HelperReply:
    """A helper that wants no such node."""
    return HelperReply(shutdown=True, msg="not wanted")


def doomed(settings: run.Settings, death: Death | None, helper: Helper, look_delay: int | None) -> run.Settings:
    """The settings of a daemon with this helper that dies this death."""
    outside = settings.networks[0].outside
    made = outside.ports
    if look_delay is not None:
        settings = changed(settings, policy=replace(settings.networks[0].policy, look_delay=look_delay))
    if death is None:
        return changed(settings, outside=replace(outside, ports=lambda *of: replace(made(*of), helper=helper)))
    fate = Fate(death)

    def ports(network: Network, hand: Hand) -> Ports:
        rest = made(network, hand)
        return replace(rest, rpc=DyingRpc(rest.rpc, network.calls, fate), helper=DyingHelper(helper, fate))

    def opened(path: Path, on_full: Callable[[bool], None]) -> Journal:
        return open_store(path, on_full, connect=partial(watched, fate))

    return changed(settings, open=opened, outside=replace(outside, ports=ports))


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, argparse.Namespace]:
    """Our own words before `--`, those of usher run after it."""
    cut = list(words).index("--")
    ours = argparse.ArgumentParser(prog="python -m tests.crash.victim")
    ours.add_argument("death", nargs="*", metavar="FAILPOINT EFFECT NTH")
    ours.add_argument("--retire", action="store_true", help="the helper has each node shut down")
    ours.add_argument("--look-delay", type=int, metavar="MS", help="of the policy; default the policy's own")
    theirs = argparse.ArgumentParser()
    run.add_arguments(theirs)
    return ours.parse_args(words[:cut]), theirs.parse_args(words[cut + 1 :])


def main(words: Sequence[str]) -> int:
    """Serve until death."""
    ours, theirs = parse(words)
    death = None
    if ours.death:
        failpoint, effect, nth = ours.death
        death = Death(Failpoint[failpoint], Effect(effect), int(nth))
    settings = doomed(run.read(theirs), death, InlineHelper(retire if ours.retire else configure), ours.look_delay)
    logs.set_up(settings.site.logfile, settings.site.loglevel)
    settings.state.prepare()
    settings.state.lock()
    return asyncio.run(run.serve(settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
