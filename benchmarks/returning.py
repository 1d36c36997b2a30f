"""The broker goes away in the middle of a burst, and a whole fleet is back at once when it returns.

Rules:
1. It is what a site runs: TLS, the journal synchronous=FULL, the log at info into a file, metrics served.
2. The broker is stopped and started for real; the fleet's connections and the daemon's find it again by themselves.
3. What it did to nodes is read from the history: a try that was lost, a node that failed, a node that began anew.
4. A node that failed or lost a try is a failure of the run: the exit code is 1.

    python -m benchmarks.returning [--nodes 5000] [--away 30] [--connections N] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.processes import calibration, peak
from benchmarks.scene import RunError, end_on_signals
from benchmarks.throughput import ROOT, machine
from store.reader import Reader, open_reader
from usher.children import Child, usher
from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.simulator.material import DemoSite, make_broker, make_site
from usher.state import StateDirectory

EVERY: Final = 0.25
"""Seconds between two questions to the daemon."""
LATEST: Final = 0.99
FAILED: Final = "SELECT count(DISTINCT node) AS found FROM history WHERE target = 'failed'"
ROWS: Final = "SELECT name, count(*) AS found FROM history GROUP BY name"
ANEW: Final = "SELECT count(DISTINCT node) AS found FROM history WHERE generation > 1"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: `away` in seconds, `leave` the part of the fleet that has restarted when the broker goes."""

    nodes: int
    away: float
    connections: int
    directory: Path
    limit: float
    leave: float = 0.1


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run came to; seconds and MB."""

    nodes: int
    away: float
    restarted_before: int
    in_flight_when_it_went: int
    seconds_to_all: float
    a_minute: float
    failed: int
    lost_tries: int
    interrupted: int
    began_anew: int
    most_in_flight: int
    most_waiting: int
    peak_before_mb: float
    peak_away_mb: float
    peak_mb: float
    lag_p99: float
    lag_most: float


@dataclass(slots=True)
class Watch:
    """Asks the daemon, and keeps the most that it has said."""

    state: StateDirectory
    children: Sequence[Child]
    until: float
    most: dict[str, int] = field(default_factory=dict)

    def status(self) -> Mapping[str, Any]:
        """What the daemon says now; nothing before it answers. A process that ended ends the run."""
        for child in self.children:
            if child.pid == 0:
                raise RunError(f"{child.name} ended: {child.tail()}")
        if time.monotonic() > self.until:
            raise RunError("it takes too long")
        try:
            said: Mapping[str, Any] = ask(self.state, Ask(Command.STATUS))["status"]
        except (NoDaemonError, RefusedError):
            return {}
        for name in ("in_flight", "waiting_room"):
            self.most[name] = max(self.most.get(name, 0), said[name])
        return said

    async def until_so(self, happened: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Ask until it says so."""
        while not (said := self.status()) or not happened(said):  # noqa: ASYNC110 another process
            await asyncio.sleep(EVERY)
        return said


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="a fleet that is back at once after the broker was away")
    parser.add_argument("--nodes", type=int, default=5000, metavar="N", help="default 5000")
    parser.add_argument("--away", type=float, default=30.0, metavar="SECONDS", help="default 30")
    parser.add_argument("--connections", type=int, default=50, metavar="N", help="of the fleet (default 50)")
    parser.add_argument(
        "--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for the database"
    )
    parser.add_argument("--json", action="store_true", help="as a document")
    asked = parser.parse_args()
    os.chdir(ROOT)  # the daemon with an in-process helper is a module of this folder
    setting = Setting(asked.nodes, asked.away, asked.connections, asked.dir, asked.away + 120 + asked.nodes / 20)
    try:
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            figures, calibrated = asyncio.run(_measured(setting))
            print(json.dumps({**machine(), "calibration_ms": calibrated, **asdict(figures)}) if asked.json else
                  _table(figures, calibrated))  # fmt: skip
            return int(bool(figures.failed or figures.lost_tries))
    except RunError as error:
        print(f"returning: {error}", file=sys.stderr)
        return 1
    return 130


async def _measured(setting: Setting) -> tuple[Figures, tuple[float, float]]:
    task = asyncio.current_task()
    if task is not None:
        end_on_signals(task)
    before = calibration()
    figures = await run(setting)
    return figures, (before, calibration())


