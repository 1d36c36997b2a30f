"""What a large fleet costs: the start of the daemon, each command, and the disk.

Rules:
1. Real processes, timed from their start: `usher run` against a broker of its own, each command as a person runs it.
2. Two shapes of one fleet (benchmarks.fleets): mostly at rest, and the worst case, in which every node is under way.
3. The database that is measured is a copy: what was built can be kept and measured again (--keep).
4. A start counts once the daemon says that it is ready: connected, and every node taken up. Beside it stands that on
   an empty directory: what is at rest must not cost a start anything.

    python -m benchmarks.size [--nodes 100000] [--rows 1000000] [--repeat 3] [--keep DIR] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.fleets import SHAPES, build, name_of
from benchmarks.processes import calibration, cost, peak
from benchmarks.throughput import ROOT, machine
from store.reader import Reader, open_reader
from usher.children import Child, usher
from usher.control.client import NoDaemonError, RefusedError, ask
from usher.control.protocol import Ask, Command
from usher.simulator.material import DemoSite, make_broker, make_site
from usher.state import DATABASE, VAULT_KEY, StateDirectory

READY: Final = 5.0
MEMORY: Final = 500.0
ANSWER: Final = 0.5
"""The aims: seconds, MB, seconds."""
PATIENCE: Final = 60.0
EVERY: Final = 0.01
BUILT: Final = "built.json"
_PAGES: Final = "SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name ORDER BY bytes DESC"


@dataclass(frozen=True, slots=True)
class Shown:
    """A command, what it is called in the table, and whether it must answer within ANSWER."""

    title: str
    words: tuple[str, ...]
    bound: bool = True


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds until ready, CPU seconds of it, peak memory in MB then and when it had settled."""

    seconds: float
    cpu: float
    ready_mb: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Found:
    """What one shape came to; commands in seconds, each of the repeats; tables in bytes."""

    shape: str
    nodes: int
    rows: int
    states: dict[str, int]
    starts: list[Start]
    empty: list[Start]
    commands: dict[str, list[float]]
    disk: dict[str, int]


def commands(nodes: int) -> Iterator[Shown]:
    """What is timed."""
    node = name_of(nodes // 2)
    yield Shown("nodes list, the first 200", ("nodes", "list", "--limit", "200"))
    yield Shown("nodes list --in failed, the first 200", ("nodes", "list", "--in", "failed", "--limit", "200"))
    yield Shown("nodes list --in provisioned", ("nodes", "list", "--in", "provisioned", "--limit", "200"))
    yield Shown("nodes list --in enrolled (none)", ("nodes", "list", "--in", "enrolled"))
    yield Shown("nodes list --reason helper_failed", ("nodes", "list", "--reason", "helper_failed", "--limit", "200"))
    yield Shown("nodes list --older-than 15d", ("nodes", "list", "--older-than", "15d", "--limit", "200"))
    yield Shown("nodes list --older-than 99d (none)", ("nodes", "list", "--older-than", "99d"))
    yield Shown("nodes why NODE", ("nodes", "why", node))
    yield Shown("nodes show NODE", ("nodes", "show", node))
    yield Shown("history NODE", ("history", node))
    yield Shown("nodes why, a name that is not known", ("nodes", "why", f"{node[:-3]}com"))
    yield Shown("errors", ("errors",))
    yield Shown("status", ("status",))
    yield Shown("nodes list, all, into a pipe", ("nodes", "list"), bound=False)


def main() -> int:
    """Build, measure, print; 1 if an aim was missed."""
    parser = argparse.ArgumentParser(description="what a large fleet costs: start, commands, disk")
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of history, in all")
    parser.add_argument("--repeat", type=int, default=3, help="starts, and runs of each command (default 3)")
    parser.add_argument("--shape", choices=[*SHAPES], help="only this one")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what was built, and measure it again next time")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for databases")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.chdir(ROOT)
    found, calibrations = [], [calibration()]
    with tempfile.TemporaryDirectory(dir=asked.dir, prefix=".benchmark-") as folder:
        for shape in [asked.shape] if asked.shape else SHAPES:
            built = (asked.keep or Path(folder)) / shape.replace(" ", "-")
            _built(built, shape, asked.nodes, asked.rows)
            found.append(asyncio.run(_measure(built, shape, asked.repeat, Path(folder))))
            calibrations.append(calibration())
    if asked.json:
        print(json.dumps({**machine(), "calibration_ms": calibrations, "shapes": [asdict(each) for each in found]}))
    else:
        print(*_told(found, calibrations), sep="\n")
    return int(any(_missed(each) for each in found))


