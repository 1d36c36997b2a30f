"""One measured run: a broker, a fleet that starts in one burst, and the daemon, each a process of its own.

Rules:
1. It is what a site runs: TLS, the journal synchronous=FULL, the log at info into a file, metrics served. Only where
   the helper shall cost nothing, the daemon is benchmarks.inline_daemon.
2. When it began and when it ended is read from the history; what it cost, from the kernel at those two moments.
3. It waits for what happens: the control socket's status, the end of the fleet. A process that dies ends the run.
4. Whatever ends a run ends its processes, by their numbers.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from benchmarks.processes import Course, ourselves, peak, together, whole
from store.reader import Reader, open_reader
from usher.children import Child, usher
from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.simulator.material import DemoSite
from usher.simulator.networks import Kind, network
from usher.state import StateDirectory

EVERY: Final = 0.05  # seconds between samples
ASKED: Final = 10  # samples between two questions to the daemon
INTERPRETER: Final = str(Path(sys.executable).resolve())
FLAGS: Final = "-S"
HELPER: Final = """\
import json, sys
node = json.load(sys.stdin)
facts = json.loads(node["inventory"]).get("facts") or {}
json.dump({"configuration": {
    "identity": node["identity"],
    "loglevel": facts.get("loglevel", "info"),
    "plugin.choria.server.provision": "false",
    "plugin.choria.middleware_hosts": node["jwt"]["chu"],
    "plugin.security.provider": "choria",
    "plugin.security.choria.token_file": node["ed25519_pubkey"]["directory"] + "/server.jwt",
    "plugin.security.choria.seed_file": node["ed25519_pubkey"]["directory"] + "/server.seed",
}}, sys.stdout)
"""
TIMES: Final = """
SELECT min(at) AS seen, min(CASE WHEN target = 'restarted' THEN at END) AS restarted,
  min(CASE WHEN seq = 1 THEN event END) AS first, count(*) AS units, max(generation) AS generation
FROM history GROUP BY node
"""


class RunError(Exception):
    """A run that did not come to its end."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured; `limit` in seconds, `helper` is inline or exec, `connections` of the fleet.

    `daemon` is the module (and its first words) that runs the daemon where the helper is inline, `fleet` words more.
    """

    nodes: int
    helper: str
    connections: int
    workers: int
    directory: Path
    limit: float
    daemon: tuple[str, ...] = ("benchmarks.inline_daemon",)
    fleet: tuple[str, ...] = ()
    kind: Kind = Kind.ISSUER


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run came to; CPU in milliseconds a node.

    That of daemon, broker and fleet is from the first hint to the last restarted; `with_looks` is the daemon's until
    all are provisioned; `helpers` are the processes that it started. `others` is how many processors were used by
    processes that are not of this run.
    """

    nodes: int
    helper: str
    connections: int
    a_minute: float
    p50_ms: int
    p99_ms: int
    daemon: float
    with_looks: float
    helpers: float
    fleet: float
    broker: float
    peak_mb: float
    units: float
    second_discovery: int
    anew: int
    lost: int
    others: float


async def run(setting: Setting, look: Callable[[int], None] = lambda _: None) -> Figures:
    """Measure once; raises RunError that says why it could not. `look` is given the metrics' port before the end."""
    with tempfile.TemporaryDirectory(dir=setting.directory, prefix=".benchmark-") as folder:
        async with AsyncExitStack() as stack:
            port = free_port()
            made = network(setting.kind, Path(folder) / "run", int(time.time()), _settings(setting, folder, port))
            running = await stack.enter_async_context(made)
            site = running.site
            daemon = Child("the daemon", _daemon(setting, site), Path(folder) / "daemon.out")
            fleet = Child("the fleet", _fleet(setting, site), Path(folder) / "fleet.jsonl")
            for child in (daemon, fleet):
                stack.push_async_callback(child.stop)
            watch = _Watch(setting, site, daemon, fleet)
            daemon.start()
            await watch.until(lambda status: bool(status.get("ready")))
            fleet.start()
            groups = ((daemon.pid,), (fleet.pid,), running.pids)
            courses = [*(Course(partial(together, pids)) for pids in groups), Course(ourselves), Course(whole)]
            await watch.until(lambda status: status.get("states") == {"provisioned": setting.nodes}, courses)
            _metrics_are_served(port, setting.nodes)
            look(port)
            memory = peak(daemon.pid)
            await daemon.stop()
            if daemon.ended.result() != 0:
                raise RunError(f"the daemon ended with {daemon.ended.result()}: {daemon.tail()}")
            with open_reader(StateDirectory(site.state).database) as reader:
                return _figures(setting, reader, courses, memory)


