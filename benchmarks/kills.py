"""What a hundred kills cost: a fleet goes through undisturbed, and again while the daemon is killed at random times.

Rules:
1. It is `usher run` as a site runs it, with a process of the site's helper for each node; a kill is SIGKILL, and the
   next start follows at once.
2. The times are drawn from a seed: uniform from the moment of the start on, so that starts are struck as well.
3. Afterwards the database is held against what the nodes hold (tests/crash/invariants.py). A node that is lost, or an
   invariant that is broken, is a failure: the exit code is 1.

    python -m benchmarks.kills [--nodes 5000] [--kills 100] [--seed 4] [--helper exec|inline] [--dir DIRECTORY]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.scene import FLAGS, HELPER, INTERPRETER, RunError, end_on_signals
from benchmarks.throughput import ROOT, machine
from fsm.errors import StoreError
from fsm.states import State
from store.reader import open_reader
from tests.crash.checks import Violation
from tests.crash.invariants import at_rest, read_report, requests, violations
from usher.children import Child, usher
from usher.simulator.material import DemoSite, make_broker, make_site
from usher.state import StateDirectory

EVERY: Final = 0.2
LIMIT: Final = 1800.0
"""Seconds that a run may take."""
TIMES: Final = """
SELECT min(at), max(CASE WHEN target = 'restarted' AND source <> 'restarted' THEN at END), max(at), count(*)
FROM history
"""
CLOSED: Final = """
SELECT count(*) FILTER (WHERE certainty = 'interrupted'),
  count(*) FILTER (WHERE certainty = 'not_sent' AND reason = 'restarted_us') FROM effects
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is run; `kills` with the seconds that lie between two of them on average."""

    nodes: int
    helper: str
    workers: int
    directory: Path
    seed: int
    kills: int = 0
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run came to; seconds, and counts. `starting` is how long a start takes until it serves."""

    kills: int
    provisioned: int
    restarted: float
    whole: float
    starting: float
    sent: int
    looks: int
    reached: int
    units: int
    interrupted: int
    unsent: int
    anew: int
    broken: tuple[Violation, ...]


async def run(setting: Setting) -> Figures:
    """One run; raises RunError that says why it did not come to its end."""
    with tempfile.TemporaryDirectory(dir=setting.directory, prefix=".kills-") as folder:
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(make_broker(Path(folder) / "run"))
            site = make_site(broker.directory.parent, broker, int(time.time()), _settings(setting, Path(folder)))
            report = Path(folder) / "report.jsonl"
            scene = _Scene(setting, site, Child("the fleet", _fleet(setting, site, report), Path(folder) / "fleet.log"))
            stack.push_async_callback(scene.stop)
            await scene.play()
            database = StateDirectory(site.state).database
            return _figures(scene, database, report)


class _Scene:
    """The fleet, and one daemon after the other."""

    def __init__(self, setting: Setting, site: DemoSite, fleet: Child) -> None:
        self._setting, self._site, self.fleet = setting, site, fleet
        self._state = StateDirectory(site.state)
        self._random = Random(setting.seed)  # noqa: S311 times to kill at, the same for the same seed
        self._until = time.monotonic() + LIMIT
        self.daemon: Child | None = None
        self.kills = 0
        self.starting = 0.0

    async def play(self) -> None:
        """Start, kill as often as is asked, and let the last daemon finish."""
        self._start()
        begun = time.monotonic()
        await self._wait(self._state.socket.exists)
        self.starting = time.monotonic() - begun
        self.fleet.start()
        for _ in range(self._setting.kills):
            await self._pause(self._random.uniform(0.0, 2 * self._setting.apart))
            if self._done():
                break
            await self._kill()
            self._start()
        await self._wait(self._done)
        await self.stop()

    async def stop(self) -> None:
        """End what runs, in order."""
        for child in (self.daemon, self.fleet):
            if child is not None and child.pid:
                await child.stop()

    def _start(self) -> None:
        name, setting = "the daemon", self._setting
        words = self._site.daemon()
        inline = [sys.executable, "-m", "benchmarks.inline_daemon", *words[1:]]
        self.daemon = Child(name, usher(*words) if setting.helper == "exec" else inline, self._log())
        self.daemon.start()

    def _log(self) -> Path:
        return self._site.directory / "daemon.out"

    async def _kill(self) -> None:
        assert self.daemon is not None
        os.kill(self.daemon.pid, signal.SIGKILL)
        if await self.daemon.ended != -signal.SIGKILL:
            raise RunError(f"the daemon ended with {self.daemon.ended.result()} before it was killed")
        self.kills += 1

    async def _pause(self, seconds: float) -> None:
        assert self.daemon is not None
        await asyncio.wait({self.daemon.ended}, timeout=seconds)
        if self.daemon.ended.done():
            raise RunError(f"the daemon ended with {self.daemon.ended.result()}: {self.daemon.tail()}")

    async def _wait(self, happened: Callable[[], bool]) -> None:
        while not happened():
            await self._pause(EVERY)
            if time.monotonic() > self._until:
                raise RunError(f"not done after {LIMIT:.0f} s; the fleet: {self.fleet.tail(1)}")

    def _done(self) -> bool:
        database = self._state.database
        with suppress(StoreError), open_reader(database) as reader:
            return reader.counts() == {State.PROVISIONED: self._setting.nodes} and not at_rest(database)
        return False


