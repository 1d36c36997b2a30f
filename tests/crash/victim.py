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
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from fsm.effects import Effect
from fsm.ports import Helper, HelperCall, HelperReply
from helpers.runners.inline import InlineHelper
from security.ca import SmallCa
from security.node_tls import RsaPair
from store.journal import Journal
from store.repository import open_store
from tests.crash.dying import DyingHelper, DyingRpc, Fate, watched
from tests.crash.failpoints import Death, Failpoint
from tests.fakes.changing import changed
from usher import logs, run
from usher.effects.hand import Hand
from usher.effects.site import Ports
from usher.network import Network
from usher.simulator.material import YEAR


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


class Certifying:
    """A helper that has the authority of a site; every other node is sent its key too, the same one for all."""

    def __init__(self, site: Path) -> None:
        """Read the authority."""
        self._authority = SmallCa.of((site / "ca.pem").read_text(), (site / "ca.key").read_text())
        self._pair = RsaPair.generate()

    def __call__(self, call: HelperCall) -> HelperReply:
        """Certify what the node asks for, or the key that it is sent."""
        assert call.csr is not None, "the fleet is one of an x509 network"
        supplies = sha256(call.identity.encode()).digest()[0] % 2 == 1
        request = self._pair.request({"cn": call.identity}) if supplies else call.csr.csr
        return HelperReply(
            configuration={
                "identity": call.identity,
                "plugin.choria.server.provision": "false",
                "plugin.security.provider": "file",
                "plugin.security.file.certificate": f"{call.csr.ssldir}/certificate.pem",
                "plugin.security.file.key": f"{call.csr.ssldir}/private.pem",
                "plugin.security.file.ca": f"{call.csr.ssldir}/ca.pem",
            },
            certificate=self._authority.certify(request, call.identity, int(time.time()), YEAR),
            ca=self._authority.certificate,
            key=self._pair.private_pem if supplies else "",
        )


def doomed(settings: run.Settings, death: Death | None, helper: Helper, times: Mapping[str, int]) -> run.Settings:
    """The settings of a daemon with this helper that dies this death."""
    outside = settings.networks[0].outside
    made = outside.ports
    settings = changed(settings, policy=replace(settings.networks[0].policy, **times))
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
    ours.add_argument("--certify", type=Path, metavar="SITE", help="the helper certifies with the authority there")
    ours.add_argument("--time", action="append", default=[], metavar="NAME=MS", help="a time of the policy")
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
    helper = retire if ours.retire else Certifying(ours.certify) if ours.certify else configure
    times = {name: int(value) for name, _, value in (each.partition("=") for each in ours.time)}
    settings = doomed(run.read(theirs), death, InlineHelper(helper), times)
    logs.set_up(settings.site.logfile, settings.site.loglevel)
    settings.state.prepare()
    settings.state.lock()
    return asyncio.run(run.serve(settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