class _Watch:
    """Waits for the daemon to say something of itself."""

    def __init__(self, setting: Setting, site: DemoSite, daemon: Child, fleet: Child) -> None:
        self._setting, self._daemon, self._fleet = setting, daemon, fleet
        self._state = StateDirectory(site.state)
        self._until = time.monotonic() + setting.limit

    async def until(self, happened: Any, courses: Sequence[Course] = ()) -> None:
        """Sample until the daemon's status says so; once the fleet runs, it is asked when the fleet has ended."""
        turn = 0
        while True:
            for course in courses:
                course.sample()
            self._check(bool(courses))
            quiet = bool(courses) and not self._fleet.ended.done()
            if not quiet and turn % ASKED == 0 and happened(self._status()):
                return
            turn += 1
            watched = [child.ended for child in (self._daemon, *((self._fleet,) if quiet else ()))]
            await asyncio.wait(watched, timeout=EVERY, return_when=asyncio.FIRST_COMPLETED)

    def _check(self, running: bool) -> None:
        for child in (self._daemon, self._fleet) if running else (self._daemon,):
            if child.ended.done() and (child is self._daemon or child.ended.result() != 0):
                raise RunError(f"{child.name} ended with {child.ended.result()}: {child.tail()}")
        if time.monotonic() > self._until:
            raise RunError(f"not done after {self._setting.limit:.0f} s: {self._status()}; {self._fleet.tail(1)}")

    def _status(self) -> dict[str, Any]:
        try:
            return ask(self._state, Ask(Command.STATUS))["status"]  # type: ignore[no-any-return]
        except (NoDaemonError, RefusedError):
            return {}


def _settings(setting: Setting, folder: str, port: int) -> dict[str, Any]:
    """What the demo's site gets on top: the log in a file, metrics, the helper."""
    script = Path(folder) / "helper.py"
    script.write_text(HELPER)
    return {
        "logfile": str(Path(folder) / "usher.log"),
        "loglevel": "info",
        "monitor_port": port,
        "monitor_address": "127.0.0.1",
        "workers": setting.workers,
        "helper": shlex.join([INTERPRETER, FLAGS, str(script)]),
    }


def _daemon(setting: Setting, site: DemoSite) -> list[str]:
    if setting.helper == "exec":
        return usher(*site.daemon())
    return [sys.executable, "-m", *setting.daemon, *site.daemon()[1:]]


def _fleet(setting: Setting, site: DemoSite) -> list[str]:
    words = ["--names", "node-{:05d}", "--connections", str(setting.connections), "--together", "--once", "--json"]
    return usher(*site.fleet(setting.nodes), *words, *setting.fleet)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _metrics_are_served(port: int, nodes: int) -> None:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    if f'usher_nodes{{site="demo",state="provisioned"}} {nodes}' not in text.replace(".0", ""):
        raise RunError("the metrics do not say that all are provisioned")


def _figures(setting: Setting, reader: Reader, courses: Sequence[Course], memory: float) -> Figures:
    rows = reader.rows(TIMES)
    took = sorted(row["restarted"] - row["seen"] for row in rows if row["restarted"] is not None)
    if not took:
        raise RunError("no node has restarted")
    first = min(row["seen"] for row in rows)
    last = max(row["restarted"] for row in rows if row["restarted"] is not None)
    ours, fleet, broker, watch, everything = [course.at(last) - course.at(first) for course in courses]
    others = everything.own - sum(each.own + each.children for each in (ours, fleet, broker, watch))
    count = setting.nodes
    return Figures(
        nodes=count,
        helper=setting.helper,
        connections=min(setting.connections, count),
        a_minute=len(took) / (last - first) * 60_000,
        p50_ms=took[len(took) // 2],
        p99_ms=took[len(took) * 99 // 100],
        daemon=ours.own * 1000 / count,
        with_looks=(courses[0].last() - courses[0].at(first)).own * 1000 / count,
        helpers=ours.children * 1000 / count,
        fleet=fleet.own * 1000 / count,
        broker=broker.own * 1000 / count,
        peak_mb=memory,
        units=sum(row["units"] for row in rows) / count,
        second_discovery=sum(row["first"] != "hint_startup" for row in rows),
        anew=sum(row["generation"] > 1 for row in rows),
        lost=count - len(took),
        others=max(others, 0.0) * 1000 / (last - first),
    )


def end_on_signals(task: asyncio.Task[Any]) -> None:
    """TERM ends the task as INT does: with its processes."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
