"""`usher demo`: the main job in one command: a real broker, a simulated fleet and the daemon, three processes.

Rules:
1. It runs what a site runs: `usher run` with the files of a site, over TLS, against the real broker.
2. Whatever ends it ends them all: the end of the work, a failure, INT, TERM, and a SIGKILL too.
3. All that was made stays in the directory that it names; it never writes into one that holds something else.
4. Success is what the database says, not what a process says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fsm.errors import UsherError
from fsm.states import State
from usher.children import Child, usher
from usher.display import Display
from usher.outlook import DatabaseOutlook
from usher.progress import commands, happened
from usher.simulator.broker import binary
from usher.simulator.material import DemoSite, DirectoryTakenError, make_broker, make_site
from usher.watch import End, Ending, Watch, interrupted

NODES: Final = 50
MOST: Final = 100_000
REFUSED: Final = 2
"""The exit code when it cannot begin."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for: `limit` in seconds."""

    nodes: int
    directory: Path
    keep: bool
    as_json: bool
    limit: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher demo`."""
    parser.add_argument("--nodes", type=_nodes, default=NODES, help=f"how many servers to simulate (default {NODES})")
    parser.add_argument("--dir", type=Path, help="a new or empty directory for all that is made (default: a fresh one)")
    parser.add_argument("--keep", action="store_true", help="keep broker, fleet and daemon running until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end and nothing else")
    parser.add_argument("--limit", type=_seconds, help="seconds it may take (default: 60, and 1 for each ten nodes)")


def run(args: argparse.Namespace) -> int:
    """Run it; the exit code is 0 when all were provisioned (see usher.watch.End), 2 when it could not begin."""
    try:
        binary()
        directory = args.dir or Path(tempfile.mkdtemp(prefix="usher-demo-"))
        limit = args.limit if args.limit is not None else 60 + args.nodes / 10
        return asyncio.run(_demonstrate(Options(args.nodes, directory.resolve(), args.keep, args.json, limit)))
    except OSError as error:
        where = error.filename or "this machine"
        print(f"usher demo: {where}: {error.strerror or error}; name another directory with --dir", file=sys.stderr)
        return REFUSED
    except UsherError as error:
        print(f"usher demo: {error}", file=sys.stderr)
        return REFUSED if isinstance(error, DirectoryTakenError) else End.DIED.value


async def _demonstrate(options: Options) -> int:
    """Broker, site, fleet, daemon; watch them, tell what happened, end them."""
    display = Display(sys.stdout, quiet=options.as_json)
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(interrupted())
        broker = await stack.enter_async_context(make_broker(options.directory))
        site = make_site(options.directory, broker, int(time.time()))
        display.say(
            f"A broker listens on {broker.url}; {options.nodes} simulated servers ask it to be provisioned.",
            f"All that is made stays in {options.directory}",
        )
        children = [
            Child("the fleet", usher(*site.fleet(options.nodes)), options.directory / "fleet.log"),
            Child("the daemon", usher(*site.daemon()), options.directory / "usher.log"),
        ]
        for child in children:
            stack.push_async_callback(child.stop)
            child.start()
        outlook = stack.enter_context(DatabaseOutlook(site.state))  # closed first: the daemon then tidies up at its end
        watch = Watch(options.nodes, children, outlook, display, stop=stop, limit=options.limit)
        ending = await watch.until_done()
        _tell(options, site, ending, display)
        if options.keep and ending.end is End.DONE:
            display.say("All of it runs until Ctrl-C.")
            await watch.until_stopped()
    return ending.end.value


def _tell(options: Options, site: DemoSite, ending: Ending, display: Display) -> None:
    """Say how it ended, and what to do next."""
    if options.as_json:
        print(json.dumps(document(options, site, ending)))
        return
    if ending.end is End.DONE:
        node = ending.slowest.node if ending.slowest else "NODE"
        said = [*happened(ending.view, ending.slowest), "", "To try next:", *commands(str(site.state), node)]
        said += [f"  less {site.helper}", f"  less {options.directory / 'usher.log'}"]
        display.say(*said)
        return
    display.say(ending.why, *(f"  | {line}" for line in ending.tail))
    if ending.end is End.LATE:
        display.say("To see what they wait for:", *commands(str(site.state), "NODE"))
    display.say(f"Logs and state are in {options.directory}")


def document(options: Options, site: DemoSite, ending: Ending) -> dict[str, object]:
    """What `--json` prints: counts by state, times in seconds, the directories."""
    view = ending.view
    return {
        "end": ending.end.name.lower(),
        "why": ending.why,
        "nodes": view.nodes,
        "provisioned": view.provisioned,
        "seconds": round(view.seconds, 3),
        "states": {str(state): count for state in State if (count := view.count(state))},
        "slowest": {"node": ending.slowest.node, "seconds": ending.slowest.seconds} if ending.slowest else None,
        "directory": str(options.directory),
        "state_directory": str(site.state),
    }


def _seconds(text: str) -> float:
    """A number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:  # nan is neither
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    return seconds


def _nodes(text: str) -> int:
    """A number of nodes."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of nodes between 1 and {MOST}")
    return int(text)