def _settings(setting: Setting, folder: Path) -> dict[str, object]:
    script = folder / "helper.py"
    script.write_text(HELPER)
    return {
        "logfile": str(folder / "usher.log"),
        "workers": setting.workers,
        "helper": shlex.join([INTERPRETER, FLAGS, str(script)]),
    }


def _fleet(setting: Setting, site: DemoSite, report: Path) -> list[str]:
    words = ["--names", "node-{:05d}", "--connections", "50", "--together", "--json", "--report", str(report)]
    return usher(*site.fleet(setting.nodes), *words)


def _figures(scene: _Scene, database: Path, report: Path) -> Figures:
    told = read_report(report)
    with closing(sqlite3.connect(database)) as db:
        first, restarted, last, units = db.execute(TIMES).fetchone()
        interrupted, unsent = db.execute(CLOSED).fetchone()
        (looks,) = db.execute("SELECT count(*) FROM effects WHERE effect = 'look' AND status = 'done'").fetchone()
        (anew,) = db.execute("SELECT count(*) FROM nodes WHERE generation > 1").fetchone()
    return Figures(
        kills=scene.kills,
        provisioned=sum(node["process"] == "server" for node in told),
        restarted=(restarted - first) / 1000,
        whole=(last - first) / 1000,
        starting=scene.starting,
        sent=requests(database),
        looks=looks,
        reached=sum(count for node in told for action, count in node["requests"].items() if action != "discovery"),
        units=units,
        interrupted=interrupted,
        unsent=unsent,
        anew=anew,
        broken=tuple(violations(database, told)),
    )


# -- the command ------------------------------------------------------------------------------------------------------


def main() -> int:
    """Run both and print the table."""
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description="what kills cost")
    parser.add_argument("--nodes", type=int, default=5000, metavar="N", help="default 5000")
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="default 100")
    parser.add_argument("--seed", type=int, default=4, metavar="N", help="of the times to kill at (default 4)")
    parser.add_argument("--helper", choices=("exec", "inline"), default="exec", help="default exec: a process a node")
    parser.add_argument("--workers", type=int, default=cores, metavar="N", help=f"helpers at once (default {cores})")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for databases")
    asked = parser.parse_args()
    os.chdir(ROOT)
    try:
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            return asyncio.run(_both(asked))
    except RunError as error:
        print(f"kills: {error}", file=sys.stderr)
        return 1
    return 130


async def _both(asked: argparse.Namespace) -> int:
    task = asyncio.current_task()
    if task is not None:
        end_on_signals(task)
    plain = Setting(asked.nodes, asked.helper, asked.workers, asked.dir, asked.seed)
    alone = await run(plain)
    print(f"undisturbed: {alone.restarted:.1f} s until all had restarted", file=sys.stderr, flush=True)
    apart = alone.starting + alone.restarted / max(asked.kills, 1)
    killed = await run(Setting(*_fields(plain), asked.kills, apart))
    print(*_told(asked.nodes, apart, (alone, killed)), sep="\n")
    well = all(not each.broken and each.provisioned == asked.nodes for each in (alone, killed))
    return int(not well or killed.kills < asked.kills)


def _fields(setting: Setting) -> tuple[int, str, int, Path, int]:
    return setting.nodes, setting.helper, setting.workers, setting.directory, setting.seed


ROWS: Final[tuple[tuple[str, Callable[[Figures], float], str], ...]] = (
    ("kills while nodes went through", lambda f: f.kills, ",.0f"),
    ("provisioned, by what the nodes say", lambda f: f.provisioned, ",.0f"),
    ("from the first hint to the last restart, s", lambda f: f.restarted, ",.1f"),
    ("until all were provisioned, s", lambda f: f.whole, ",.1f"),
    ("requests that were, or may have been, sent", lambda f: f.sent, ",.0f"),
    ("of them looks that were answered, or found nobody", lambda f: f.looks, ",.0f"),
    ("requests that reached a node", lambda f: f.reached, ",.0f"),
    ("transitions", lambda f: f.units, ",.0f"),
    ("effects that were interrupted", lambda f: f.interrupted, ",.0f"),
    ("effects that were intended and not sent", lambda f: f.unsent, ",.0f"),
    ("nodes that began a second generation", lambda f: f.anew, ",.0f"),
    ("invariants broken", lambda f: len(f.broken), ",.0f"),
)


def _told(nodes: int, apart: float, both: Sequence[Figures]) -> Iterator[str]:
    alone, killed = both
    yield f"{nodes:,} nodes; " + ", ".join(f"{name} {value}" for name, value in machine().items())
    yield f"a start serves after {alone.starting:.2f} s; a kill comes up to {2 * apart:.2f} s after its start"
    yield ""
    yield "| | undisturbed | killed | |"
    yield "|---|---:|---:|---:|"
    for title, of, digits in ROWS:
        one, other = of(alone), of(killed)
        more = f"{(other / one - 1) * 100:+.0f}%" if one and other != one else ""
        yield f"| {title} | {one:{digits}} | {other:{digits}} | {more} |"
    for violation in [*alone.broken, *killed.broken][:20]:
        yield str(violation)


if __name__ == "__main__":
    sys.exit(main())
