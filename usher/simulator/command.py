"""`usher simulate`: a fleet of simulated servers against a broker, to test a site's helper and usher itself.

Rules:
1. Wrong arguments end with one message for each mistake and code 2; a broker that refuses ends with code 1.
2. INT and TERM end the fleet and the command with code 0.
3. With --json, standard output is one JSON object a line and nothing else.
4. A report is written at the start, at the end and on USR1; one that cannot be written ends the command before a node
   is switched on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson

from transport.wire.versions import Version
from usher.simulator.fleet import MOST_CONNECTIONS, Figures, Fleet, Plan
from usher.simulator.kinds import KEYS
from usher.simulator.model import Phase
from usher.simulator.plan import ArgumentsError, make_plan
from usher.simulator.provision import ACTIONS
from usher.simulator.report import Report, ReportError
from usher.simulator.unkind import Fault
from usher.simulator.wire_client import LinkError

_FAULTS: Final = {
    Fault.LOSE: "lose requests",
    Fault.MUTE: "lose answers: it is done, nobody is told",
    Fault.DELAY: "let requests arrive later (seconds)",
    Fault.LATE: "answer later (seconds)",
    Fault.DUPLICATE: "answer twice",
    Fault.REFUSE: "refuse with code 1",
}
_LEFT: Final = (Phase.PROVISIONED, Phase.STOPPED)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher simulate`."""
    parser.set_defaults(run=run)
    parser.description = "Simulated Choria servers that want to be provisioned, over real connections to a broker."
    fleet = parser.add_argument_group("the fleet")
    fleet.add_argument("--nodes", type=int, metavar="N", help="how many (default: as the profile says, or 50)")
    fleet.add_argument("--profile", metavar="FILE", help="what the nodes are and do, YAML or JSON (docs/simulator.md)")
    fleet.add_argument("--names", default="node-{:04d}", metavar="FORMAT", help="default node-{:04d}, from 1 on")
    fleet.add_argument("--domain", default="example.net", help="default example.net")
    fleet.add_argument("--first", type=int, default=1, metavar="N", help="the first node's number (default 1)")
    fleet.add_argument("--facts", metavar="FILE", help="JSON object that every node shows as its facts")
    fleet.add_argument("--facts-size", type=int, default=0, metavar="BYTES", help="make facts of about this size")
    fleet.add_argument(
        "--protocol",
        choices=[version.value for version in Version],
        help="what the nodes speak (default: v2 if the token says so, else v1)",
    )
    fleet.add_argument(
        "--without", action="append", default=[], choices=list(ACTIONS), metavar="ACTION",
        help=f"the nodes are too old for this action ({', '.join(ACTIONS)}); may be given repeatedly",
    )  # fmt: skip
    fleet.add_argument(
        "--rsa-keys", type=int, metavar="N",
        help=f"make so many keys for gencsr to draw from, 15 a second (default {KEYS} if nodes speak v1, else none)",
    )  # fmt: skip
    fleet.add_argument("--upgradable", action="store_true", help="nodes accept release_update")
    broker = parser.add_argument_group("the broker and the token")
    broker.add_argument("--broker", metavar="URL", help="default: the first URL in the token")
    broker.add_argument("--token", metavar="FILE", help="the provisioning.jwt that the nodes show")
    broker.add_argument("--ca", metavar="FILE", help="verify the broker's certificate, which real servers do not do")
    broker.add_argument("--issuer-seed", metavar="FILE", help="instead: make a token with this ed25519 seed (64 hex)")
    broker.add_argument("--secret", default="", help="with --issuer-seed: the agent's token (cht)")
    broker.add_argument("--user", default="", help="with --issuer-seed: NATS user of the nodes (chusr)")
    broker.add_argument("--password", default="", help="with --issuer-seed: its password (chpwd)")
    broker.add_argument(
        "--fleet-user", default="", help="NATS user of the fleet's account: provisioned nodes listen there"
    )
    broker.add_argument("--fleet-password-file", metavar="FILE", help="a file with the password of that user")
    broker.add_argument(
        "--connections",
        type=int,
        default=MOST_CONNECTIONS,
        metavar="N",
        help=f"at most so many; nodes share them beyond that (default {MOST_CONNECTIONS})",
    )
    broker.add_argument(
        "--plain", action="store_true", help="permit a broker without TLS (choria_insecure), as real servers never do"
    )
    unkind = parser.add_argument_group(
        "unkindness", "RULE is [ACTION=]CHANCE, for times [ACTION=]CHANCE:SECONDS[-SECONDS]; may be given repeatedly"
    )
    for fault, text in _FAULTS.items():
        unkind.add_argument(f"--{fault.value}", action="append", default=[], metavar="RULE", help=text)
    unkind.add_argument("--seed", type=int, metavar="N", help="the same seed strikes the same nodes and messages")
    parser.add_argument("--together", action="store_true", help="nodes start when all connections stand: one burst")
    parser.add_argument("--server-events", action="store_true", help="provisioned nodes say startup as `server`")
    parser.add_argument("--once", action="store_true", help="end when every node is provisioned or shut down")
    parser.add_argument("--json", action="store_true", help="progress as JSON, an object a line")
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write there what each node holds (key, token) and which requests reached it: at the end, and on USR1",
    )
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="between progress lines")