def _built(folder: Path, shape: str, nodes: int, rows: int) -> None:
    """See to it that the database is there: what was kept is taken if it is of this size."""
    note, wanted = folder / BUILT, {"nodes": nodes, "rows": rows}
    if note.exists():
        if json.loads(note.read_text()) != wanted:
            raise SystemExit(f"{folder} holds a fleet of another size ({note.read_text()}): name another directory")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    began = time.monotonic()
    written = asyncio.run(build(StateDirectory(folder), SHAPES[shape], nodes, rows, time.time_ns() // 1_000_000))
    note.write_text(json.dumps(wanted))
    print(f"{shape}: {nodes:,} nodes, {written:,} rows in {time.monotonic() - began:.0f} s", file=sys.stderr)


async def _measure(built: Path, shape: str, repeat: int, folder: Path) -> Found:
    state = StateDirectory(built)
    with open_reader(state.database) as reader:
        nodes, rows, states = _shape(reader)
        disk = {row["name"]: row["bytes"] for row in reader.rows(_PAGES)}
    starts = [await _start(built, folder / f"{shape}-{number}".replace(" ", "-")) for number in range(repeat)]
    empty = [await _start(None, folder / f"empty-{number}") for number in range(repeat)]
    timed = {shown.title: [_timed(shown, built) for _ in range(repeat)] for shown in commands(nodes)}
    return Found(shape, nodes, rows, states, starts, empty, timed, disk)


def _shape(reader: Reader) -> tuple[int, int, dict[str, int]]:
    nodes = reader.rows("SELECT count(*) AS nodes FROM nodes")[0]["nodes"]
    rows = reader.rows("SELECT count(*) AS rows FROM history")[0]["rows"]
    return nodes, rows, {state.value: count for state, count in sorted(reader.counts().items())}


# -- the start --------------------------------------------------------------------------------------------------------


async def _start(built: Path | None, folder: Path) -> Start:
    """Start the daemon on a copy (or on nothing), wait until it is ready and has settled; then end it."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(make_broker(folder))
        site = make_site(folder, broker, int(time.time()), {"logfile": str(folder / "usher.log"), "loglevel": "warn"})
        if built is not None:
            for name in (DATABASE, VAULT_KEY):
                shutil.copyfile(built / name, site.state / name)
                (site.state / name).chmod(0o600)
        daemon = Child("the daemon", usher(*site.daemon()), folder / "daemon.out")
        stack.push_async_callback(daemon.stop)
        began = time.monotonic()
        daemon.start()
        await _ready(site, daemon)
        took, cpu, ready = time.monotonic() - began, cost(daemon.pid).own, peak(daemon.pid)
        await asyncio.wait([daemon.ended], timeout=took + 5)
        found = Start(took, cpu, ready, peak(daemon.pid))
    shutil.rmtree(folder)
    return found


async def _ready(site: DemoSite, daemon: Child) -> None:
    until = time.monotonic() + PATIENCE
    while not (_status(site).get("ready")):
        if daemon.ended.done() or time.monotonic() > until:
            raise SystemExit(f"the daemon was not ready: {daemon.tail()}")
        await asyncio.wait([daemon.ended], timeout=EVERY)


def _status(site: DemoSite) -> dict[str, Any]:
    with suppress(NoDaemonError, RefusedError):
        return ask(StateDirectory(site.state), Ask(Command.STATUS))["status"]  # type: ignore[no-any-return]
    return {}


# -- commands ---------------------------------------------------------------------------------------------------------


def _timed(shown: Shown, state: Path) -> float:
    """Seconds from the start of the process to its end."""
    began = time.monotonic()
    done = subprocess.run(
        usher(*shown.words, "--state", str(state)), check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    took = time.monotonic() - began
    if done.returncode not in {0, 1, 3}:  # 1: no such node; 3: there is no daemon, which is asked for
        raise SystemExit(f"{shown.words}: {done.stderr.decode()}")
    return took


# -- what is told -----------------------------------------------------------------------------------------------------


def _missed(found: Found) -> list[str]:
    """The aims that were not met, by the medians."""
    bound = {shown.title for shown in commands(found.nodes) if shown.bound}
    slow = [title for title, took in found.commands.items() if title in bound and median(took) > ANSWER]
    if median(start.seconds for start in found.starts) > READY:
        slow.append("the start")
    if max(start.peak_mb for start in found.starts) > MEMORY:
        slow.append("the memory")
    return slow


def _told(every: Sequence[Found], calibrations: Sequence[float]) -> Iterator[str]:
    yield ", ".join(f"{name} {value}" for name, value in machine().items())
    yield "calibration: " + ", ".join(f"{each:.1f}" for each in calibrations) + " ms"
    for found in every:
        yield f"\n{found.shape}: " + ", ".join(f"{count:,} {state}" for state, count in found.states.items())
    yield "\n| | " + " | ".join(found.shape for found in every) + " |\n|---|" + "---:|" * len(every)
    for title, cells in _lines(every):
        yield f"| {title} | " + " | ".join(cells) + " |"
    yield from (f"\nmissed, {found.shape}: {', '.join(slow)}" for found in every if (slow := _missed(found)))


def _lines(every: Sequence[Found]) -> Iterator[tuple[str, list[str]]]:
    yield "nodes", [f"{found.nodes:,}" for found in every]
    yield "history rows", [f"{found.rows:,}" for found in every]
    yield "start to ready, s", [_spread([start.seconds for start in found.starts]) for found in every]
    yield "CPU of it, s", [_spread([start.cpu for start in found.starts]) for found in every]
    yield "on an empty directory, s", [_spread([start.seconds for start in found.empty]) for found in every]
    yield "memory when ready, MB", [f"{max(start.ready_mb for start in found.starts):.0f}" for found in every]
    yield "peak memory, MB", [f"{max(start.peak_mb for start in found.starts):.0f}" for found in every]
    yield "on an empty directory, MB", [f"{max(start.peak_mb for start in found.empty):.0f}" for found in every]
    for title in every[0].commands:
        yield f"`{title}`, s", [_spread(found.commands[title]) for found in every]
    yield "on disk, MB", [f"{sum(found.disk.values()) / 1e6:,.0f}" for found in every]
    yield "on disk, KB a node", [f"{sum(found.disk.values()) / found.nodes / 1e3:.1f}" for found in every]
    for name in dict.fromkeys(name for found in every for name in found.disk):
        cells = [found.disk.get(name, 0) / found.nodes for found in every]
        if max(cells) >= 10:
            yield f"of it `{name}`, bytes a node", [f"{cell:,.0f}" for cell in cells]


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