async def run(setting: Setting) -> Figures:
    """Measure once; raises RunError that says why it could not."""
    with tempfile.TemporaryDirectory(dir=setting.directory, prefix=".benchmark-") as folder:
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(make_broker(Path(folder) / "run"))
            port = await _free_port()
            site = make_site(broker.directory.parent, broker, int(time.time()), _settings(folder, port))
            command = [sys.executable, "-m", "benchmarks.inline_daemon", *site.daemon()[1:]]
            daemon = Child("the daemon", command, Path(folder) / "daemon.out")
            fleet = Child("the fleet", _fleet(setting, site), Path(folder) / "fleet.jsonl")
            for child in (daemon, fleet):
                stack.push_async_callback(child.stop)
            watch = Watch(StateDirectory(site.state), [daemon], time.monotonic() + setting.limit)
            daemon.start()
            await watch.until_so(lambda said: bool(said["ready"]))
            fleet.start()
            watch.children = [daemon, fleet]
            enough = setting.nodes * setting.leave
            left = await watch.until_so(lambda said: _restarted(said) >= enough)
            memory = [peak(daemon.pid)]
            await broker.astop()
            await _away(watch, setting.away)
            memory.append(peak(daemon.pid))
            begun = time.monotonic()
            await broker.astart()
            await watch.until_so(lambda said: said["states"] == {"provisioned": setting.nodes})
            took = time.monotonic() - begun
            lag = _lag(port)
            memory.append(peak(daemon.pid))
            await daemon.stop()
            with open_reader(StateDirectory(site.state).database) as reader:
                return _figures(setting, reader, left, took, (watch.most, memory, lag))


async def _away(watch: Watch, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        watch.status()
        await asyncio.sleep(min(EVERY, left))


def _settings(folder: str, port: int) -> dict[str, Any]:
    return {
        "logfile": str(Path(folder) / "usher.log"),
        "monitor_port": port,
        "monitor_address": "127.0.0.1",
        "workers": 64,
    }


def _fleet(setting: Setting, site: DemoSite) -> list[str]:
    words = ["--names", "node-{:05d}", "--connections", str(setting.connections), "--together", "--json"]
    return usher(*site.fleet(setting.nodes), *words)


async def _free_port() -> int:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


def _lag(port: int) -> tuple[float, float]:
    """Below which so much of the lag was, and all of it: bounds of the histogram's buckets, in seconds."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    for family in text_string_to_metric_families(text):
        if family.name == "usher_loop_lag_seconds":
            buckets = sorted((float(s.labels["le"]), s.value) for s in family.samples if s.name.endswith("_bucket"))
            total = buckets[-1][1]
            return (
                next(bound for bound, count in buckets if count >= total * LATEST),
                next(bound for bound, count in buckets if count >= total),
            )
    raise RunError("the metrics do not tell the loop's lag")


def _figures(
    setting: Setting,
    reader: Reader,
    left: Mapping[str, Any],
    took: float,
    seen: tuple[Mapping[str, int], Sequence[float], tuple[float, float]],
) -> Figures:
    most, memory, lag = seen
    rows = {row["name"]: row["found"] for row in reader.rows(ROWS)}
    before = _restarted(left)
    return Figures(
        nodes=setting.nodes,
        away=setting.away,
        restarted_before=before,
        in_flight_when_it_went=left["in_flight"],
        seconds_to_all=took,
        a_minute=(setting.nodes - before) / took * 60,
        failed=reader.rows(FAILED)[0]["found"],
        lost_tries=rows.get("try-again", 0) + rows.get("look-in-vain", 0),
        interrupted=rows.get("interrupted", 0) + rows.get("look-interrupted", 0) + rows.get("restart-unknown", 0),
        began_anew=reader.rows(ANEW)[0]["found"],
        most_in_flight=most["in_flight"],
        most_waiting=most["waiting_room"],
        peak_before_mb=memory[0],
        peak_away_mb=memory[1],
        peak_mb=memory[2],
        lag_p99=lag[0],
        lag_most=lag[1],
    )


def _restarted(said: Mapping[str, Any]) -> int:
    return sum(said["states"].get(state, 0) for state in ("restarted", "provisioned"))


def _table(figures: Figures, calibrated: tuple[float, float]) -> str:
    lines = [f"calibration {calibrated[0]:.1f} and {calibrated[1]:.1f} ms", "", "| | |", "|---|---:|"]
    for name, value in asdict(figures).items():
        told = f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
        lines.append(f"| {name.replace('_', ' ')} | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