def run(args: argparse.Namespace) -> int:
    """Play the fleet that the arguments describe; the exit code. BrokenPipeError: nobody reads the progress."""
    try:
        plan = make_plan(args)
    except ArgumentsError as error:
        for mistake in error.mistakes:
            print(f"usher simulate: {mistake}", file=sys.stderr)
        return 2
    for line in plan.told:
        print(line, file=sys.stderr if args.json else sys.stdout, flush=True)
    try:
        asyncio.run(_play(plan, args))
    except (LinkError, ReportError) as error:
        print(f"usher simulate: {error}", file=sys.stderr)
        return 1
    return 0


async def _play(plan: Plan, args: argparse.Namespace) -> None:
    loop, news, stop = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    report = Report(Path(args.report)) if args.report else None
    fleet = Fleet(plan, changed=news.set, heard=report.heard if report else None)
    if report is not None:
        report.write(fleet.nodes(), plan.setup)
        loop.add_signal_handler(signal.SIGUSR1, _report_again, report, fleet, plan)
    show = _as_json if args.json else _as_text
    playing = asyncio.create_task(fleet.run())
    telling = asyncio.create_task(_tell(fleet, news, args.every, show, once=args.once))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((playing, telling, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (playing, telling, stopping):
            task.cancel()
        outcomes = await asyncio.gather(playing, telling, stopping, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    show(fleet.figures())
    if report is not None:
        report.write(fleet.nodes(), plan.setup)


def _report_again(report: Report, fleet: Fleet, plan: Plan) -> None:
    """On a signal: a report that cannot be written now is one at the end."""
    try:
        report.write(fleet.nodes(), plan.setup)
    except ReportError as error:
        print(f"usher simulate: {error}", file=sys.stderr)


async def _tell(
    fleet: Fleet, news: asyncio.Event, every: float, show: Callable[[Figures], None], *, once: bool
) -> None:
    """Show where the fleet stands after a change, at most once in `every` seconds; ends when all have left."""
    while True:
        await news.wait()
        news.clear()
        figures = fleet.figures()
        if once and sum(figures.phases[phase.value] for phase in _LEFT) == figures.nodes:
            return
        show(figures)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every):
                await asyncio.Event().wait()


def _as_json(figures: Figures) -> None:
    line = {"at": time.time_ns() // 1_000_000, **asdict(figures)}
    print(orjson.dumps(line).decode(), flush=True)


def _as_text(figures: Figures) -> None:
    phases = ", ".join(f"{count} {name}" for name, count in figures.phases.items() if count)
    clock = time.strftime("%H:%M:%S")
    print(f"{clock}  {figures.nodes} nodes, {figures.connected} connections: {phases or 'none started'}", flush=True)
