"""`usher run` composed as it is, except that its ports quote secrets in what they raise, and a node in what it says.

    python -m tests.integration.secrets.daemon PLANTED WITNESS [--crash] [--unsealed] -- ARGUMENTS-OF-USHER-RUN

Rules:
1. Configuration, rooms, durability, logs and the last boundary of the command are usher's own.
2. What is sent to nodes is also written to the file WITNESS: it says that a canary really passed through.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fsm.ports import Helper, HelperCall, HelperReply, Reply, Request, Rpc
from store.journal import Journal
from tests.fakes.changing import changed
from tests.integration.secrets.canaries import Canaries
from usher import cli, hooks, logs, run
from usher.effects.hand import Hand
from usher.effects.site import Ports
from usher.network import Network

QUOTES, RAISES = "node-0010.example.net", "node-0011.example.net"


class Plain:
    """fsm.ports.Vault that does not seal: what the search must find."""

    def seal(self, place: str, data: bytes) -> bytes:
        return data

    def open(self, place: str, sealed: bytes) -> bytes | None:
        return sealed


class Quoting:
    """fsm.ports.Rpc, of which one node refuses its configuration and quotes all of it."""

    def __init__(self, rpc: Rpc, witness: Path) -> None:
        self._rpc, self._witness = rpc, witness

    async def call(self, request: Request) -> Reply:
        with self._witness.open("a") as file:
            file.write(json.dumps({"sent": dict(request.data), "node": request.node, "action": request.action}) + "\n")
        reply = await self._rpc.call(request)
        if (request.node, request.action) != (QUOTES, "configure"):
            return reply
        values = " ".join(json.loads(str(request.data["config"])).values())
        return replace(reply, code=1, message=f"no room for {values} of {request.data['token']}", data={})


class Raising:
    """fsm.ports.Helper that breaks its word for one node: what it raises is not foreseen."""

    def __init__(self, helper: Helper, planted: Canaries) -> None:
        self._helper, self._planted = helper, planted

    async def run(self, call: HelperCall) -> HelperReply:
        if call.identity != RAISES:
            return await self._helper.run(call)
        quoted = ValueError(self._planted.joined("exception"), repr(call))
        raise ExceptionGroup(self._planted.word("exception"), [quoted]) from KeyError(self._planted.joined("exception"))


def composed(settings: run.Settings, ours: argparse.Namespace, planted: Canaries) -> run.Settings:
    """The settings with these ports."""
    made = settings.networks[0].outside.ports

    def ports(network: Network, hand: Hand) -> Ports:
        asyncio.get_running_loop().call_soon(int, planted.joined("callback"))
        if ours.unsealed:
            logging.getLogger("careless").debug(planted.joined("callback"))
        rest = made(network, Hand(hand._store, Plain()) if ours.unsealed else hand)
        return replace(rest, rpc=Quoting(rest.rpc, ours.witness), helper=Raising(rest.helper, planted))

    def crash(_path: Path, _on_full: Callable[[bool], None]) -> Journal:
        raise ValueError(planted.joined("crash")) from KeyError(planted.word("crash"))

    outside = replace(settings.networks[0].outside, ports=ports)
    return changed(settings, outside=outside, open=crash) if ours.crash else changed(settings, outside=outside)


def serve(args: argparse.Namespace) -> int:
    """What usher.run.run does."""
    ours: argparse.Namespace = args.ours
    planted = Canaries(json.loads(ours.planted.read_text()))
    settings = run.read(args)
    logs.set_up(settings.site.logfile, settings.site.loglevel)
    settings.state.prepare()
    settings.state.lock()
    return asyncio.run(run.serve(composed(settings, ours, planted)))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Our own words before `--`, those of usher run after it."""
    cut = list(words).index("--")
    ours = argparse.ArgumentParser()
    ours.add_argument("planted", type=Path)
    ours.add_argument("witness", type=Path)
    ours.add_argument("--crash", action="store_true")
    ours.add_argument("--unsealed", action="store_true")
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    run.add_arguments(parser)
    args = parser.parse_args(words[cut + 1 :])
    args.ours, args.run = ours.parse_args(words[:cut]), serve
    return args


if __name__ == "__main__":
    hooks.install()
    sys.exit(cli.main(parse=parse))
