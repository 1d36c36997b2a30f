"""`usher check-config --connect`: the preflight as a command.

Rules:
1. Each check is a line as soon as it is known; with --json there is one document at the end.
2. Exit code 0 if nothing is wrong and everything could be checked, 2 otherwise; warnings do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from typing import Final

from fsm.runtime.clock import SystemClock
from usher.config.loading import Findings
from usher.preflight.networks import every
from usher.preflight.verdicts import Check, Verdict, document, passed
from usher.preflight.whole import WITHIN, Wanted, around
from usher.views.common import path
from usher.views.text import visible

WRONG: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that go beyond the files."""
    parser.add_argument("--connect", action="store_true", help="try everything once: state, helper, broker, login")
    parser.add_argument(
        "--as-node", type=path, metavar="FILE", help="with --connect: also the nodes' side, with this provisioning.jwt"
    )
    parser.add_argument(
        "--sample", type=path, metavar="FILE", help="with --connect: run the helper on this inventory (JSON)"
    )
    parser.add_argument("--no-helper", action="store_true", help="with --connect: do not run the helper")
    parser.add_argument("--network", metavar="NAME", help="with --connect: only this one of several networks")
    parser.add_argument(
        "--within", type=seconds, default=WITHIN, metavar="SECONDS", help=f"with --connect: at most, {WITHIN:g}"
    )


def seconds(text: str) -> float:
    """A time limit, in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 3600:
        raise argparse.ArgumentTypeError("it must be a number of seconds from 1 to 3600")
    return value


def stray(args: argparse.Namespace) -> str:
    """The first option that needs --connect and does not have it; empty if there is none."""
    given = (
        ("--as-node", args.as_node),
        ("--sample", args.sample),
        ("--no-helper", args.no_helper),
        ("--network", args.network),
    )
    return "" if args.connect else next((name for name, value in given if value), "")


def astray(args: argparse.Namespace, found: Findings) -> str:
    """What is wrong with the network that is asked for, in a sentence; empty if nothing is."""
    names = [each.site.network for each in found.networks if each.site is not None]
    if args.network is not None and args.network not in names:
        listed = f"the file lists {', '.join(names)}" if names else "the file is one network: leave --network out"
        return f"there is no network {visible(args.network)}: {listed}"
    if names and args.network is None and (option := (args.as_node and "--as-node") or (args.sample and "--sample")):
        return f"{option} is about one network: name it with --network, one of {', '.join(names)}"
    return ""


def run(args: argparse.Namespace, found: Findings, environ: Mapping[str, str], more: Mapping[str, object]) -> int:
    """Try everything and say; the exit code. `more` is added to the document."""
    wanted = Wanted(args.as_node, args.sample, not args.no_helper, args.within)
    tell = _quiet if args.json else _say
    checks = asyncio.run(every(found, args.network, wanted, around(environ, SystemClock()), tell))
    good = passed(checks)
    if args.json:
        print(json.dumps({**more, **document(checks)}, indent=2))
    else:
        print(_sum(checks))
    return 0 if good else WRONG


def _say(check: Check) -> None:
    print(check, flush=True)


def _quiet(_check: Check) -> None:
    """The document comes at the end."""


def _sum(checks: tuple[Check, ...]) -> str:
    count = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
    said = ", ".join(f"{number} {verdict}" for verdict, number in count.items() if number)
    return f"usher can provision here ({said})" if passed(checks) else f"usher cannot provision here ({said})"
