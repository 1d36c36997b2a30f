"""A broker, a daemon and any number of fleets as processes, and what is seen of the daemon while they play.

Rules:
1. It is what a site runs: TLS, the journal synchronous=FULL, the log at info into a file, metrics served.
2. CPU and memory come from the kernel, everything else from the daemon's own metrics and status.
3. A process that dies ends the play; whatever ends it ends all of its processes, by their numbers.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.processes import cost
from benchmarks.scene import RunError, free_port
from store.reader import Reader, open_reader
from usher.children import Child, usher
from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.simulator.material import DemoSite, make_broker, make_site
from usher.state import StateDirectory

EVERY: Final = 0.25
"""Seconds between two looks."""
FLAT: Final = 1.1
"""What is at most a tenth more is flat."""
Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Aim:
    """What was wanted, what was found, and whether that is enough."""

    wanted: str
    found: str
    met: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A table, the first row its head, and the aims."""

    rows: Sequence[Sequence[str]]
    aims: Sequence[Aim]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; 0 is what a scenario has by itself."""

    nodes: int
    seconds: float
    repeat: int
    directory: Path


@dataclass(frozen=True, slots=True)
class Sample:
    """The daemon at a moment: seconds of a steady clock, CPU seconds until now, MB resident, its metrics."""

    at: float
    cpu: float
    resident: float
    metrics: Metrics = field(repr=False)


@dataclass(slots=True)
class Stage:
    """The processes of a play; `folder` takes whatever they write."""

    folder: Path
    site: DemoSite
    daemon: Child
    broker: int
    port: int
    stack: AsyncExitStack
    fleets: list[Child] = field(default_factory=list)

    def fleet(self, name: str, nodes: int, *words: str) -> Child:
        """Start a fleet: words of `usher simulate` beyond the broker and the token."""
        found = Child(name, usher(*self.site.fleet(nodes), "--json", *words), self.folder / f"{name}.jsonl")
        self.stack.push_async_callback(found.stop)
        self.fleets.append(found)
        found.start()
        return found

    def profile(self, text: str) -> str:
        """The path of a profile with this text."""
        path = self.folder / "profile.yaml"
        path.write_text(text)
        return str(path)

    def check(self) -> None:
        """Raise RunError if a process has ended that should not have."""
        for child in (self.daemon, *self.fleets):
            if child.ended.done() and (child is self.daemon or child.ended.result() != 0):
                raise RunError(f"{child.name} ended with {child.ended.result()}: {child.tail()}")

    def status(self) -> Mapping[str, Any]:
        """What the daemon says now; nothing before it answers."""
        self.check()
        try:
            said: Mapping[str, Any] = ask(StateDirectory(self.site.state), Ask(Command.STATUS))["status"]
        except (NoDaemonError, RefusedError):
            return {}
        return said

    async def until(self, happened: Callable[[Mapping[str, Any]], bool], limit: float) -> None:
        """Ask the daemon until it says so; raises RunError after `limit` seconds."""
        ends = time.monotonic() + limit
        while not ((said := self.status()) and happened(said)):
            if time.monotonic() > ends:
                raise RunError(f"not done after {limit:.0f} s: {said}")
            await asyncio.sleep(EVERY)

    async def until_over(self, fleet: Child, limit: float) -> None:
        """Wait until a fleet has ended by itself."""
        await asyncio.wait({fleet.ended, self.daemon.ended}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        self.check()
        if not fleet.ended.done():
            raise RunError(f"{fleet.name} has not ended after {limit:.0f} s: {fleet.tail(1)}; {self.status()}")

    def sample(self) -> Sample:
        """The daemon now."""
        self.check()
        pid = self.daemon.pid
        return Sample(time.monotonic(), cost(pid).own, resident(pid), self.metrics())

    async def samples(self, seconds: float, every: float) -> list[Sample]:
        """The daemon again and again: the first now, the last after so many seconds."""
        found = [self.sample()]
        while (left := found[0].at + seconds - time.monotonic()) > 0:
            await asyncio.sleep(min(every, left))
            found.append(self.sample())
        return found

    def metrics(self) -> dict[str, float]:
        """Every series' value, summed over its labels; a histogram's buckets as `name_bucket le`."""
        return metrics(self.port)

    async def end(self) -> Reader:
        """End the daemon in order, and open what it wrote; the caller closes it."""
        await self.daemon.stop(60)
        if self.daemon.ended.result() != 0:
            raise RunError(f"the daemon ended with {self.daemon.ended.result()}: {self.daemon.tail()}")
        return self.stack.enter_context(open_reader(StateDirectory(self.site.state).database))


@asynccontextmanager
async def staged(directory: Path, daemon: Sequence[str] = ("benchmarks.inline_daemon",)) -> AsyncIterator[Stage]:
    """A broker and a daemon that is ready; `daemon` is the module that runs it, and its first words."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".benchmark-") as folder:
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(make_broker(Path(folder) / "run"))
            port = free_port()
            site = make_site(broker.directory.parent, broker, int(time.time()), _settings(folder, port))
            command = [sys.executable, "-m", *daemon, *site.daemon()[1:]]
            child = Child("the daemon", command, Path(folder) / "daemon.out")
            stack.push_async_callback(child.stop)
            child.start()
            stage = Stage(Path(folder), site, child, broker.pid, port, stack)
            await stage.until(lambda said: bool(said["ready"]), 30)
            yield stage


def _settings(folder: str, port: int) -> dict[str, Any]:
    return {
        "logfile": str(Path(folder) / "usher.log"),
        "monitor_port": port,
        "monitor_address": "127.0.0.1",
        "workers": 64,
    }


def metrics(port: int) -> dict[str, float]:
    """What is served at a port: every series' value, summed over its labels but `le`."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        name = f"{sample.name} {sample.labels['le']}" if "le" in sample.labels else sample.name
        found[name] = found.get(name, 0.0) + sample.value
    return found


def most_lag(said: Metrics) -> float:
    """The bucket that holds the loop's worst lag: its upper bound in seconds."""
    prefix = "usher_loop_lag_seconds_bucket "
    buckets = sorted((float(name.removeprefix(prefix)), n) for name, n in said.items() if name.startswith(prefix))
    return next(bound for bound, count in buckets if count >= buckets[-1][1])


def progress(text: str) -> None:
    """A line for who waits."""
    print(text, file=sys.stderr)


def resident(pid: int) -> float:
    """What a process has in memory now (VmRSS), in MB of a million bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS")), 0.0)
